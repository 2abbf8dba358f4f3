"""Writes packages/testing/fixtures/min-dalle-e: a release of kakaobrain/minDALL-E of tiny sizes with random weights, and what its code computes.

    pip install torch==2.13.0 numpy einops safetensors==0.8.0 tokenizers==0.23.3 tqdm
    git clone https://github.com/kakaobrain/minDALL-E
    python scripts/reference/min_dalle_e.py minDALL-E

The folder has the layout of the release: config.yaml, stage1_last.ckpt, stage2_last.ckpt (Lightning checkpoints) and the files of the
tokenizer. expected.safetensors has the token ids, hidden states, logits, greedy tokens and images. Weights are rounded to half precision
before the models run in float32, so that the files are small.
"""

import json
import sys
import types
import warnings
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import save_file
from tokenizers import CharBPETokenizer

warnings.filterwarnings("ignore")
OUTPUT = Path(__file__).resolve().parents[2] / "packages/testing/fixtures/min-dalle-e"
(OUTPUT / "tokenizer").mkdir(parents=True, exist_ok=True)

# Its modules import OmegaConf and PyTorch Lightning only for their names.
sys.modules["omegaconf"] = types.ModuleType("omegaconf")
sys.modules["omegaconf"].OmegaConf = object
package = types.ModuleType("dalle")
package.__path__ = [f"{sys.argv[1]}/dalle"]
models = types.ModuleType("dalle.models")
models.__path__ = [f"{sys.argv[1]}/dalle/models"]
utils = types.ModuleType("dalle.utils")
utils.__path__ = [f"{sys.argv[1]}/dalle/utils"]
sys.modules.update({"dalle": package, "dalle.models": models, "dalle.utils": utils})

from dalle.models.stage1.vqgan import VQGAN  # noqa: E402
from dalle.models.stage2.transformer import Transformer1d  # noqa: E402
from dalle.models.tokenizer import build_tokenizer  # noqa: E402
from dalle.utils.sampling import get_positional_encoding, sampling  # noqa: E402

torch.manual_seed(0)
torch.set_grad_enabled(False)

# A tokenizer with merges, that lacks some characters.
trained = CharBPETokenizer(unk_token="[UNK]", lowercase=True)
corpus = ["a red apple on a table", "a green pear and a red apple", "two apples, three pears!", "the reddest table"]
trained.train_from_iterator(corpus, vocab_size=90, special_tokens=["[PAD]", "[UNK]"], show_progress=False)
names = ("bpe-16k-vocab.json", "bpe-16k-merges.txt")
trained.save_model(str(OUTPUT / "tokenizer"), "bpe-16k")

prompts = ["A red APPLE, on a table", "Grüne Äpfel 苹果", "", "three tables and two pears and a green apple on the table!"]
stage1 = {
    "type": "vqgan", "embed_dim": 6, "n_embed": 24,
    "hparams": {
        "double_z": False, "z_channels": 8, "resolution": 8, "in_channels": 3, "out_ch": 3,
        "ch": 32, "ch_mult": [1, 1], "num_res_blocks": 1, "attn_resolutions": [4], "pdrop": 0.0,
    },
}
vocabulary = len(json.loads((OUTPUT / "tokenizer" / names[0]).read_text()))
stage2 = {
    "type": "transformer1d", "vocab_size_txt": vocabulary, "vocab_size_img": 24,
    "hparams": {
        "embed_dim": 16, "n_layers": 2, "n_heads": 2, "n_dense_layers": 2, "ctx_len_img": 16, "ctx_len_txt": 12,
        "embd_pdrop": 0.0, "resid_pdrop": 0.0, "attn_pdrop": 0.0, "mlp_bias": True, "attn_bias": True, "gelu_use_approx": False,
    },
}
config = {"dataset": {"context_length": 12, "image_resolution": 8}, "stage1": stage1, "stage2": stage2}
# JSON is YAML.
(OUTPUT / "config.yaml").write_text(json.dumps(config, indent=2) + "\n")



class Hparams(dict):
    __getattr__ = dict.__getitem__


vqgan = VQGAN(24, 6, Hparams(stage1["hparams"])).eval()
transformer = Transformer1d(vocabulary, 24, Hparams(stage2["hparams"])).eval()
for model in (vqgan, transformer):
    for name, parameter in model.named_parameters():
        is_norm = "norm" in name or ".ln" in name or name.startswith("ln_f")
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        scale = 0.7 if "emb" in name else 0.2 if parameter.dim() == 1 else (2.0 if "head" in name else 1.0) / fan_in**0.5
        value = scale * torch.randn_like(parameter) + (1.0 if is_norm and name.endswith("weight") else 0.0)
        parameter.copy_(value.half().float())
for file, model in (("stage1_last.ckpt", vqgan), ("stage2_last.ckpt", transformer)):
    state = {name: value.half() for name, value in model.state_dict().items()}
    torch.save({"epoch": 1, "global_step": 2, "state_dict": state}, OUTPUT / file)

tokenizer = build_tokenizer(str(OUTPUT / "tokenizer"), context_length=12, lowercase=True, dropout=None)
ids = torch.tensor([tokenizer.encode(prompt).ids for prompt in prompts])
images = torch.randint(24, (len(prompts), 16))
hidden = {}
transformer.ln_f.register_forward_hook(lambda module, inputs, output: hidden.update(value=output))
image_logits, text_logits = transformer(
    images, ids, get_positional_encoding(images), get_positional_encoding(ids)
)
hidden_states = hidden["value"].clone()
greedy = sampling(transformer, ids, top_k=1, is_tqdm=False, use_fp16=False, max_seq_len=16)
assert len(set(greedy.flatten().tolist())) > 8 and len({tuple(row.tolist()) for row in greedy}) > 2
pixels = vqgan.decode_code(greedy.view(-1, 4, 4))
codes = vqgan.get_codes(pixels)
save_file(
    {
        "ids": ids.int(),
        "image_tokens": images.int(),
        "hidden_states": hidden_states,
        "text_logits": text_logits.contiguous(),
        "image_logits": image_logits.contiguous(),
        "greedy_tokens": greedy.int(),
        "pixels": pixels.contiguous(),
        "codes": codes.int(),
    },
    OUTPUT / "expected.safetensors",
    {"prompts": json.dumps(prompts)},
)
