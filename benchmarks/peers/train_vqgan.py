"""PyTorch's side of the VQ-GAN training benchmark: Taming's autoencoder, by default eager, fp32, on the CPU.

    pip install torch==2.13.0
    python benchmarks/peers/train_vqgan.py --steps 10 --warmup 3

The first stage: codebook and commitment loss (Esser et al. 2021), and mean squared error, or with `--losses adversarial`
absolute error, LPIPS with VGG16 and a discriminator, whose term has a fixed weight (Sun et al. 2024, LlamaGen). Both
networks are updated in turn, as in Taming. Attention stands only between the two middle blocks. Every step trains on one
fixed batch of noise, and LPIPS has random weights; only the speed is of interest.
"""

import argparse

import torch
import torch.nn.functional as F
from torch import nn

from measure import add_torch_options, measure, torch_setup


def norm(channels):
    return nn.GroupNorm(min(32, channels), channels, eps=1e-6)


def swish(x):
    return x * torch.sigmoid(x)


class ResnetBlock(nn.Module):
    def __init__(self, channels, out_channels):
        super().__init__()
        self.norm1 = norm(channels)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = norm(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.shortcut = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()

    def forward(self, x):
        h = self.conv1(swish(self.norm1(x)))
        return self.shortcut(x) + self.conv2(swish(self.norm2(h)))


class AttnBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels)
        self.q, self.k, self.v, self.out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        batch, channels, height, width = x.shape
        h = self.norm(x)
        q, k, v = (t.flatten(2) for t in (self.q(h), self.k(h), self.v(h)))
        weights = torch.softmax(q.transpose(1, 2) @ k * channels**-0.5, dim=2)
        return x + self.out((v @ weights.transpose(1, 2)).view(batch, channels, height, width))


class Downsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x):
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Swish(nn.Module):
    def forward(self, x):
        return swish(x)


def middle(channels):
    return [ResnetBlock(channels, channels), AttnBlock(channels), ResnetBlock(channels, channels)]


def encoder(ch, ch_mult, res_blocks, z_channels, attention):
    layers = [nn.Conv2d(3, ch, 3, padding=1)]
    channels = ch
    for level, mult in enumerate(ch_mult):
        for _ in range(res_blocks):
            layers.append(ResnetBlock(channels, ch * mult))
            channels = ch * mult
            if level in attention:
                layers.append(AttnBlock(channels))
        if level < len(ch_mult) - 1:
            layers.append(Downsample(channels))
    layers += [*middle(channels), norm(channels), Swish(), nn.Conv2d(channels, z_channels, 3, padding=1)]
    return nn.Sequential(*layers)


def decoder(ch, ch_mult, res_blocks, z_channels, attention):
    channels = ch * ch_mult[-1]
    layers = [nn.Conv2d(z_channels, channels, 3, padding=1), *middle(channels)]
    for level, mult in reversed(list(enumerate(ch_mult))):
        for _ in range(res_blocks + 1):
            layers.append(ResnetBlock(channels, ch * mult))
            channels = ch * mult
            if level in attention:
                layers.append(AttnBlock(channels))
        if level > 0:
            layers.append(Upsample(channels))
    layers += [norm(channels), Swish(), nn.Conv2d(channels, 3, 3, padding=1)]
    return nn.Sequential(*layers)


class VQGAN(nn.Module):
    def __init__(self, ch, ch_mult, res_blocks, z_channels, embed_dim, codebook, attention=()):
        super().__init__()
        self.encoder = encoder(ch, ch_mult, res_blocks, z_channels, attention)
        self.quant_conv = nn.Conv2d(z_channels, embed_dim, 1)
        self.codebook = nn.Parameter(torch.empty(codebook, embed_dim).uniform_(-1 / codebook, 1 / codebook))
        self.post_quant_conv = nn.Conv2d(embed_dim, z_channels, 1)
        self.decoder = decoder(ch, ch_mult, res_blocks, z_channels, attention)

    def nearest(self, z):
        """Tokens of `z` [batch, channels, height, width]: the nearest codes, pixel by pixel."""
        flat = z.permute(0, 2, 3, 1).flatten(0, 2)
        distances = (flat**2).sum(1, keepdim=True) + (self.codebook**2).sum(1) - 2 * flat @ self.codebook.T
        return distances.argmin(1)

    def quantize(self, z):
        """Nearest codes of `z` [batch, channels, height, width], with straight-through gradients, and their loss."""
        codes = F.embedding(self.nearest(z), self.codebook)
        codes = codes.view(z.shape[0], *z.shape[2:], z.shape[1]).permute(0, 3, 1, 2)
        loss = F.mse_loss(codes, z.detach()) + 0.25 * F.mse_loss(z, codes.detach())
        return z + (codes - z).detach(), loss

    def encode(self, x):
        """Images [batch, 3, size, size] to tokens [batch, grid²]."""
        return self.nearest(self.quant_conv(self.encoder(x))).view(x.shape[0], -1)

    def decode(self, tokens):
        """Tokens [batch, grid²] of square grids to images [batch, 3, size, size]."""
        batch, length = tokens.shape
        codes = F.embedding(tokens, self.codebook).transpose(1, 2)
        return self.decoder(self.post_quant_conv(codes.unflatten(2, (int(length**0.5), -1))))

    def forward(self, x):
        codes, loss = self.quantize(self.quant_conv(self.encoder(x)))
        return self.decoder(self.post_quant_conv(codes)), loss


class LPIPS(nn.Module):
    """The distance of Zhang et al. 2018 of two batches of images in [-1, 1], of VGG16, with random weights, not trained."""

    def __init__(self, widths=(64, 128, 256, 512, 512), depths=(2, 2, 3, 3, 3)):
        super().__init__()
        self.slices = nn.ModuleList()
        channels = 3
        for index, (width, depth) in enumerate(zip(widths, depths)):
            layers = [nn.MaxPool2d(2)] if index > 0 else []
            for _ in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            self.slices.append(nn.Sequential(*layers))
        self.heads = nn.ParameterList(torch.rand(1, width, 1, 1) for width in widths)
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, a, b):
        a, b = ((x - self.shift) / self.scale for x in (a, b))
        total = 0
        for network, head in zip(self.slices, self.heads):
            a, b = network(a), network(b)
            unit_a, unit_b = (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in (a, b))
            total = total + ((unit_a - unit_b) ** 2 * head).sum(1, keepdim=True).mean((2, 3), keepdim=True)
        return total


def discriminator(width=64, layers=3):
    """Taming's PatchGAN discriminator."""
    network = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2)]
    channels = width
    for level in range(1, layers + 1):
        out = width * min(2**level, 8)
        stride = 2 if level < layers else 1
        network += [nn.Conv2d(channels, out, 4, stride, 1, bias=False), nn.BatchNorm2d(out), nn.LeakyReLU(0.2)]
        channels = out
    return nn.Sequential(*network, nn.Conv2d(channels, 1, 4, 1, 1))


def adamw(network, device):
    return torch.optim.AdamW(network.parameters(), lr=2e-4, fused=device == "cuda")


def update(optimizer, loss):
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def adversarial_step(model, optimizer, images, forward):
    """Returns a function that updates the autoencoder, and then a discriminator."""
    perceptual, critic = LPIPS().to(images.device), discriminator().to(images.device)
    critic_optimizer = adamw(critic, images.device.type)

    def step():
        with forward():
            reconstruction, quantization_loss = model(images)
            reconstruction_loss = (reconstruction - images).abs().mean() + perceptual(reconstruction, images).mean()
            critic.requires_grad_(False)
            loss = reconstruction_loss - 0.5 * critic(reconstruction).mean() + quantization_loss
            critic.requires_grad_(True)
        update(optimizer, loss)
        with forward():
            with torch.no_grad():
                reconstruction, _ = model(images)
            real, fake = critic(images), critic(reconstruction)
            critic_loss = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean())
        update(critic_optimizer, critic_loss)
        return loss.item()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--ch", type=int, default=32)
    parser.add_argument("--ch-mult", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--res-blocks", type=int, default=1)
    parser.add_argument("--z-channels", type=int, default=64)
    parser.add_argument("--embed-dim", type=int, default=64)
    parser.add_argument("--codebook", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--losses", choices=["squared", "adversarial"], default="squared")
    add_torch_options(parser)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=3)
    args = parser.parse_args()

    engine, forward = torch_setup(args)
    model = VQGAN(args.ch, args.ch_mult, args.res_blocks, args.z_channels, args.embed_dim, args.codebook)
    model = model.to(args.device)
    optimizer = adamw(model, args.device)
    images = torch.rand(args.batch, 3, args.image_size, args.image_size, device=args.device) * 2 - 1
    apply = torch.compile(model) if args.compile else model

    def step():
        with forward():
            reconstruction, quantization_loss = apply(images)
        loss = F.mse_loss(reconstruction.float(), images) + quantization_loss
        update(optimizer, loss)
        return loss.item()

    if args.losses == "adversarial":
        step = adversarial_step(apply, optimizer, images, forward)
    measure(step, engine=engine, warmup=args.warmup, steps=args.steps, items=args.batch, unit="images")


if __name__ == "__main__":
    main()
