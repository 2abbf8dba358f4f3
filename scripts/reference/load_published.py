"""Loads models that writePublishedModel wrote with the published Python code, and compares the results of both.

    pip install jax==0.4.13 jaxlib==0.4.13 flax==0.6.11 'orbax-checkpoint<0.3' transformers==4.25.1 \\
        'numpy<1.25' 'scipy<1.12' einops safetensors
    git clone https://github.com/borisdayma/dalle-mini
    git clone https://github.com/patil-suraj/vqgan-jax
    npm run build && node scripts/reference/write_published.mjs published
    python scripts/reference/load_published.py published dalle-mini vqgan-jax

For each model it prints the largest difference of the logits, relative to the largest logit; and for the VQ-GAN the largest
difference of the pixels, and the number of equal tokens of an image. It fails if parameters are missing or unknown, or if a
difference is above 1e-5.

One error of the published code is fixed, as in options.py: the decoder reads its last norm even if it has none (`postln`), so
that norm is set to None.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ |= {"JAX_DISABLE_JIT": "1", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}

import jax.numpy as jnp
import numpy as np
from safetensors.numpy import load_file

from decoder import flatten, import_published

TOLERANCE = 1e-5


def load(model_class, folder, **options):
    """Returns the model and its parameters. Fails unless names and shapes are exactly those of the code."""
    model, params = model_class.from_pretrained(str(folder), _do_init=False, **options)
    wanted = {name: value.shape for name, value in flatten(model.params_shape_tree).items()}
    given = {name: value.shape for name, value in flatten(params).items()}
    assert given == wanted, f"{folder}: {given.items() ^ wanted.items()}"
    return model, params


def difference(result, expected):
    return float(np.abs(np.asarray(result) - expected).max() / np.abs(expected).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("published", type=Path, help="the folder that write_published.mjs wrote")
    parser.add_argument("dalle_mini", type=Path, help="path of a checkout of borisdayma/dalle-mini")
    parser.add_argument("vqgan_jax", type=Path, help="path of a checkout of patil-suraj/vqgan-jax")
    arguments = parser.parse_args()
    DalleBart, _ = import_published(arguments.dalle_mini)
    from dalle_mini.model import modeling

    modeling.FlaxBartDecoder.final_ln = None
    sys.path.insert(0, str(arguments.vqgan_jax))
    from vqgan_jax.modeling_flax_vqgan import VQModel

    worst = 0.0
    for expected_path in sorted(arguments.published.glob("*.safetensors")):
        expected = load_file(expected_path)
        folder = expected_path.with_suffix("")
        model, params = load(DalleBart, folder)
        mask, tokens = expected["text_mask"], expected["tokens"]
        hidden_states = model.encode(expected["text_tokens"], mask, params=params).last_hidden_state
        begin = np.full((len(tokens), 1), model.config.decoder_start_token_id)
        before = np.concatenate([begin, tokens[:, :-1]], axis=1)
        logits = model.decode(before, (hidden_states,), mask, params=params).logits

        size = expected["images"].shape[-1]
        vqgan, vqgan_params = load(VQModel, folder / "vqgan", input_shape=(1, size, size, 3))
        _, image_tokens = vqgan.encode(jnp.asarray(expected["images"].transpose(0, 2, 3, 1)), params=vqgan_params)
        image_tokens = np.asarray(image_tokens).reshape(expected["image_tokens"].shape)
        pixels = vqgan.decode_code(expected["image_tokens"], params=vqgan_params).transpose(0, 3, 1, 2)

        differences = [difference(logits, expected["logits"]), difference(pixels, expected["pixels"])]
        same = (image_tokens == expected["image_tokens"]).mean()
        print(
            f"{folder.name}: logits of up to {np.abs(expected['logits']).max():.1f} differ by {differences[0]:.1e}, "
            f"pixels by {differences[1]:.1e}, {same:.0%} of the image tokens are the same",
            flush=True,
        )
        assert same == 1, f"{folder.name}: image tokens differ"
        worst = max(worst, *differences)
    assert 0 < worst < TOLERANCE, f"the largest difference is {worst:.1e}"


if __name__ == "__main__":
    main()
