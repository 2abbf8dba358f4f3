"""Writes small VQ-GANs in the formats of Taming's releases, and the outputs of the published code for them, for packages/vqgan.

    pip install torch==2.13.0 numpy einops pyyaml safetensors
    git clone https://github.com/CompVis/taming-transformers
    git clone https://github.com/kuprel/min-dalle
    python scripts/reference/vqgan_releases.py taming-transformers min-dalle

In packages/vqgan/test/fixtures/published each model has a folder with its configuration, model.yaml, and last.ckpt as PyTorch
Lightning writes it, with weights in half precision, to which they were rounded before the model ran in float32; and with
expected.safetensors: images `input` in [-1, 1], their `tokens`, and their `reconstruction`, [batch, channels, height, width].
names-*.json are the names and shapes of all tensors at the published sizes. GroupNorm has 32 groups, so 32 channels are the
least possible.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy as np

OUTPUT = Path(__file__).resolve().parents[2] / "packages/vqgan/test/fixtures/published"

CONFIGS = {
    "taming": """\
model:
  base_learning_rate: 4.5e-06
  target: taming.models.vqgan.VQModel
  params:
    embed_dim: 6
    n_embed: 24
    monitor: val/rec_loss
    ddconfig:
      double_z: false
      z_channels: 8
      resolution: 8
      in_channels: 3
      out_ch: 3
      ch: 32
      ch_mult:
      - 1
      num_res_blocks: 1
      attn_resolutions:
      - 16
      dropout: 0.0
    lossconfig:
      target: taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator
      params:
        disc_conditional: false
        disc_in_channels: 3
        disc_start: 0
        disc_weight: 0.75
        codebook_weight: 1.0
""",
    "gumbel": """\
model:
  base_learning_rate: 4.5e-06
  target: taming.models.vqgan.GumbelVQ
  params:
    kl_weight: 1.0e-08
    embed_dim: 8
    n_embed: 40
    monitor: val/rec_loss
    temperature_scheduler_config:
      target: taming.lr_scheduler.LambdaWarmUpCosineScheduler
      params:
        warm_up_steps: 0
        max_decay_steps: 1000001
        lr_start: 0.9
        lr_max: 0.9
        lr_min: 1.0e-06
    ddconfig:
      double_z: false
      z_channels: 8
      resolution: 8
      in_channels: 3
      out_ch: 3
      ch: 32
      ch_mult:
      - 1
      num_res_blocks: 1
      attn_resolutions:
      - 8
      dropout: 0.0
    lossconfig:
      target: taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator
      params:
        disc_in_channels: 3
        disc_start: 100000
        perceptual_weight: 1.0
""",
}

# Fields that the configurations of the published checkpoints change.
PUBLISHED = {
    "taming": ({"n_embed": 16384, "embed_dim": 256}, {"ch_mult": [1, 1, 2, 2, 4], "attn_resolutions": [16]}),
    "gumbel": ({"n_embed": 8192, "embed_dim": 256}, {"ch_mult": [1, 1, 2, 4], "attn_resolutions": [32]}),
}
PUBLISHED_SIZES = {"z_channels": 256, "resolution": 256, "ch": 128, "num_res_blocks": 2}

SEEDS = 8


def random_value(name, shape, generator):
    """Returns random weights as vqgan.py does: layers keep the variance near 1, and a test fails if gains or biases are ignored."""
    noise = generator.standard_normal(shape, dtype=np.float32)
    if name.endswith(("embedding.weight", "embed.weight")):
        value = 0.7 * noise
    elif len(shape) == 4:
        value = noise / np.prod(shape[1:]) ** 0.5
    elif "norm" in name and name.endswith("weight"):
        value = 1 + 0.3 * noise
    else:
        value = 0.2 * noise
    return value.astype(np.float16)


def write_names(name, shapes):
    text = ",\n".join(f"  {json.dumps(key)}: {json.dumps(list(shape))}" for key, shape in shapes.items())
    (OUTPUT / f"names-{name}.json").write_text("{\n" + text + "\n}\n")


def import_taming(path):
    """Imports Taming's VQModel and GumbelVQ without PyTorch Lightning and without the weights of LPIPS, which inference does not need."""
    import torch

    sys.path.insert(0, path)
    lightning = types.ModuleType("pytorch_lightning")
    lightning.LightningModule = torch.nn.Module
    sys.modules["pytorch_lightning"] = lightning
    from taming.modules.discriminator.model import NLayerDiscriminator

    class Loss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.discriminator = NLayerDiscriminator(input_nc=3, ndf=1, n_layers=1)

    def instantiate_from_config(config):
        module, name = config["target"].rsplit(".", 1)
        if name == "VQLPIPSWithDiscriminator":
            return Loss()
        return getattr(importlib.import_module(module), name)(**config["params"])

    main = types.ModuleType("main")
    main.instantiate_from_config = instantiate_from_config
    sys.modules["main"] = main
    return instantiate_from_config


class ModelCheckpoint:
    """Replaces the callback of Lightning whose class a checkpoint names."""


def write(taming_path, min_dalle_path):
    import torch
    import yaml
    from safetensors.torch import save_file

    instantiate = import_taming(taming_path)
    torch.set_num_threads(1)

    def run(model, images):
        z = model.quant_conv(model.encoder(images))
        if hasattr(model.quantize, "proj"):
            # GumbelQuantize.forward adds noise in evaluation too; the code without it is the most probable one.
            scores = model.quantize.proj(z)
        else:
            codes = model.quantize.embedding.weight
            scores = -torch.cdist(z.permute(0, 2, 3, 1).flatten(1, 2), codes).square().transpose(1, 2)
        scores = scores.flatten(2)
        best = scores.topk(2, dim=1).values
        tokens = scores.argmax(dim=1)
        if not hasattr(model.quantize, "proj"):
            assert torch.equal(model.encode(images)[2][2], tokens.flatten())
        shape = (z.shape[0], z.shape[2], z.shape[3], model.post_quant_conv.in_channels)
        reconstruction = model.decode(model.quantize.get_codebook_entry(tokens.flatten(), shape))
        return (best[:, 0] - best[:, 1]).min().item(), tokens, reconstruction

    for name, text in CONFIGS.items():
        config = yaml.safe_load(text)["model"]
        model = instantiate(config).eval()
        resolution = config["params"]["ddconfig"]["resolution"]

        def attempt(seed):
            generator = np.random.default_rng(seed)
            for key, parameter in model.named_parameters():
                parameter.data.copy_(torch.from_numpy(random_value(key, parameter.shape, generator)))
            images = torch.from_numpy(generator.uniform(-1, 1, (2, 3, resolution, resolution)).astype(np.float32))
            with torch.no_grad():
                return images, *run(model, images)

        # The one of several seeds whose tokens are the least sensitive to rounding errors.
        images, margin, tokens, reconstruction = attempt(max(range(SEEDS), key=lambda seed: attempt(seed)[1]))
        folder = OUTPUT / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.yaml").write_text(text)
        torch.save(
            {
                "epoch": 3,
                "global_step": 1200,
                "pytorch-lightning_version": "1.0.8",
                "callbacks": {ModelCheckpoint: {"best_model_score": torch.tensor(0.5), "dirpath": Path("checkpoints")}},
                "optimizer_states": [],
                "lr_schedulers": [],
                "state_dict": {key: value.half() for key, value in model.state_dict().items()},
            },
            folder / "last.ckpt",
        )
        expected = {"input": images, "tokens": tokens.int(), "reconstruction": reconstruction}
        save_file({key: value.contiguous() for key, value in expected.items()}, folder / "expected.safetensors")
        print(f"{name}: {tokens.unique().numel()} codes used, least margin {margin:.2g}, reconstruction {reconstruction.std():.2f}")

        params, sizes = PUBLISHED[name]
        config["params"] |= params
        config["params"]["ddconfig"] |= PUBLISHED_SIZES | sizes
        with torch.device("meta"):
            write_names(name, {key: value.shape for key, value in instantiate(config).state_dict().items()})

    sys.path.insert(0, min_dalle_path)
    with torch.device("meta"):
        # Not min_dalle.models, whose other models need more packages.
        spec = importlib.util.spec_from_file_location("detokenizer", Path(min_dalle_path) / "min_dalle/models/vqgan_detokenizer.py")
        detokenizer = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(detokenizer)
        write_names("min-dalle", {key: value.shape for key, value in detokenizer.VQGanDetokenizer().state_dict().items()})


if __name__ == "__main__":
    OUTPUT.mkdir(parents=True, exist_ok=True)
    write(*sys.argv[1:])
