"""Writes the fixtures of the transformer's options by running DALL·E Mini's published flax code on small random weights.

It needs what scripts/reference/decoder.py needs, and runs like it:

    python scripts/reference/options.py dalle-mini

The fixtures are two pairs of a safetensors file and a JSON file: bart-options in packages/text-encoder/test/fixtures, and
options in packages/decoder/test/fixtures. For each variant of the configuration they hold the parameters of the encoder or of the
decoder, named as in flax's tree, joined by slashes, with the variant's name in front; its inputs; and its outputs.
Weights are stored in half precision, to which they were rounded before the model ran in float32.

One thing is fixed on the way, without a change of any number. The published decoder reads its last norm even where it
has none (after `postln`, or without `use_final_ln_decoder`) and would fail: it is given None.

Greedy tokens are those of the published decoder without its cache, given all positions at every step. Its `generate`, which
is compared for some variants, agrees, except with `use_swin_position_embeddings`: there it adds the biases of all positions to
the one that it draws.

Nothing is compiled as a whole: for models this small XLA takes a thousand times longer to compile than to compute.
"""

import argparse
import json
import os
import subprocess
from pathlib import Path

os.environ |= {"JAX_DISABLE_JIT": "1", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}

import flax
import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

from decoder import flatten, import_published, random_params

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS = {
    "encoder": ROOT / "packages/text-encoder/test/fixtures/bart-options",
    "decoder": ROOT / "packages/decoder/test/fixtures/options",
}

BASE = {
    "encoder_vocab_size": 8,
    "max_text_length": 5,
    "image_vocab_size": 10,
    "image_length": 9,
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 20,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 24,
    "gradient_checkpointing": False,
    "dropout": 0.0,
}

# Each position of the norms, with and without gating, and each other option somewhere.
VARIANTS = {
    "released": {},
    "released-per-layer": {"use_scan": False},
    "normformer-rmsnorm": {"ln_positions": "normformer", "ln_type": "rmsnorm"},
    "normformer-everything": {
        "ln_positions": "normformer", "use_bias": True, "use_head_scale": True, "force_ln_scale": True,
        "scale_embedding": True, "activation_function": "swish",
    },
    "normformer-no-final-norm": {
        "ln_positions": "normformer", "use_glu": False, "use_final_ln_encoder": False, "use_final_ln_decoder": False,
    },
    "preln": {"ln_positions": "preln", "activation_function": "relu"},
    "preln-ungated": {"ln_positions": "preln", "use_glu": False, "use_bias": True, "activation_function": "gelu_new"},
    "postln": {"ln_positions": "postln"},
    # Without scan, the norm of the last layer has no scale.
    "postln-per-layer": {"ln_positions": "postln", "use_scan": False, "activation_function": "silu"},
    "postln-ungated-rmsnorm": {"ln_positions": "postln", "use_glu": False, "ln_type": "rmsnorm"},
    "deepnet": {"ln_positions": "deepnet", "use_deepnet_scaling": True, "encoder_layers": 3},
    "deepnet-normformer": {
        "ln_positions": "normformer", "use_deepnet_scaling": True, "use_subln_init": True, "use_glu": False,
        "activation_function": "quick_gelu",
    },
    "cogview": {"ln_positions": "cogview", "force_ln_scale": True},
    "cogview-ungated": {"ln_positions": "cogview", "use_glu": False, "activation_function": "smelu"},
    # Swin v2's additional norm comes after the sixth layer, unless that is the last.
    "swinv2": {"ln_positions": "swinv2", "encoder_layers": 7, "decoder_layers": 7},
    "swinv2-everything": {
        "ln_positions": "swinv2", "use_cosine_attention": True, "tau_init": 0.2, "use_swin_position_embeddings": True,
        "use_absolute_position_embeddings": False,
    },
    "swinv2-ungated": {"ln_positions": "swinv2", "use_glu": False, "use_head_scale": True},
    "subln": {"ln_positions": "subln", "use_subln_init": True, "encoder_layers": 3},
    "subln-ungated": {"ln_positions": "subln", "use_glu": False, "ln_type": "rmsnorm", "force_ln_scale": True},
    "cosine-attention": {"use_cosine_attention": True},
    "relative-positions": {"use_swin_position_embeddings": True, "use_bias": True},
    "no-positions": {"use_absolute_position_embeddings": False},
    "sinkhorn": {"sinkhorn_iters": 3},
    "sinkhorn-cosine": {"sinkhorn_iters": 4, "use_cosine_attention": True, "use_swin_position_embeddings": True},
}

# Captions as DALL·E Mini's tokenizer encodes them: 0 begins, 2 ends, 1 pads.
TEXT = np.array([[0, 5, 7, 2, 1], [0, 2, 1, 1, 1], [0, 4, 3, 6, 2]], np.int32)
MASK = (TEXT != 1).astype(np.int32)

# The smallest gap in logits between the most likely token and the next one that greedy decoding may depend on.
MARGIN = 1e-2


# Options whose greedy tokens are compared with those of the published `generate`.
GENERATED = ["released", "normformer-everything", "cosine-attention"]


def run(model, config, seed):
    """Runs the model with random weights of this seed, rounded to half precision."""
    shapes = flatten(model.params_shape_tree)
    rounded = {key: value.astype(np.float16) for key, value in random_params(shapes, seed).items()}
    params = flax.traverse_util.unflatten_dict(
        {key: jnp.asarray(value, jnp.float32) for key, value in rounded.items()}, sep="."
    )
    captions, length = len(TEXT), config.image_length
    hidden_states = model.encode(TEXT, MASK, params=params).last_hidden_state

    def logits_of(tokens):
        before = np.concatenate([np.full((captions, 1), config.decoder_start_token_id), tokens[:, :-1]], axis=1)
        return model.decode(before, (hidden_states,), MASK, params=params).logits

    greedy = np.zeros((captions, length), np.int32)
    margin = np.inf
    for position in range(length):
        # Without the columns of the begin token and of padding.
        logits = np.asarray(logits_of(greedy))[:, position, : config.decoder_start_token_id]
        greedy[:, position] = logits.argmax(-1)
        ranked = np.sort(logits, axis=-1)
        margin = min(margin, (ranked[:, -1] - ranked[:, -2]).min())
    tokens = np.random.default_rng(seed).integers(config.image_vocab_size, size=greedy.shape).astype(np.int32)
    given_and_result = {
        "hidden_states": np.asarray(hidden_states), "tokens": tokens, "logits": np.asarray(logits_of(tokens)),
        "greedy_tokens": greedy,
    }
    return margin, rounded, params, given_and_result


def initial_gains(DalleBart, DalleBartConfig, options):
    """Returns the factor by which the options change the initial values of each parameter, for the same seed."""
    changed = flatten(DalleBart(DalleBartConfig(**(BASE | options)), seed=0).params)
    plain = {"use_deepnet_scaling": False, "use_subln_init": False}
    usual = flatten(DalleBart(DalleBartConfig(**(BASE | options | plain)), seed=0).params)
    gains = {key: np.abs(changed[key]).sum() / np.abs(usual[key]).sum() for key in usual if key.endswith("kernel")}
    return {key.replace(".", "/"): float(gain) for key, gain in gains.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dalle_mini", type=Path, help="path of a checkout of borisdayma/dalle-mini")
    repository = parser.parse_args().dalle_mini
    DalleBart, DalleBartConfig = import_published(repository)
    from dalle_mini.model import modeling

    modeling.FlaxBartDecoder.final_ln = None
    commit = subprocess.check_output(["git", "-C", str(repository), "rev-parse", "HEAD"], text=True).strip()
    tensors = {"encoder": {"text_tokens": TEXT, "text_mask": MASK}, "decoder": {"text_mask": MASK}}
    gains = {}
    for name, options in VARIANTS.items():
        config = DalleBartConfig(**(BASE | options))
        model = DalleBart(config, _do_init=False)
        for seed in range(20):
            margin, rounded, params, results = run(model, config, seed)
            if margin > MARGIN:
                break
        assert margin > MARGIN, f"{name}: no seed gives greedy tokens by a margin"
        if name in GENERATED:
            generated = model.generate(
                TEXT, attention_mask=MASK, params=params, do_sample=False, min_length=config.min_length
            ).sequences
            assert (np.asarray(generated)[:, 1:] == results["greedy_tokens"]).all(), f"{name}: generate disagrees"
        for key, value in rounded.items():
            stack = "encoder" if key.startswith("model.encoder.") else "decoder"
            tensors[stack][f"{name}/{key.replace('.', '/')}"] = value
        tensors["encoder"][f"{name}/hidden_states"] = results["hidden_states"]
        tensors["decoder"] |= {f"{name}/{key}": value for key, value in results.items()}
        if config.use_deepnet_scaling or config.use_subln_init:
            gains[name] = initial_gains(DalleBart, DalleBartConfig, options)
        print(f"{name}: seed {seed}, margin {margin:.2g}, logits {results['logits'].std():.2f}, scan {config.use_scan}", flush=True)
    descriptions = {
        "encoder": {
            "text_tokens, text_mask": "of all variants: [caption, position], 1 in the mask is a token and 0 padding",
            "<variant>/hidden_states": "output of the encoder: [caption, text length, d_model]",
        },
        "decoder": {
            "text_mask": "of all variants: [caption, position]",
            "<variant>/hidden_states": "output of the variant's encoder: [caption, text length, d_model]",
            "<variant>/tokens": "random image tokens: [caption, image length]",
            "<variant>/logits": "teacher-forced, the last column for the begin token",
            "<variant>/greedy_tokens": "the likeliest image token at each step",
        },
    }
    for stack, output in OUTPUTS.items():
        save_file({key: np.ascontiguousarray(value) for key, value in tensors[stack].items()}, f"{output}.safetensors")
        kept = f"model/{stack}/"
        description = {
            "base": BASE,
            "variants": VARIANTS,
            "initialGains": {
                name: {key: gain for key, gain in of.items() if key.startswith(kept)} for name, of in gains.items()
            },
            "source": {
                "repository": "borisdayma/dalle-mini", "commit": commit, "file": "src/dalle_mini/model/modeling.py",
                "jax": jax.__version__, "flax": flax.__version__,
            },
            "tensors": descriptions[stack] | {"<variant>/model/…": "parameters, as in flax's tree, in half precision"},
        }
        output.with_suffix(".json").write_text(json.dumps(description, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
