"""JAX's side of the VQ-GAN training benchmark: the model of train_vqgan.py.

    pip install "jax[cuda13]" optax
    python benchmarks/peers/train_vqgan_jax.py --device cuda --dtype bfloat16 --steps 50

Images have their channels last, as XLA computes convolutions.
"""

import jax
import jax.numpy as jnp
import optax

from jax_training import parse_options, rounded, train

BATCH, SIZE, CH, CH_MULT, Z_CHANNELS, EMBED_DIM, CODEBOOK = 8, 64, 32, (1, 2, 4), 64, 64, 1024


class Model:
    """Layers that make their parameters in the first pass, and read them in the later ones."""

    def __init__(self, parameters, cast, key=None):
        self.parameters, self.cast, self.key, self.path = parameters, cast, key, 0

    def parameter(self, make):
        name = str(self.path)
        self.path += 1
        if self.key is not None:
            self.key, key = jax.random.split(self.key)
            self.parameters[name] = make(key)
        return self.parameters[name]

    def conv(self, x, channels, size=3, stride=1, padding=None):
        fan_in = x.shape[3] * size**2
        uniform = lambda shape: lambda key: jax.random.uniform(key, shape, minval=-1, maxval=1) * fan_in**-0.5
        kernel = self.parameter(uniform((size, size, x.shape[3], channels)))
        bias = self.parameter(uniform((channels,)))
        around = padding or [(size // 2, size // 2)] * 2
        y = jax.lax.conv_general_dilated(
            *self.cast(x, kernel), (stride, stride), around, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y.astype(jnp.float32) + bias

    def norm(self, x):
        channels = x.shape[3]
        gain = self.parameter(lambda _: jnp.ones(channels))
        bias = self.parameter(lambda _: jnp.zeros(channels))
        groups = x.reshape(*x.shape[:3], min(32, channels), -1)
        centered = groups - groups.mean((1, 2, 4), keepdims=True)
        scaled = centered * jax.lax.rsqrt((centered**2).mean((1, 2, 4), keepdims=True) + 1e-6)
        return gain * scaled.reshape(x.shape) + bias

    def resnet(self, x, channels):
        h = self.conv(jax.nn.silu(self.norm(x)), channels)
        h = self.conv(jax.nn.silu(self.norm(h)), channels)
        return h + (x if x.shape[3] == channels else self.conv(x, channels, 1))

    def attention(self, x):
        product = lambda a, b: jnp.matmul(*self.cast(a, b)).astype(jnp.float32)
        h = self.norm(x)
        q, k, v = (self.conv(h, x.shape[3], 1).reshape(x.shape[0], -1, x.shape[3]) for _ in range(3))
        weights = jax.nn.softmax(product(q, k.swapaxes(1, 2)) * x.shape[3] ** -0.5)
        return x + self.conv(product(weights, v).reshape(x.shape), x.shape[3], 1)

    def middle(self, x):
        return self.resnet(self.attention(self.resnet(x, x.shape[3])), x.shape[3])

    def encoder(self, x):
        x = self.conv(x, CH)
        for level, mult in enumerate(CH_MULT):
            x = self.resnet(x, CH * mult)
            if level < len(CH_MULT) - 1:
                x = self.conv(x, x.shape[3], stride=2, padding=[(0, 1), (0, 1)])
        return self.conv(jax.nn.silu(self.norm(self.middle(x))), Z_CHANNELS)

    def decoder(self, x):
        x = self.middle(self.conv(x, CH * CH_MULT[-1]))
        for level, mult in reversed(list(enumerate(CH_MULT))):
            for _ in range(2):
                x = self.resnet(x, CH * mult)
            if level > 0:
                x = self.conv(x.repeat(2, 1).repeat(2, 2), x.shape[3])
        return self.conv(jax.nn.silu(self.norm(x)), 3)

    def quantize(self, z):
        """Nearest codes of `z` [batch, height, width, channels], with straight-through gradients, and their loss."""
        uniform = lambda key: jax.random.uniform(key, (CODEBOOK, EMBED_DIM), minval=-1, maxval=1) / CODEBOOK
        codebook = self.parameter(uniform)
        flat = z.reshape(-1, EMBED_DIM)
        products = jnp.matmul(*self.cast(flat, codebook.T)).astype(jnp.float32)
        distances = (flat**2).sum(1, keepdims=True) + (codebook**2).sum(1) - 2 * products
        codes = codebook[distances.argmin(1)].reshape(z.shape)
        fixed = jax.lax.stop_gradient
        loss = ((codes - fixed(z)) ** 2).mean() + 0.25 * ((z - fixed(codes)) ** 2).mean()
        return z + fixed(codes - z), loss

    def loss(self, images):
        codes, quantization_loss = self.quantize(self.conv(self.encoder(images), EMBED_DIM, 1))
        reconstruction = self.decoder(self.conv(codes, Z_CHANNELS, 1))
        return ((reconstruction - images) ** 2).mean() + quantization_loss


def main():
    args = parse_options(__doc__)
    cast = rounded(args.dtype)
    keys = jax.random.split(jax.random.key(0))
    images = jax.random.uniform(keys[0], (BATCH, SIZE, SIZE, 3), minval=-1, maxval=1)

    def initial_parameters(key):
        parameters = {}
        Model(parameters, cast, key).loss(images)
        return parameters

    # Without jit, each operation of the first pass would be compiled on its own, which takes minutes.
    parameters = jax.jit(initial_parameters)(keys[1])
    loss_of = lambda parameters, images: Model(parameters, cast).loss(images)
    train(args, parameters, loss_of, optax.adamw(2e-4, weight_decay=0.01), images, items=BATCH, unit="images")


if __name__ == "__main__":
    main()
