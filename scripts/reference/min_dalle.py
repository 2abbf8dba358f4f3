"""Writes packages/testing/fixtures/min-dalle.safetensors: an encoder and a decoder of kuprel/min-dalle of tiny sizes, with norms that all have
scales, and what its code computes.

    python scripts/reference/min_dalle.py MIN_DALLE    needs torch==2.13.0 safetensors==0.8.0, and a checkout of
                                                       https://github.com/kuprel/min-dalle in the folder MIN_DALLE
"""

import importlib.util
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file

# The package imports requests and PIL, which its models do not need.
package = types.ModuleType("models")
package.__path__ = [str(Path(sys.argv[1]) / "min_dalle/models")]
sys.modules["models"] = package


def load(name):
    spec = importlib.util.spec_from_file_location(f"models.{name}", f"{package.__path__[0]}/{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


encoder_module, decoder_module = load("dalle_bart_encoder"), load("dalle_bart_decoder")
torch.manual_seed(0)
torch.set_grad_enabled(False)
image_tokens, text_tokens, sizes = 40, 8, {"layer_count": 2, "embed_count": 16, "glu_embed_count": 24, "device": "cpu"}
# Grids of 4 × 4.
decoder_module.IMAGE_TOKEN_COUNT = 16
encoder = encoder_module.DalleBartEncoder(attention_head_count=2, text_vocab_count=30, text_token_count=text_tokens, **sizes)
decoder = decoder_module.DalleBartDecoder(image_vocab_count=image_tokens, attention_head_count=2, **sizes)
for name, parameter in [*encoder.named_parameters(), *decoder.named_parameters()]:
    parameter.normal_(0, 0.1 if name.endswith("bias") else 0.7)
    if parameter.ndim == 1 and name.endswith("weight"):
        parameter += 0.5

# As in MinDalle.generate_raw_image_stream: the first row is the empty caption, and the begin token is the last image token.
tokens = torch.ones(2, text_tokens, dtype=torch.long)
tokens[0, :2] = torch.tensor([0, 2])
tokens[1, :5] = torch.tensor([0, 7, 9, 4, 2])
hidden_states = encoder(tokens)
mask = tokens.not_equal(1)[:, None, None, :]


def greedy(begin_token):
    state = torch.zeros(sizes["layer_count"], 4, 16, sizes["embed_count"])
    drawn = torch.full((1, 17), begin_token)
    for i in range(16):
        row, state = decoder(mask, hidden_states, state, drawn[:, [i]], torch.tensor([i]))
        row = row[:, -1, :image_tokens]
        drawn[:, i + 1] = (row[0] * (1 - 4) + row[1] * 4).argmax()
    return drawn[0, 1:].int()


greedy_tokens = greedy(image_tokens - 1)
assert len(set(greedy_tokens.tolist())) > 8 and not torch.equal(greedy_tokens, greedy(image_tokens))

save_file(
    {
        **{f"encoder/{name}": value.clone() for name, value in encoder.state_dict().items()},
        **{f"decoder/{name}": value.clone() for name, value in decoder.state_dict().items()},
        "text_tokens": tokens.int(),
        "hidden_states": hidden_states,
        "greedy_tokens": greedy_tokens,
    },
    Path(__file__).parents[2] / "packages/testing/fixtures/min-dalle.safetensors",
)
