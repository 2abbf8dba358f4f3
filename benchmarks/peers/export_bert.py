"""Writes a BERT of random weights in the files of Hugging Face, and as ONNX, which transformers.js reads.

Needs torch, transformers, onnx and onnxscript. Usage: export_bert.py --config FOLDER --out FOLDER; FOLDER has config.json and tokenizer.json.
"""
import argparse
import json
import shutil
from pathlib import Path

import torch
from transformers import BertConfig, BertModel

parser = argparse.ArgumentParser()
parser.add_argument("--config", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
args = parser.parse_args()

torch.manual_seed(0)
config = BertConfig.from_pretrained(args.config)
config._attn_implementation = "eager"
model = BertModel(config, add_pooling_layer=False).eval()
args.out.mkdir(parents=True, exist_ok=True)
model.save_pretrained(args.out)
shutil.copy(args.config / "tokenizer.json", args.out)
special = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512, **special}
(args.out / "tokenizer_config.json").write_text(json.dumps(tokenizer))


class Hidden(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state


names = ["input_ids", "attention_mask", "token_type_ids"]
example = tuple(torch.ones(2, 16, dtype=torch.int64) for _ in names)
axes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
(args.out / "onnx").mkdir(exist_ok=True)
torch.onnx.export(
    Hidden(), example, args.out / "onnx" / "model.onnx", input_names=names, output_names=["last_hidden_state"],
    dynamic_shapes=(axes, axes, axes), external_data=False, dynamo=True,
)
