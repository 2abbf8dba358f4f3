"""Creates a tiny BERT with random weights and its outputs, for the text encoder's tests.

    pip install torch==2.13.0 transformers safetensors numpy
    python scripts/reference/tiny_bert.py

writes to packages/text-encoder/test/fixtures/tiny-bert: config.json and model.safetensors as Hugging Face saves them, and
outputs.safetensors:

    ids, attentionMask   int32   [3, 12]
    hiddenStates         float32 [3, 12, 32]   the last hidden states
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

FOLDER = Path(__file__).parents[2] / "packages/text-encoder/test/fixtures/tiny-bert"
LENGTHS = [12, 7, 1]

torch.manual_seed(0)
config = BertConfig(
    vocab_size=99,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=16,
    type_vocab_size=2,
    layer_norm_eps=1e-12,
)
model = BertModel(config, add_pooling_layer=False).eval()
with torch.no_grad():
    # Large weights, nonzero biases and norm scales other than 1, so that every term of the model changes the result.
    for name, parameter in model.named_parameters():
        parameter.normal_(mean=1.0 if name.endswith("LayerNorm.weight") else 0.0, std=0.3)
    mask = (torch.arange(12)[None, :] < torch.tensor(LENGTHS)[:, None]).long()
    ids = torch.randint(1, config.vocab_size, mask.shape) * mask
    hidden_states = model(input_ids=ids, attention_mask=mask).last_hidden_state

FOLDER.mkdir(parents=True, exist_ok=True)
model.save_pretrained(FOLDER)
save_file(
    {"ids": ids.int(), "attentionMask": mask.int(), "hiddenStates": hidden_states},
    FOLDER / "outputs.safetensors",
)
