"""Writes the fixture of the decoder's options by running DALL·E Mini's published flax code on small random weights.

It needs what scripts/reference/decoder.py needs, and runs like it:

    python packages/decoder/scripts/options.py dalle-mini

The fixture is a safetensors file and a JSON file in packages/decoder/test/fixtures: for each variant of the
configuration the decoder's parameters, named as in flax's tree with the variant's name in front, and the logits of
some tokens. Weights are stored in half precision, to which they were rounded before the model ran in float32.

Two things are mended on the way, without a change of any number. The published decoder reads its last norm even where it
has none (after `postln`, or without `use_final_ln_decoder`) and would fail: it is given None. And head scales are
stored as [heads], not [1, 1, heads, 1].
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[3]
OUTPUT = ROOT / "packages/decoder/test/fixtures"
sys.path.insert(0, str(ROOT / "scripts/reference"))
from decoder import flatten, import_published, random_params  # noqa: E402

BASE = {
    "encoder_vocab_size": 8,
    "max_text_length": 5,
    "image_vocab_size": 10,
    "image_length": 9,
    "d_model": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 8,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 24,
    "gradient_checkpointing": False,
    "dropout": 0.0,
}

# Each position of the norms, with and without gating, and each other option somewhere.
VARIANTS = {
    "normformer-rmsnorm": {"ln_positions": "normformer", "ln_type": "rmsnorm"},
    "normformer-everything": {
        "ln_positions": "normformer", "use_bias": True, "use_head_scale": True, "force_ln_scale": True,
        "scale_embedding": True, "activation_function": "swish",
    },
    "normformer-no-final-norm": {"ln_positions": "normformer", "use_glu": False, "use_final_ln_decoder": False},
    "preln": {"ln_positions": "preln", "activation_function": "relu"},
    "preln-ungated": {"ln_positions": "preln", "use_glu": False, "use_bias": True},
    "postln": {"ln_positions": "postln"},
    "postln-ungated-rmsnorm": {"ln_positions": "postln", "use_glu": False, "ln_type": "rmsnorm"},
    "cogview": {"ln_positions": "cogview", "force_ln_scale": True},
    "cogview-ungated": {"ln_positions": "cogview", "use_glu": False, "activation_function": "swish"},
    # Swin v2's additional norm comes after the sixth layer, unless that is the last.
    "swinv2": {"ln_positions": "swinv2", "decoder_layers": 7, "d_model": 8, "decoder_ffn_dim": 8},
    "swinv2-ungated": {"ln_positions": "swinv2", "use_glu": False, "use_head_scale": True},
    "subln": {"ln_positions": "subln"},
    "subln-ungated": {"ln_positions": "subln", "use_glu": False, "ln_type": "rmsnorm", "force_ln_scale": True},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dalle_mini", type=Path, help="path of a checkout of borisdayma/dalle-mini")
    repository = parser.parse_args().dalle_mini
    DalleBart, DalleBartConfig = import_published(repository)
    from dalle_mini.model import modeling

    modeling.FlaxBartDecoder.final_ln = None
    commit = subprocess.check_output(["git", "-C", str(repository), "rev-parse", "HEAD"], text=True).strip()
    generator = np.random.default_rng(11)
    mask = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], np.int32)
    tokens = generator.integers(BASE["image_vocab_size"], size=(2, BASE["image_length"])).astype(np.int32)
    tensors = {"text_mask": mask, "tokens": tokens}
    for seed, (name, options) in enumerate(VARIANTS.items()):
        config = DalleBartConfig(**(BASE | options))
        model = DalleBart(config, seed=0)
        shapes = flatten(model.params)
        rounded = {key: value.astype(np.float16) for key, value in random_params(shapes, seed).items()}
        params = flax.traverse_util.unflatten_dict(
            {key: jnp.asarray(value, jnp.float32) for key, value in rounded.items()}, sep="."
        )
        hidden_states = generator.standard_normal((2, BASE["max_text_length"], config.d_model), dtype=np.float32)
        before = np.concatenate([np.full((2, 1), config.decoder_start_token_id, np.int32), tokens[:, :-1]], axis=1)
        logits = model.decode(before, (jnp.asarray(hidden_states),), mask, params=params).logits
        for key, value in rounded.items():
            if key.startswith("model.decoder.") or key.startswith("lm_head."):
                if key.endswith("head_scale"):
                    value = value.reshape(*value.shape[:-4], value.shape[-2])
                tensors[f"{name}/{key}"] = value
        tensors[f"{name}/hidden_states"] = hidden_states
        tensors[f"{name}/logits"] = np.asarray(logits)
        print(f"{name}: logits {np.asarray(logits).std():.2f}, scan {config.use_scan}")
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, OUTPUT / "options.safetensors")
    description = {
        "base": BASE,
        "variants": VARIANTS,
        "source": {
            "repository": "borisdayma/dalle-mini", "commit": commit, "file": "src/dalle_mini/model/modeling.py",
            "jax": jax.__version__, "flax": flax.__version__,
        },
        "tensors": {
            "tokens, text_mask": "of all variants: [caption, position]",
            "<variant>/hidden_states": "random, in place of a text encoder's: [caption, text length, d_model]",
            "<variant>/logits": "teacher-forced, the last column for the begin token",
        },
    }
    (OUTPUT / "options.json").write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
