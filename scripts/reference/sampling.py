"""Writes the fixture of sampling: the distributions from which the published code samples image tokens, after all its options.

It needs what scripts/reference/decoder.py needs, and besides

    pip install torch==2.13.0
    git clone https://github.com/kuprel/min-dalle
    python scripts/reference/sampling.py dalle-mini min-dalle

The fixture is a safetensors file and a JSON file in packages/decoder/test/fixtures, of logits of a small vocabulary, some rows of
them for each thing that could go wrong. DALL·E Mini's own `generate` gets them in place of a decoder's, guides and warps them
(super conditioning, and transformers' flax warpers for temperature, top-k and top-p), and what it would draw from is written. It
computes in float64, and must keep the same tokens in float32: no token of the fixture is kept or cut off by rounding.

Transformers' torch warpers, and for topP = 1 min-dalle's own `sample_tokens`, must give the same, but for rows in which many
tokens are equally likely: there they keep other tokens at the edge, and it is printed where.
"""

import argparse
import importlib
import itertools
import json
import subprocess
import sys
import types
from pathlib import Path
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers
from jax.experimental import enable_x64
from safetensors.numpy import save_file
from transformers.generation.logits_process import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.modeling_flax_outputs import FlaxSeq2SeqLMOutput

from decoder import import_published

OUTPUT = Path(__file__).resolve().parents[2] / "packages/decoder/test/fixtures"
VOCABULARY = 48
OFF = {"guidanceScale": 1.0, "temperature": 1.0, "topK": VOCABULARY, "topP": 1.0}
VALUES = {
    "guidanceScale": [0.0, 1.0, 3.0, 10.0, 16.0],
    "temperature": [0.3, 1.0, 2.0],
    "topK": [1, 5, VOCABULARY],
    "topP": [0.1, 0.5, 0.9, 1.0],
}
TIED = {"ties", "equal"}


def make_settings():
    """Returns each option alone, and every seventh of all combinations, which include each pair of values of two options."""
    alone = [OFF | {option: value} for option, values in VALUES.items() for value in values if value != OFF[option]]
    combined = [dict(zip(VALUES, values)) for values in itertools.product(*VALUES.values())][::7]
    return [OFF, *alone, *(setting for setting in combined if setting not in alone)]


def make_logits():
    """Returns conditional and unconditional logits by row, float32 [vocabulary]. Guidance computes equal and large ones exactly."""
    random = np.random.default_rng(0)

    def normal(scale):
        return random.normal(scale=scale, size=VOCABULARY)

    rows = {}
    unconditional = normal(3)
    rows["random"] = unconditional + normal(1), unconditional
    unconditional = normal(0.2)
    rows["flat"] = unconditional + normal(0.02), unconditional
    tied = normal(2).round()
    rows["ties"] = tied, tied / 2
    equal = np.where(np.arange(VOCABULARY) % 4 == 3, 2.0, -1e9)
    rows["equal"] = equal, equal
    unconditional = normal(2)
    rows["dominating"] = unconditional + normal(1) + 25 * (np.arange(VOCABULARY) == 30), unconditional
    impossible = np.arange(VOCABULARY) % 3 == 1
    unconditional = np.where(impossible, -1e9, normal(2))
    conditional = np.where(impossible, -1e9, unconditional + normal(1))
    conditional[::10] = -1e30
    rows["impossible"] = conditional, unconditional
    extreme = np.concatenate([[1000, 999.5, 999.25, 998], np.linspace(990, -30000, VOCABULARY - 4).round()])
    conditional = random.permutation(extreme)
    rows["extreme"] = conditional, conditional - random.permutation(VOCABULARY) / 64
    return {name: (c.astype(np.float32), u.astype(np.float32)) for name, (c, u) in rows.items()}


def published_sampler(dalle_mini):
    """Returns `conditional, unconditional, setting -> log-probabilities`, all [rows, vocabulary], from DALL·E Mini's `generate`."""
    DalleBart, DalleBartConfig = import_published(dalle_mini)

    class GivenLogits(DalleBart):
        """A model that takes the logits of its only token as a caption."""

        def __init__(self):
            self._config = DalleBartConfig(image_vocab_size=VOCABULARY, image_length=1)

        def _prepare_encoder_decoder_kwargs_for_generation(self, caption, params, model_kwargs):
            return {"logits": caption[:, None]}

        def prepare_inputs_for_generation(self, input_ids, max_length, **model_kwargs):
            return model_kwargs

        def decode(self, tokens, logits, params):
            return FlaxSeq2SeqLMOutput(logits=logits)

        def update_inputs_for_generation(self, outputs, model_kwargs):
            return model_kwargs

    def sample(conditional, unconditional, setting):
        with enable_x64(conditional.dtype == np.float64):
            drawn = jnp.zeros(len(conditional), jnp.int32)
            with mock.patch.object(jax.random, "categorical", return_value=drawn) as draw:
                GivenLogits().generate(
                    jnp.asarray(conditional), input_ids_uncond=jnp.asarray(unconditional), trace=False,
                    condition_scale=setting["guidanceScale"], temperature=setting["temperature"],
                    top_k=setting["topK"], top_p=setting["topP"],
                )
            draw.assert_called_once()
            warped = draw.call_args.args[1]
            assert warped.dtype == conditional.dtype
            return np.asarray(jax.nn.log_softmax(warped))

    return sample


def torch_probabilities(conditional, unconditional, setting):
    """Returns the same in PyTorch, with the logits processors of transformers."""
    warpers = LogitsProcessorList([TemperatureLogitsWarper(setting["temperature"]), TopKLogitsWarper(setting["topK"])])
    if setting["topP"] < 1:
        warpers.append(TopPLogitsWarper(setting["topP"]))
    guided = unconditional + setting["guidanceScale"] * (conditional - unconditional)
    return warpers(None, torch.from_numpy(guided)).softmax(-1).numpy()


def min_dalle_sampler(min_dalle):
    """Returns `conditional, unconditional, setting -> probabilities` from min-dalle's decoder, which has no top-p."""
    # Imported without the __init__ of its packages, which loads the tokenizer and the image models.
    for name, folder in {"min_dalle": "min_dalle", "min_dalle.models": "min_dalle/models"}.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(min_dalle / folder)]
    DalleBartDecoder = importlib.import_module("min_dalle.models.dalle_bart_decoder").DalleBartDecoder

    def sample(conditional, unconditional, setting):
        logits = torch.from_numpy(np.concatenate([unconditional, conditional]))[:, None]
        given_logits = types.SimpleNamespace(forward=lambda: (logits, None))
        settings = torch.tensor([setting["temperature"], setting["topK"], setting["guidanceScale"]], dtype=logits.dtype)
        with mock.patch.object(torch, "multinomial") as draw:
            DalleBartDecoder.sample_tokens(given_logits, settings)
        weights = draw.call_args.args[0]
        return (weights / weights.sum(-1, keepdim=True)).numpy()

    return sample


def commit_of(repository):
    return subprocess.check_output(["git", "-C", str(repository), "rev-parse", "HEAD"], text=True).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dalle_mini", type=Path, help="path of a checkout of borisdayma/dalle-mini")
    parser.add_argument("min_dalle", type=Path, help="path of a checkout of kuprel/min-dalle")
    arguments = parser.parse_args()
    published = published_sampler(arguments.dalle_mini)
    min_dalle_probabilities = min_dalle_sampler(arguments.min_dalle)

    settings, logits = make_settings(), make_logits()
    rows = list(logits)
    conditional, unconditional = (np.stack(kind) for kind in zip(*logits.values()))
    exact = conditional.astype(np.float64), unconditional.astype(np.float64)

    log_probabilities = []
    for setting in settings:
        expected = published(*exact, setting)
        log_probabilities.append(expected.astype(np.float32))
        rounded = published(conditional, unconditional, setting)
        assert (np.isfinite(rounded) == np.isfinite(expected)).all(), f"rounding decides what is kept: {setting}"
        others = {"transformers' torch warpers": torch_probabilities}
        if setting["topP"] == 1:
            others["min-dalle"] = min_dalle_probabilities
        for name, probabilities in others.items():
            close = np.isclose(probabilities(*exact, setting), np.exp(expected), rtol=1e-9, atol=1e-12).all(-1)
            differing = {row for row, same in zip(rows, close) if not same}
            assert differing <= TIED, (name, setting, differing)
            if differing:
                print(f"{name}: other tokens in {' and '.join(sorted(differing))} at {setting}")

    tensors = {"conditional": conditional, "unconditional": unconditional, "log_probabilities": np.stack(log_probabilities)}
    save_file(tensors, OUTPUT / "sampling.safetensors")
    description = {
        "source": {
            "repository": "borisdayma/dalle-mini", "commit": commit_of(arguments.dalle_mini),
            "file": "src/dalle_mini/model/modeling.py", "jax": jax.__version__, "transformers": transformers.__version__,
        },
        "tensors": {
            "conditional, unconditional": "logits: [row, token]",
            "log_probabilities": "what is drawn from, -Infinity where a token was cut off: [setting, row, token]",
        },
        "rows": rows,
        "settings": settings,
    }
    (OUTPUT / "sampling.json").write_text(json.dumps(description, indent=2) + "\n")
    print(f"{len(settings)} settings of {len(rows)} rows")


if __name__ == "__main__":
    main()
