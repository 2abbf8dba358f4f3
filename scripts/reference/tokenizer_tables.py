"""Writes the sets of characters that Hugging Face's tokenizers uses, for the tokenizers of text.

    pip install tokenizers==0.23.3
    python scripts/reference/tokenizer_tables.py

The parts of that library use different versions of Unicode: its sets of marks and punctuation are of Unicode 8, its normalization forms of
Unicode 11, and its regular expressions of Unicode 16. This asks the library about every code point, and writes
packages/text-encoder/src/tokenizers/hugging-face/character-tables.ts.

The normalization forms are compared with those of JavaScript: run it with a Node.js that has the latest Unicode (`node -p process.versions.unicode`).
"""

import json
import subprocess
from pathlib import Path

from tokenizers import Regex, normalizers, pre_tokenizers

OUTPUT = Path(__file__).parents[2] / "packages/text-encoder/src/tokenizers/hugging-face/character-tables.ts"
POINTS = [point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]

# Marks of class 1 and 240, the lowest and the highest: a mark between them changes places with one of them.
OVERLAY, IOTA = "\u0334", "\u0345"
PROBES = ["{}", f"a{{}}{OVERLAY}", f"a{IOTA}{{}}"]
FORMS = ["NFC", "NFD", "NFKC", "NFKD"]
JAVASCRIPT = """
const { texts, forms } = JSON.parse(require('node:fs').readFileSync(0));
console.log(JSON.stringify(texts.map((text) => forms.map((form) => text.normalize(form)))));
"""


def removed(normalizer) -> list[int]:
    return [point for point in POINTS if normalizer.normalize_str(chr(point)) == ""]


def separated(pre_tokenizer, neighbour: str) -> list[int]:
    return [point for point in POINTS if len(pre_tokenizer.pre_tokenize_str(neighbour + chr(point) + neighbour)) == 3]


def bert(**options):
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return normalizers.BertNormalizer(**{**off, **options})


def differences(texts: list[str]) -> list[bool]:
    """Returns whether JavaScript normalizes each text differently."""
    given = json.dumps({"texts": texts, "forms": FORMS})
    run = subprocess.run(["node", "-e", JAVASCRIPT], input=given, capture_output=True, check=True, text=True)
    forms = [getattr(normalizers, form)() for form in FORMS]
    return [[form.normalize_str(text) for form in forms] != others for text, others in zip(texts, json.loads(run.stdout))]


def normalized_otherwise() -> list[int]:
    """Returns characters that JavaScript normalizes and the reference, which is older, does not."""
    otherwise = set()
    for probe in PROBES:
        found = differences([probe.replace("{}", chr(point)) for point in POINTS])
        otherwise.update(point for point, differs in zip(POINTS, found) if differs)
    # Characters that JavaScript composes with others.
    node = subprocess.run(["node", "-e", JAVASCRIPT], input=json.dumps({"texts": list(map(chr, sorted(otherwise))), "forms": ["NFD"]}), capture_output=True, check=True, text=True)
    decomposed = [text for [text] in json.loads(node.stdout) if len(text) > 1]
    otherwise.update(ord(text[0]) for text, differs in zip(decomposed, differences(decomposed)) if differs)
    return sorted(otherwise)


TABLES = {
    "removedByBert": ("Characters that `clean_text` removes.", lambda: removed(bert(clean_text=True))),
    "nonspacingMarks": ("Marks that `strip_accents` of BERT removes.", lambda: removed(bert(strip_accents=True))),
    "combiningMarks": ("Marks that `StripAccents` removes.", lambda: removed(normalizers.StripAccents())),
    "punctuation": ("Punctuation.", lambda: separated(pre_tokenizers.Punctuation(), "a")),
    "numeric": ("Numbers.", lambda: separated(pre_tokenizers.Digits(), "a")),
    "unassigned": (
        "Code points without a character in the Unicode of regular expressions.",
        lambda: separated(pre_tokenizers.Split(Regex(r"\p{Cn}"), "isolated"), "a"),
    ),
    "normalizedLater": (
        "Characters that take part in normalization in later versions of Unicode only.",
        normalized_otherwise,
    ),
}


def encode(points: list[int]) -> str:
    """Encodes each range as its distance from the end of the last one, and its length if it is not 1, in base 36."""
    ranges: list[list[int]] = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    words, last = [], 0
    for first, end in ranges:
        words.append(base36(first - last) + (f"+{base36(end - first)}" if end > first else ""))
        last = end
    return " ".join(words)


def base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return (base36(number // 36) if number >= 36 else "") + digits[number % 36]


def main() -> None:
    parts = [
        "/**\n"
        " * Sets of characters, written by scripts/reference/tokenizer_tables.py, which asked Hugging Face's tokenizers 0.23.3 about every\n"
        " * code point. Each range is its distance from the end of the range before it and, after a plus, its length less one, in base 36.\n"
        " */\n"
    ]
    for name, (description, points) in TABLES.items():
        parts.append(f"\n/** {description} */\nexport const {name} =\n  '{encode(points())}';\n")
    OUTPUT.write_text("".join(parts), encoding="utf-8")


main()
