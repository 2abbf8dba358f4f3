"""Writes a small VQ-GAN as patil-suraj/vqgan-jax saves it, and its outputs for images, for packages/vqgan.

    pip install flax==0.6.11 jax==0.4.13 jaxlib==0.4.13 transformers==4.25.1 numpy safetensors
    git clone https://github.com/patil-suraj/vqgan-jax
    python scripts/reference/vqgan_jax_release.py vqgan-jax

packages/vqgan/test/fixtures/published/vqgan-jax then holds config.json and flax_model.msgpack, with weights in half precision, to
which they were rounded before the model ran in float32, and expected.safetensors: images `input` in [-1, 1], their `tokens`, and
their `reconstruction`, [batch, channels, height, width].
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors.numpy import save_file

OUTPUT = Path(__file__).resolve().parents[2] / "packages/vqgan/test/fixtures/published/vqgan-jax"
SIZE = 16
CONFIG = {
    "ch": 32, "ch_mult": [1, 1], "num_res_blocks": 1, "attn_resolutions": [8], "resolution": SIZE, "z_channels": 8,
    "n_embed": 24, "embed_dim": 6,
}

sys.path.insert(0, sys.argv[1])
from vqgan_jax.configuration_vqgan import VQGANConfig
from vqgan_jax.modeling_flax_vqgan import VQModel

generator = np.random.default_rng(0)


def random_value(name, shape):
    """Returns random weights as vqgan.py does: layers keep the variance near 1, and a test fails if gains or biases are ignored."""
    noise = generator.standard_normal(shape, dtype=np.float32)
    if name.endswith("embedding"):
        value = 0.7 * noise
    elif len(shape) == 4:
        value = noise / np.prod(shape[:3]) ** 0.5
    elif name.endswith("scale"):
        value = 1 + 0.3 * noise
    else:
        value = 0.2 * noise
    return value.astype(np.float16)


model = VQModel(VQGANConfig(**CONFIG), input_shape=(1, SIZE, SIZE, 3), _do_init=False)
key = jax.random.PRNGKey(0)
shapes = jax.eval_shape(lambda: model.module.init({"params": key}, jnp.zeros((1, SIZE, SIZE, 3)))["params"])
shapes = flatten_dict(shapes if isinstance(shapes, dict) else shapes.unfreeze(), sep="/")
weights = unflatten_dict({name: random_value(name, value.shape) for name, value in shapes.items()}, sep="/")
images = generator.uniform(-1, 1, (2, SIZE, SIZE, 3)).astype(np.float32)


@jax.jit
def run(params, images):
    reconstruction, tokens = model.module.apply({"params": params}, images)
    hidden = model.module.apply({"params": params}, images, method=lambda module, x: module.quant_conv(module.encoder(x)))
    distances = jnp.sum((hidden[..., None, :] - params["quantize"]["embedding"]["embedding"]) ** 2, axis=-1)
    return reconstruction, tokens, distances


reconstruction, tokens, distances = run(jax.tree_util.tree_map(lambda value: value.astype(np.float32), weights), images)
model.save_pretrained(OUTPUT, params=weights)
expected = {"input": images.transpose(0, 3, 1, 2), "tokens": np.array(tokens, np.int32), "reconstruction": np.array(reconstruction).transpose(0, 3, 1, 2)}
save_file({name: np.ascontiguousarray(value) for name, value in expected.items()}, OUTPUT / "expected.safetensors")
distances = np.sort(distances, axis=-1)
margin = (distances[..., 1] - distances[..., 0]).min()
print(f"{np.unique(tokens).size} codes used, least margin {margin:.2g}, reconstruction {np.std(reconstruction):.2f}")
