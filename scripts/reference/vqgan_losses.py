"""Writes the losses, gradients and first training steps of Taming Transformers' VQModel with its discriminator.

    pip install torch==2.13.0 numpy einops safetensors
    git clone https://github.com/CompVis/taming-transformers
    python scripts/reference/vqgan_losses.py taming-transformers

writes packages/train/test/fixtures/taming-losses.json and .safetensors. The latter holds the weights of the VQ-GAN and of
the discriminators under the names of Taming's state_dict, in half precision, to which they were rounded before the models
ran in float64. The former holds for each case:

    logs       what VQLPIPSWithDiscriminator logs for the first weights, before and after the discriminator's start
    gradients  for both, [norm, sum of g[i] · cos(i + 1)] of every parameter's gradient: of the VQ-GAN's loss by the parameters
               of the VQ-GAN, and of the discriminator's loss by those of the discriminator
    buffers    running statistics after both passes
    steps      the logs of training steps: as in PyTorch Lightning 1.0.8, each takes a step of the first optimizer, and then
               runs the model again for a step of the second one

LPIPS is left out (perceptual_weight 0), since its weights are not in the repository.
"""

import argparse
import json
import subprocess
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

OUTPUT = Path(__file__).resolve().parents[2] / "packages/train/test/fixtures"
BETA = 0.25

MODEL = {
    "ddconfig": {
        "double_z": False, "z_channels": 8, "resolution": 16, "in_channels": 3, "out_ch": 3,
        "ch": 32, "ch_mult": [1, 1], "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0,
    },
    "n_embed": 24,
    "embed_dim": 4,
}
CASES = {
    "hinge": {"disc_loss": "hinge", "use_actnorm": False},
    "vanilla": {"disc_loss": "vanilla", "use_actnorm": True},
}
LOSS = {
    "disc_start": 1, "disc_num_layers": 2, "disc_ndf": 8, "disc_weight": 0.8, "codebook_weight": 1.0,
    "perceptual_weight": 0.0,
}
STEPS = 4
LEARNING_RATE = 1e-4


class Autoencoder(nn.Module):
    """The modules of Taming's VQModel under their names; VQModel itself needs PyTorch Lightning."""

    def __init__(self, taming, loss, ddconfig, n_embed, embed_dim):
        super().__init__()
        self.encoder = taming.Encoder(**ddconfig)
        self.decoder = taming.Decoder(**ddconfig)
        self.quantize = taming.VectorQuantizer2(n_embed, embed_dim, beta=BETA)
        self.quant_conv = nn.Conv2d(ddconfig["z_channels"], embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, ddconfig["z_channels"], 1)
        # Last, so that the other modules have the same random weights in each case.
        self.loss = loss

    def forward(self, images):
        quantized, loss, _ = self.quantize(self.quant_conv(self.encoder(images)))
        return self.decoder(self.post_quant_conv(quantized)), loss

    def loss_of(self, images, optimizer, step):
        """VQModel.training_step."""
        reconstruction, quantization = self(images)
        last = self.decoder.conv_out.weight
        loss, log = self.loss(quantization, images, reconstruction, optimizer, step, last_layer=last)
        log = {key.removeprefix("train/"): float(value) for key, value in log.items()}
        return loss, {"loss": loss.item(), **log}

    def discriminator_parameters(self):
        return dict(self.loss.discriminator.named_parameters(prefix="loss.discriminator"))

    def own_parameters(self):
        return {name: p for name, p in self.named_parameters() if not name.startswith("loss.")}


def randomize(model, generator):
    """Random weights whose layers keep the variance near 1, with gains and biases that a test would miss if ignored."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if name == "quantize.embedding.weight":
            value = 0.7 * noise
        elif name.startswith("loss.") and parameter.dim() == 4 and "weight" in name:
            value = 1.5 * noise / parameter[0].numel() ** 0.5
        elif parameter.dim() == 4 and "weight" in name:
            value = noise / parameter[0].numel() ** 0.5
        elif "norm" in name and name.endswith("weight") or name.startswith("loss.") and name.endswith("weight"):
            value = 1 + 0.3 * noise
        elif name.endswith((".loc", ".scale")):
            continue  # The first batch sets them.
        else:
            value = 0.2 * noise
        parameter.data.copy_(value.half().float())


def checksum(tensor):
    flat = tensor.detach().flatten().double()
    weights = torch.cos(torch.arange(1, flat.numel() + 1, dtype=torch.float64))
    return [flat.norm().item(), (flat * weights).sum().item()]


def derivatives(model, images, step):
    """The logs, gradients and buffers of both passes at the first weights."""
    loss, log = model.loss_of(images, 0, step)
    own = model.own_parameters()
    gradients = dict(zip(own, torch.autograd.grad(loss, list(own.values()))))
    loss, discriminator_log = model.loss_of(images, 1, step)
    others = model.discriminator_parameters()
    gradients |= dict(zip(others, torch.autograd.grad(loss, list(others.values()))))
    return {
        "logs": {"vqgan": log, "discriminator": discriminator_log},
        "gradients": {name: checksum(gradient) for name, gradient in gradients.items()},
        "buffers": {name: value.double().flatten().tolist() for name, value in model.named_buffers()},
    }


def train(model, images):
    """The logs of training steps, with VQModel's optimizers."""
    optimizers = [
        torch.optim.Adam(parameters.values(), lr=LEARNING_RATE, betas=(0.5, 0.9))
        for parameters in (model.own_parameters(), model.discriminator_parameters())
    ]
    logs = []
    for step in range(STEPS):
        log = []
        for index, optimizer in enumerate(optimizers):
            model.zero_grad()
            loss, entry = model.loss_of(images, index, step)
            loss.backward()
            optimizer.step()
            log.append(entry)
        logs.append({"vqgan": log[0], "discriminator": log[1]})
    return logs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("taming", type=Path, help="path of a checkout of CompVis/taming-transformers")
    taming_path = parser.parse_args().taming
    sys.path.insert(0, str(taming_path))
    # Its real weights are a download.
    sys.modules["taming.modules.losses.lpips"] = types.SimpleNamespace(LPIPS=nn.Identity)
    from taming.modules.diffusionmodules import model as taming
    from taming.modules.losses.vqperceptual import VQLPIPSWithDiscriminator
    from taming.modules.vqvae.quantize import VectorQuantizer2

    taming.VectorQuantizer2 = VectorQuantizer2
    commit = subprocess.check_output(["git", "-C", str(taming_path), "rev-parse", "HEAD"], text=True).strip()
    torch.set_num_threads(1)
    tensors, cases = {}, {}
    for name, options in CASES.items():

        def fresh():
            model = Autoencoder(taming, VQLPIPSWithDiscriminator(**LOSS, **options), **MODEL)
            generator = torch.Generator().manual_seed(3)
            randomize(model, generator)
            images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(4)) * 2 - 1
            return model.double(), images.half().double()

        model, images = fresh()
        for key, value in model.state_dict().items():
            if key.startswith("loss."):
                tensors[f"{name}.{key}"] = value.float() if value.dim() == 0 else value.half()
            else:
                tensors[key] = value.half()
        tensors["images"] = images.half()
        start = LOSS["disc_start"]
        cases[name] = {
            "loss": {**LOSS, **options},
            "before": derivatives(*fresh(), start - 1),
            "after": derivatives(*fresh(), start),
            "steps": train(*fresh()),
        }
        log = cases[name]["steps"][-1]
        print(name, {key: round(value, 4) for key, value in (log["vqgan"] | log["discriminator"]).items()})
    OUTPUT.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, OUTPUT / "taming-losses.safetensors")
    description = {
        "source": {"repository": "CompVis/taming-transformers", "commit": commit, "torch": torch.__version__},
        "model": MODEL,
        "learningRate": LEARNING_RATE,
        "cases": cases,
    }
    (OUTPUT / "taming-losses.json").write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    main()
