"""Writes the tables by which captions are normalized, for the text encoder package.

    pip install ftfy==6.3.1 emoji==2.16.0
    python scripts/reference/caption_data.py

writes to packages/text-encoder/src:

    emoji-names.ts    the names that emoji.demojize gives, from the package emoji (BSD 3-Clause)
    mojibake.ts       the heuristics and code pages of ftfy (Apache-2.0)
"""

import json
import re
from collections import defaultdict
from pathlib import Path

import emoji
from ftfy import badness, chardata

SRC = Path(__file__).parents[2] / "packages/text-encoder/src"
TONES = {"🏻": "light", "🏼": "medium-light", "🏽": "medium", "🏾": "medium-dark", "🏿": "dark"}


def emoji_lines() -> list[str]:
    """Returns lines `name emoji …`. `~` in a line is each of the five skin tones, and its name."""
    rest = {character: data["en"].strip(":") for character, data in emoji.EMOJI_DATA.items()}
    lines: dict[str, list[str]] = defaultdict(list)
    for character, name in list(rest.items()):
        if character.count("🏻") != 1 or len(character) == 1 or any(tone in character for tone in TONES if tone != "🏻"):
            continue
        pattern, pattern_name = character.replace("🏻", "~"), name.replace("light_skin_tone", "~")
        expanded = {
            pattern.replace("~", tone): pattern_name.replace("~", f"{tone_name}_skin_tone")
            for tone, tone_name in TONES.items()
        }
        if all(rest.get(key) == value for key, value in expanded.items()):
            lines[pattern_name].append(pattern)
            for key in expanded:
                del rest[key]
    for character, name in rest.items():
        lines[name].append(character)
    return sorted(" ".join([name, *sorted(characters)]) for name, characters in lines.items())


def literal(text: str) -> str:
    """Returns a single-quoted JavaScript string with invisible and confusable characters escaped."""
    escaped = re.sub(r"(['\\])", r"\\\1", text)
    return "'" + "".join(c if c.isprintable() and not 0xE000 <= ord(c) <= 0xF8FF else f"\\u{ord(c):04x}" for c in escaped) + "'"


def plain(pattern: str) -> str:
    """Converts a verbose regular expression of Python to one of JavaScript (flag u), without spaces and comments."""
    out, inside = [], False
    tokens = re.findall(r"\\.|#[^\n]*|.", pattern, re.DOTALL)
    for token in tokens:
        if not inside and (token.isspace() or len(token) > 1 and token.startswith("#")):
            continue
        inside = token == "[" or inside and token != "]"
        token = r"[^\n]" if token == "." and not inside else token
        out.append(token)
    text = "".join(out).replace(r"\w", r"[\p{L}\p{N}_]")
    return text.replace(r"\s", r"[\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


def alternatives(pattern: str) -> list[str]:
    """Returns the alternatives at the top level of a pattern."""
    out, depth, inside = [""], 0, False
    for character in pattern:
        inside = character == "[" or inside and character != "]"
        depth += 0 if inside else {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0 and not inside:
            out.append("")
        else:
            out[-1] += character
    return out


names = emoji_lines()
assert not any("`" in line or "\\" in line or "$" in line for line in names)
(SRC / "emoji-names.ts").write_text(
    f"""/*
 * The English names of emoji as the Python package emoji {emoji.__version__} gives them, written by scripts/reference/caption_data.py.
 *
 * Copyright (c) 2014-2026, Taehoon Kim, Kevin Wurster. All rights reserved.
 *
 * Redistribution and use in source and binary forms, with or without modification, are permitted provided that the following
 * conditions are met:
 * 1. Redistributions of source code must retain the above copyright notice, this list of conditions and the following disclaimer.
 * 2. Redistributions in binary form must reproduce the above copyright notice, this list of conditions and the following
 *    disclaimer in the documentation and/or other materials provided with the distribution.
 * 3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse or promote products
 *    derived from this software without specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING,
 * BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT
 * SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
 * DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
 * INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING
 * NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.
 */

/** Lines of a name and its emoji, qualified or not. `~` stands for each of the five skin tones and for its name. */
export const emojiNames = `\\
{chr(10).join(names)}`;
""",
    encoding="utf-8",
)

pages = []
for encoding in chardata.CHARMAP_ENCODINGS:
    upper = bytes(range(128, 256)).decode(encoding)
    assert bytes(range(0x1A)).decode(encoding) == "".join(map(chr, range(0x1A)))
    pages.append(f"  [{literal(encoding)}, {literal(upper)}],")
bad = "\n".join(f"    {literal(part)}," for part in alternatives(plain(badness.BADNESS_RE.pattern)))
detector = literal(plain(chardata.UTF8_DETECTOR_RE.pattern))
ligatures = ", ".join(f"{literal(chr(k))}: {literal(v)}" for k, v in chardata.LIGATURES.items())
(SRC / "mojibake.ts").write_text(
    f"""/*
 * Tables of ftfy 6.3.1 for mojibake, written by scripts/reference/caption_data.py. Copyright 2023 Robyn Speer; licensed under the
 * Apache License, Version 2.0.
 */

/** Sequences of characters that are unlikely in text: signs of a wrong encoding. */
export const badness = new RegExp(
  [
{bad}
  ].join('|'),
  'u',
);

/** Sequences that look like UTF-8 decoded as one of the code pages. */
export const utf8Detector = new RegExp(
  {detector},
  'gu',
);

/** The encodings that UTF-8 is mistaken for, in order of trial, with the characters of bytes 0x80 to 0xff. */
export const codePageTables: readonly (readonly [name: string, upper: string])[] = [
{chr(10).join(pages)}
];

/** Ligatures and digraphs of Latin letters, and the letters that they consist of. */
export const ligatures: Readonly<Record<string, string>> = {{ {ligatures} }};
""",
    encoding="utf-8",
)
