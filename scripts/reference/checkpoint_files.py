"""Writes checkpoint files with the libraries whose formats packages/weights reads, into its test/fixtures.

    python scripts/reference/checkpoint_files.py flax     needs flax==0.6.11 jax==0.4.13 numpy safetensors==0.8.0
    python scripts/reference/checkpoint_files.py torch    needs torch==2.13.0 numpy safetensors==0.8.0
    python scripts/reference/checkpoint_files.py training needs the same

Next to each file it writes `….expected.safetensors` with the tensors that a reader must find, and their names.
"""

import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file as save_numpy

FIXTURES = Path(__file__).parents[2] / "packages/weights/test/fixtures"
generator = np.random.default_rng(0)


class Callback:
    """A class that only the training program has."""

    def __init__(self):
        self.best = 0.5
        self.history = {"loss": [1.0, 0.5]}


def normal(*shape):
    return generator.standard_normal(shape, dtype=np.float32)


def write_flax():
    import jax.numpy as jnp
    from flax import serialization, traverse_util

    def expect(name, tree):
        flat = traverse_util.flatten_dict(tree, sep="/")
        save_numpy({key: np.array(value, order="C") for key, value in flat.items()}, FIXTURES / f"{name}.expected.safetensors")

    model = {
        "shared": {"embedding": normal(70, 4)},
        "encoder": {
            "layers": {"FlaxBartEncoderLayers": {"kernel": normal(2, 3, 5), "bias": normal(1)}},
            "layernorm": {"scale": normal(300).astype(np.float64), "steps": np.arange(-3, 5, dtype=np.int64)},
        },
        "head": {"mask": np.array([[True, False], [False, True]]), "count": np.full((), 7, np.int32)},
        "empty": {"kernel": np.zeros((0, 4), np.float32)},
        "bytes": {"u8": np.arange(256, dtype=np.uint8), "i8": np.arange(-4, 4, dtype=np.int8), "i16": np.arange(3, dtype=np.int16)},
        "many": {f"name {i}": normal(1) for i in range(20)},
        "☃": {"long " * 8: normal(2, 2)},
    }
    for name, convert in [
        ("flax-float32", lambda array: array),
        ("flax-float16", lambda array: array.astype(np.float16) if array.dtype == np.float32 else array),
        ("flax-bfloat16", lambda array: array.astype(jnp.bfloat16) if array.dtype == np.float32 else array),
    ]:
        tree = traverse_util.unflatten_dict({key: convert(value) for key, value in traverse_util.flatten_dict(model).items()})
        (FIXTURES / f"{name}.msgpack").write_bytes(serialization.to_bytes(tree))
        expect(name, tree)

    # Flax splits arrays of more than 2^30 bytes. A smaller limit makes a small file.
    limit, serialization.MAX_CHUNK_SIZE = serialization.MAX_CHUNK_SIZE, 100
    embedding, half = normal(9, 11), normal(60).astype(np.float16)
    tree = {"shared": {"embedding": embedding}, "bias": normal(3), "half": {"kernel": half}}
    (FIXTURES / "flax-chunked.msgpack").write_bytes(serialization.to_bytes(tree))
    serialization.MAX_CHUNK_SIZE = limit
    expect("flax-chunked", {"shared": {"embedding": embedding}, "bias": tree["bias"], "half": {"kernel": half}})

    # Values of a training state other than arrays: numbers of Python, scalars of NumPy, None, and lists.
    state = {"step": 12, "rate": 0.5, "done": False, "text": "adam", "none": None, "count": np.float32(3.5), "list": [normal(2), normal(1)]}
    (FIXTURES / "flax-state.msgpack").write_bytes(serialization.msgpack_serialize(state))
    expect("flax-state", {"count": state["count"], "list": {"0": state["list"][0], "1": state["list"][1]}})


def write_torch():
    import torch
    from safetensors.torch import save_file

    def tensor(*shape):
        return torch.from_numpy(normal(*shape))

    def write(name, content, expected):
        for suffix, zipped in [("pt", True), ("legacy.pt", False)]:
            torch.save(content, FIXTURES / f"{name}.{suffix}", _use_new_zipfile_serialization=zipped)
        save_file({key: value.detach().clone().contiguous() for key, value in expected.items()}, FIXTURES / f"{name}.expected.safetensors")

    storage = tensor(40)
    state = OrderedDict(
        {
            "conv.weight": tensor(2, 3, 3, 3),
            "conv.bias": torch.nn.Parameter(tensor(2)),
            "float64": tensor(3).double(),
            "float16": tensor(5).half(),
            "bfloat16": tensor(2, 4).bfloat16(),
            "int64": torch.tensor([-(2**40), -1, 0, 2**40]),
            "int32": torch.tensor([-5, 7], dtype=torch.int32),
            "int16": torch.tensor([-5, 7], dtype=torch.int16),
            "int8": torch.tensor([-5, 7], dtype=torch.int8),
            "uint8": torch.tensor([0, 255], dtype=torch.uint8),
            "bool": torch.tensor([[True, False, True]]),
            "scalar": torch.tensor(2.5),
            "empty": torch.zeros(0, 4),
            "part": storage[3:7],
            "transposed": tensor(3, 5).t(),
            "permuted": tensor(2, 3, 4).permute(2, 0, 1),
            "every other": storage[1:21:2].reshape(2, 5),
            "repeated": tensor(3, 1).expand(3, 4),
            "channels last": tensor(2, 3, 4, 5).to(memory_format=torch.channels_last),
            "long": torch.arange(3).half().t(),
            "☃": tensor(1),
        }
    )
    state["tied"] = state["conv.weight"]
    state["tied.flat"] = state["conv.weight"].reshape(-1)
    state._metadata = OrderedDict({"": {"version": 1}})
    write("torch-state-dict", state, state)

    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    lightning = {
        "epoch": 3,
        "global_step": 1200,
        "pytorch-lightning_version": "1.2.10",
        "state_dict": model.state_dict(),
        "callbacks": {Callback: {"best": torch.tensor(0.5), "callback": Callback(), "array": np.arange(3)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [],
        "hyper_parameters": {"path": Path("data"), "sizes": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float32, "set": {1, 2}, "bytes": b"abc", "large": 2**70},
    }
    write("torch-lightning", lightning, model.state_dict())
    for protocol in [3, 4, 5]:
        torch.save(lightning, FIXTURES / f"torch-lightning-protocol-{protocol}.ckpt", pickle_protocol=protocol)


def write_training():
    """Files of training programs, of TorchScript and of older pickles, and 8-bit floats."""
    import argparse
    import copy

    import torch
    from safetensors.torch import save_file

    def normal_(model):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.from_numpy(normal(*parameter.shape)))
        return model

    def expect(name, tensors):
        save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, FIXTURES / f"{name}.expected.safetensors")

    model = normal_(torch.nn.Sequential(OrderedDict({"conv": torch.nn.Conv2d(2, 3, 1), "norm": torch.nn.BatchNorm2d(3)})))
    average = normal_(copy.deepcopy(model))
    discriminator = normal_(torch.nn.Linear(2, 2))
    optimizer = torch.optim.Adam(model.parameters())
    model.train()(torch.ones(2, 2, 1, 1)).sum().backward()
    optimizer.step()
    state = model.state_dict()
    args = argparse.Namespace(lr=0.1, path=Path("data"))
    torch.save(
        {"args": args, "steps": 7, "rng": torch.get_rng_state()[:4], "optimizer": optimizer.state_dict(), "model": state},
        FIXTURES / "torch-training.pt",
    )
    expect("torch-training", state)
    torch.save(
        {
            "ema": {"module": average.state_dict(), "decay": 0.999},
            "model": state,
            "discriminator": discriminator.state_dict(),
            "optimizer": optimizer.state_dict(),
        },
        FIXTURES / "torch-average.pt",
    )
    expect("torch-average", state)
    expect("torch-average-ema", average.state_dict())

    # The names that LitEma of latent diffusion gives to its buffers.
    shadow = {"model_ema.decay": torch.tensor(0.999), "model_ema.num_updates": torch.tensor(7)}
    for name, parameter in average.named_parameters():
        shadow[f"model_ema.{name.replace('.', '')}"] = parameter.detach()
    lightning = {"state_dict": {**state, **shadow}, "epoch": 1, "optimizer_states": [optimizer.state_dict()]}
    torch.save(lightning, FIXTURES / "torch-lit-ema.ckpt")
    expect("torch-lit-ema", {**state, **shadow})
    expect("torch-lit-ema-ema", {**state, **dict(average.named_parameters())})

    torch.jit.script(model.eval()).save(FIXTURES / "torch-script.pt")
    expect("torch-script", state)

    for protocol in [1, 3, 4, 5]:
        torch.save({"é": state, "n": 2**70, "f": -0.5, "b": [True, None]}, FIXTURES / f"torch-protocol-{protocol}.legacy.pt", pickle_protocol=protocol, _use_new_zipfile_serialization=False)
    torch.save({"é": state, "n": 2**70, "f": -0.5, "b": [True, None]}, FIXTURES / "torch-protocol-1.pt", pickle_protocol=1)
    expect("torch-protocol", {f"é.{name}": value for name, value in state.items()})

    # Every 8-bit float, and its value in the tensor next to it.
    codes = torch.arange(256, dtype=torch.uint8)
    names = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz"}
    floats = {name: codes.clone().view(getattr(torch, dtype)) for name, dtype in names.items()}
    save_file(floats | {"I8": codes.clone().view(torch.int8), "F16": torch.ones(1).half()}, FIXTURES / "python-float8.safetensors")
    torch.save(floats, FIXTURES / "torch-float8.pt")
    expect("torch-float8", floats)
    torch.save(floats, FIXTURES / "torch-float8.legacy.pt", _use_new_zipfile_serialization=False)
    save_file({name: value.float() for name, value in floats.items()}, FIXTURES / "float8-values.expected.safetensors")


FIXTURES.mkdir(exist_ok=True)
{"flax": write_flax, "torch": write_torch, "training": write_training}[sys.argv[1]]()
