"""Tokenizes awkward texts with Hugging Face's tokenizers, for the tests of the text encoder's tokenizers.

    pip install tokenizers==0.23.3 sentencepiece==0.2.1
    python scripts/reference/text_tokenizers.py [NUMBER_OF_RANDOM_TEXTS FOLDER]

It trains small tokenizers of every model, and combines their parts in many ways. It writes to
packages/text-encoder/test/fixtures/tokenizers:

    texts.json.gz        the texts
    parts.json.gz        vocabularies, merges and charsmaps, which several files have
    tokenizers.json.gz   by name: a tokenizer.json with `{"$ref": name}` in the place of such parts, and the ids of each text, with special
                         tokens and without truncation: numbers in base 36 with spaces between, a line for each text; "?" where the library fails

With two arguments it writes the same for random texts, into another folder, and runs longer.
"""

import base64
import copy
import gzip
import io
import json
import random
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from minilm import CAPTIONS

FIXTURES = Path(__file__).parents[2] / "packages/text-encoder/test/fixtures/tokenizers"

CORPUS = [
    "an armchair in the shape of an avocado", "a red apple on a wooden table", "two cats and a dog in the snow", "the quick brown fox",
    "Ein grüner Vogel sitzt auf dem Dach.", "Le château près de l'église", "El niño está en la montaña", "İstanbul'da güneşli bir gün",
    "Красная машина на улице", "Ένας σκύλος στον κήπο", "一只猫坐在桌子上", "ある日の夕方の空", "한국의 전통 건물", "कमल का फूल", "บ้านหลังเล็ก", "בית קטן ליד הים",
    "قطة صغيرة على السجادة", "1st prize: 10,000 dollars (or 50% off!)", "it's they're we'll I'd don't", "state-of-the-art 3D render, 4K", "ﬁne ﬂower ½ ① ㎏ Ⅷ",
    "#sunset @noon :-) <3", "café naïve façade", "a_b c-d e/f", "HELLO World", "emoji 😀 🍎 ❤️", "x = y + z * 2",
] * 3

SPACES = ["\t", "\n", "\r\n", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0", "\u1680", "\u180e", "\u2003", "\u200b", "\u2028", "\u2029", "\u202f", "\u205f",
          "\u2060", "\u3000", "\ufeff", "\u2581"]
TEXTS = [
    *CAPTIONS, *dict.fromkeys(CORPUS), "", " ", "  ", "   a", "a   ", " a  b ", "▁", "▁▁a", "a▁b", "a▁ ▁b",
    *[f"a{space}b" for space in SPACES], *[f"{space}a{space}{space}b{space}" for space in SPACES], "".join(SPACES),
    # Emoji: joined, with a skin tone, flags, keycaps, cut in half.
    "👩‍🚀", "👨‍👩‍👧‍👦 family", "👍🏽👍🏿", "🇩🇪🇫🇷🇩", "1️⃣ 2⃣ #️⃣", "❤️‍🔥", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "a🏽", "a\u200d", "😀😀 😀a😀", "☃︎ ☃️", "\U0001f9ff\U0001fae8",
    # Combining marks: composed and decomposed, many, at the start, in another order, of several languages.
    "e\u0301", "é", "\u0301a", "a\u0301\u0323", "a\u0323\u0301", "q\u0307\u0323", "Å \u212b A\u030a", "e" + "\u0301" * 20, "ở ở ở", "ñ n\u0303", "ÀÉÎõü", "\u0344 \u0958 \u2adc",
    "한 \u1112\u1161\u11ab \u1112\u1161", "각각", "นี้ กำ ก\u0e33", "कि क्ष ि", "בְּרֵאשִׁית", "لَا إِلَٰهَ", "ﷺ ﻻ", "\u0600a \u06dd1 \u070fa", "\U000110bd1",
    "Σ ΟΔΟΣ ΑΣ. ς", "İ I ı i̇", "ß ẞ ŉ ǰ ΐ և ﬀ ﬃ ﬅ", "Ǆ ǅ ǆ", "K Å Ω", "ſ 'ſ it'S I'Ll WE'Re", "Ⓐⓐ ① ² ³ ¹ ¼ ½ ¾ ⅐ ↉ 六 〇 ٣ ३ Ⅳ ⁴ 𝟘 🄀",
    "．，：（）「」『』、。…‥・", "“quotes” ‘single’ «double» „low“ —dash– ‐‑ ‒", "a\u00adb", "`~!@#$%^&*()-_=+[{]}\\|;:'\",<.>/?", "§¶†‡•‰′″‹›※‽⁂", "€£¥$¢₿ +−×÷=≠ ←→ ©®™ °",
    "ａｂｃ ＡＢＣ １２３ ｱｲｳ ﾞ", "㍿ ㌀ ㋿ ℡ ℻ № ㎡", "𝓗𝓮𝓵𝓵𝓸 𝔘𝔫𝔦 𝕏", "𠀀𪜀𫝀𫠠𬺰丽 豈 㐀䶿 一龥鿿", "𐍈𒀀 𓀀 \U00010d50\U00010d70 \U000105c0", "\U00016d6a \U000105d2\u0307 \u0897a\u0323\u0301", "\ua7f1 \u2e5d \u2e42 \u166d \U000111c9 \u1734 \U0001171e",
    "\U00016ea0\ua7ce \U00011de0 1 \u088f\u0c5c", "\x00", "a\x00b", "\x01\x02\x7f\x80\x9f", "a\x08b", "\ufffd", "\uffff \ufffe \ufdd0", "\U0010ffff \U000f0000 \ue000", "\u0378 \U000e0001", "\ufff9\ufffa\ufffb", "\u061c\u202ea\u202c\u2066b\u2069",
    "x" * 99, "x" * 100, "x" * 101, "x" * 250, "é" * 101, "😀" * 100, "😀" * 101, "ab" * 300, "!" * 300, "1" * 30, "猫" * 120, "a b " * 100, "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "<s>", "</s>", "<s>a</s>", "a<mask>b", "a <mask> b", "a  <mask>  b", "\n<mask>\u00a0<mask>\u3000", "<mask><mask>", "<MASK>", "[CLS] a [SEP]", "[MASK]", "[mask]", "[ MASK ]", "a[MASK]b", "[[MASK]]", "<unk> [UNK] a",
    "word", "a word here", "sword wordy word, word_ word1 (word) éword word̈ word‍", "WORD Word", "caféword café CAFÉ cafe\u0301", "wide  wider widest wi", " narrow \tnarrow\n", "narrownarrow", "two words", "two  words two words", "x<extra>y <extra> <extra_id_0>",
    "can't CAN'T won't. 'tis 'S's", "a's's 'll 'lla", "12345 1,234.5 1st 3D", "a1b22c333d", "foo\n\n\nbar\r\n\r\nbaz", "  \n  x", "x  \n", "a\u3000b\u3000", "https://example.com/a?b=c&d=e#f", "user@example.com", "C++ C# .NET", "{\"a\": [1, 2]}", "a,b;c.d", "...!!!???", "--a--b--", "-", "--", "a-", "-a", "a--b", "A-B-C",
    "__proto__ constructor toString", "<0x41> <0x0A>", "\\n \\t \\\\", "a\\b", "<|endoftext|> <|startoftext|>", "the cat the", "aaa aaaa aaaaa", "abababab", "ﬁﬁ ﬁ", "½½", "¨a ´a ¸ ﱞ", "\u0fb3 \u0f73 \u1fee", "Ｈｅｌｌｏ　Ｗｏｒｌｄ！",
]


def kind(type, **options):
    return {"type": type, **options}


def added(content, id, **options):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **options}


def tokenizer_json(model, added_tokens=(), normalizer=None, pre_tokenizer=None, post_processor=None):
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": list(added_tokens), "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": None, "model": model,
    }


def trained(model, trainer, normalizer=None, pre_tokenizer=None):
    tokenizer = Tokenizer(model)
    if normalizer: tokenizer.normalizer = normalizer
    if pre_tokenizer: tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(CORPUS, trainer)
    return json.loads(tokenizer.to_str())["model"]


def charsmap(**rule):
    """Returns the map that SentencePiece stores in a model for a normalization rule."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=300, hard_vocab_limit=False, minloglevel=2, **rule)
    # A ModelProto: field 3 is the normalizer, whose field 2 is the map.
    fields = dict(protobuf_fields(model.getvalue()))
    return base64.b64encode(dict(protobuf_fields(fields[3]))[2]).decode()


def protobuf_fields(data):
    place = 0

    def varint():
        nonlocal place
        value = shift = 0
        while True:
            byte = data[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128: return value

    while place < len(data):
        key = varint()
        kind = key & 7
        if kind == 0: yield key >> 3, varint()
        elif kind == 5: place += 4
        elif kind == 1: place += 8
        else:
            size = varint()
            yield key >> 3, data[place:place + size]
            place += size


WORDPIECE = trained(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(
    vocab_size=900, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False),
    normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer())
BYTES = trained(models.BPE(), trainers.BpeTrainer(
    vocab_size=700, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    None, pre_tokenizers.ByteLevel(add_prefix_space=False))
CLIP = trained(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>", continuing_subword_prefix=""), trainers.BpeTrainer(
    vocab_size=900, special_tokens=["<|startoftext|>", "<|endoftext|>"], end_of_word_suffix="</w>", continuing_subword_prefix="", show_progress=False,
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), normalizers.Lowercase(), pre_tokenizers.ByteLevel(add_prefix_space=False))
PREFIXED = trained(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), trainers.BpeTrainer(
    vocab_size=600, special_tokens=["<unk>"], continuing_subword_prefix="##", show_progress=False), None, pre_tokenizers.Whitespace())
BYTE_PIECES = [f"<0x{byte:02X}>" for byte in range(256)]
LLAMA = trained(models.BPE(unk_token="<unk>"), trainers.BpeTrainer(
    vocab_size=700, special_tokens=["<unk>", "<s>", "</s>", *BYTE_PIECES], show_progress=False), None, pre_tokenizers.Metaspace())
UNIGRAM = trained(models.Unigram(), trainers.UnigramTrainer(
    vocab_size=500, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], unk_token="<unk>", show_progress=False),
    normalizers.NFKC(), pre_tokenizers.Metaspace())
UNIGRAM["unk_id"] = 3
UNIGRAM_BYTES = {**UNIGRAM, "byte_fallback": True, "vocab": [*UNIGRAM["vocab"], *([piece, -12.5] for piece in BYTE_PIECES)]}
WORDS = trained(models.WordLevel(unk_token="[UNK]"), trainers.WordLevelTrainer(special_tokens=["[UNK]", "[PAD]"], show_progress=False), None, pre_tokenizers.Whitespace())
# Characters, clusters of several, and clusters that begin with others that have a form too.
RULES = {"a": "A", "e\u0301": "é", "e": "E", "o\u0308": "ö", "\r\n": "\n", "क": "k", "1\ufe0f": "one", "x\u200d": "", "猫": "cat", "한": "\u1112\u1161\u11ab",
         "\u0301": "", "\u06dd1": "<1>", "😀": ":-)", "Σ": "σ", "b": "bb", "\u200b": ""}
with NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as rules:
    points = lambda text: " ".join(f"{ord(character):X}" for character in text)
    rules.writelines(f"{points(source)}\t{points(target)}\n" for source, target in RULES.items())
    rules.flush()
    CHARSMAPS = {
        name: kind("Precompiled", precompiled_charsmap=charsmap(**rule))
        for name, rule in {"nmt_nfkc": {"normalization_rule_name": "nmt_nfkc"}, "rules": {"normalization_rule_tsv": rules.name}}.items()}


def sequence(*parts):
    return {"type": "Sequence", "normalizers": list(parts)}


def sequence_of_splits(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def metaspace(scheme="always", split=True, replacement="▁"):
    return kind("Metaspace", replacement=replacement, prepend_scheme=scheme, split=split)


def split(regex=None, behavior="Isolated", invert=False, text=None):
    return kind("Split", pattern={"Regex": regex} if text is None else {"String": text}, behavior=behavior, invert=invert)


def bert_normalizer(clean=True, ideographs=True, accents=None, lower=True):
    return kind("BertNormalizer", clean_text=clean, handle_chinese_chars=ideographs, strip_accents=accents, lowercase=lower)


def byte_level(prefix=False, regex=True):
    return kind("ByteLevel", add_prefix_space=prefix, trim_offsets=True, use_regex=regex)


BERT = kind("BertPreTokenizer")
BERT_TOKENS = [added(token, WORDPIECE["vocab"][token]) for token in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]]
BERT_ENDS = kind("TemplateProcessing", special_tokens={
    token: {"id": token, "ids": [WORDPIECE["vocab"][token]], "tokens": [token]} for token in ["[CLS]", "[SEP]"]},
    single=[{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
    pair=[{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}])
ROBERTA = kind("RobertaProcessing", sep=["</s>", 2], cls=["<s>", 0], trim_offsets=True, add_prefix_space=False)
ROBERTA_TOKENS = [added(token, id, lstrip=token == "<mask>") for id, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])]
XLMR_ENDS = kind("TemplateProcessing", special_tokens={"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}},
    single=[{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
    pair=[{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}])
T5_ENDS = {**XLMR_ENDS, "single": XLMR_ENDS["single"][1:]}
GPT4 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
GPT4O = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def all_tokenizers():
    bert = lambda **parts: tokenizer_json(WORDPIECE, BERT_TOKENS, **{"normalizer": bert_normalizer(), "pre_tokenizer": BERT, "post_processor": BERT_ENDS, **parts})
    bytes_ = lambda pre_tokenizer, normalizer=None, tokens=ROBERTA_TOKENS, **options: tokenizer_json({**BYTES, **options}, tokens, normalizer, pre_tokenizer, ROBERTA)
    unigram = lambda normalizer, pre_tokenizer, tokens=ROBERTA_TOKENS, model=UNIGRAM, ends=XLMR_ENDS: tokenizer_json(model, tokens, normalizer, pre_tokenizer, ends)
    words = lambda pre_tokenizer, normalizer=None: tokenizer_json(WORDS, [added("[UNK]", 0)], normalizer, pre_tokenizer)

    # Models as they are published.
    yield "BERT", bert()
    yield "BERT, cased", bert(normalizer=bert_normalizer(lower=False))
    yield "BERT, accents kept", bert(normalizer=bert_normalizer(accents=False))
    yield "BERT, accents stripped only", bert(normalizer=bert_normalizer(clean=False, ideographs=False, accents=True, lower=False))
    yield "BERT with BertProcessing", bert(post_processor=kind("BertProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2]))
    yield "BERT with short words", {**bert(), "model": {**WORDPIECE, "max_input_chars_per_word": 6}}
    yield "MPNet", bert(post_processor=kind("RobertaProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2], trim_offsets=True, add_prefix_space=False))
    yield "RoBERTa", bytes_(byte_level())
    yield "RoBERTa with a prefix space", bytes_(byte_level(prefix=True))
    yield "GPT-4's words", bytes_(sequence_of_splits(split(GPT4), byte_level(regex=False)), normalizer=kind("NFC"), ignore_merges=True)
    yield "GPT-4o's words", bytes_(sequence_of_splits(split(GPT4O, "Removed", invert=True), byte_level(regex=False)))
    yield "CLIP", tokenizer_json(CLIP, [added("<|startoftext|>", 0), added("<|endoftext|>", 1, normalized=True)], sequence(
        kind("NFC"), kind("Replace", pattern={"Regex": r"\s+"}, content=" "), kind("Lowercase")),
        sequence_of_splits(split(CLIP_WORDS, "Removed", invert=True), byte_level()), kind("RobertaProcessing", sep=["<|endoftext|>", 1], cls=["<|startoftext|>", 0], trim_offsets=False, add_prefix_space=False))
    yield "XLM-R", unigram(CHARSMAPS["nmt_nfkc"], sequence_of_splits(kind("WhitespaceSplit"), metaspace()))
    yield "XLM-R, of today", unigram(sequence(CHARSMAPS["nmt_nfkc"], kind("Strip", strip_left=False, strip_right=True), kind("Replace", pattern={"Regex": " {2,}"}, content="▁")), metaspace())
    yield "T5", unigram(CHARSMAPS["nmt_nfkc"], metaspace(), [*ROBERTA_TOKENS, added("<extra_id_0>", len(UNIGRAM["vocab"]))], ends=T5_ENDS)
    yield "T5, not legacy", unigram(sequence(CHARSMAPS["nmt_nfkc"], kind("Strip", strip_left=False, strip_right=True), kind("Replace", pattern={"Regex": " {2,}"}, content="▁")), metaspace("first"), ends=T5_ENDS)
    yield "ALBERT", unigram(sequence(kind("Replace", pattern={"String": "``"}, content='"'), kind("Replace", pattern={"String": "''"}, content='"'), kind("NFKD"), kind("StripAccents"), kind("Lowercase"), CHARSMAPS["rules"]),
        sequence_of_splits(kind("WhitespaceSplit"), kind("Metaspace", replacement="▁", str_rep="▁", add_prefix_space=True)))
    yield "Unigram with bytes", unigram(CHARSMAPS["nmt_nfkc"], metaspace(), model=UNIGRAM_BYTES)
    yield "Llama 2", tokenizer_json({**LLAMA, "fuse_unk": True, "byte_fallback": True}, [added(token, id) for id, token in enumerate(["<unk>", "<s>", "</s>"])], sequence(kind("Prepend", prepend="▁"), kind("Replace", pattern={"String": " "}, content="▁")))
    yield "Llama 2, not legacy", tokenizer_json({**LLAMA, "fuse_unk": True, "byte_fallback": True}, [added(token, id, normalized=id == 1) for id, token in enumerate(["<unk>", "<s>", "</s>"])], None, metaspace("first", split=False))
    yield "Gemma", tokenizer_json({**LLAMA, "fuse_unk": True, "byte_fallback": True}, [added("<unk>", 0)], kind("Replace", pattern={"String": " "}, content="▁"), split(text=" ", behavior="MergedWithPrevious"))

    # Models with other options.
    some_bytes = {**LLAMA, "vocab": {token: id for id, token in enumerate(token for token in LLAMA["vocab"] if token not in BYTE_PIECES[128:200])}}
    for fuse in [False, True]:
        yield f"BPE with unknown characters, fuse_unk {fuse}", tokenizer_json({**PREFIXED, "fuse_unk": fuse}, [], None, kind("Whitespace"))
        yield f"BPE with some bytes, fuse_unk {fuse}", tokenizer_json({**some_bytes, "fuse_unk": fuse, "byte_fallback": True}, [], None, metaspace("never"))
    yield "BPE that drops unknown characters", tokenizer_json({**PREFIXED, "unk_token": None}, [], None, kind("Whitespace"))
    yield "BPE with old merges", tokenizer_json({**PREFIXED, "dropout": 0.0, "merges": [" ".join(merge) for merge in PREFIXED["merges"]]}, [], None, kind("WhitespaceSplit"))
    yield "BPE of whole texts", tokenizer_json(PREFIXED)
    yield "Unigram of whole texts", tokenizer_json(UNIGRAM)
    yield "WordLevel", words(kind("Whitespace"))
    yield "WordLevel of whole texts", tokenizer_json(WORDS)

    # Every normalizer, before byte-level BPE, whose ids show each character.
    plain = byte_level(regex=False)
    for name in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"]:
        yield f"normalizer {name}", bytes_(plain, kind(name))
    for left in [False, True]:
        for right in [False, True]:
            yield f"normalizer Strip, left {left}, right {right}", bytes_(plain, kind("Strip", strip_left=left, strip_right=right))
    for name, map_ in CHARSMAPS.items():
        yield f"normalizer Precompiled {name}", bytes_(plain, map_)
    yield "normalizer ByteLevel", bytes_(None, kind("ByteLevel"))
    yield "normalizer Prepend", bytes_(plain, kind("Prepend", prepend="pre "))
    for pattern, content in [({"String": "a"}, "$&"), ({"String": "."}, ""), ({"Regex": r"[aeiou]+"}, "<>"), ({"Regex": r"\p{P}|\p{S}"}, ""), ({"Regex": r"(?<=a)b|^ +| +$"}, "_"), ({"Regex": r"\s|\d"}, "·")]:
        yield f"normalizer Replace {json.dumps(pattern)}", bytes_(plain, kind("Replace", pattern=pattern, content=content))
    yield "normalizers of BERT, clean_text", bytes_(plain, bert_normalizer(ideographs=False, accents=False, lower=False))
    yield "normalizers in a sequence", bytes_(plain, sequence(kind("NFD"), kind("StripAccents"), sequence(kind("Lowercase"), kind("NFC")), kind("Strip", strip_left=True, strip_right=True), kind("Prepend", prepend=" ")))

    # Every pre-tokenizer: the longer the words, the fewer the tokens.
    for name in ["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Punctuation"]:
        yield f"pre-tokenizer {name}", words(kind(name))
        yield f"pre-tokenizer {name}, before bytes", bytes_(sequence_of_splits(kind(name), plain))
    behaviors = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
    for behavior in behaviors:
        yield f"pre-tokenizer Punctuation, {behavior}", bytes_(sequence_of_splits(kind("Punctuation", behavior=behavior), plain))
        for invert in [False, True]:
            yield f"pre-tokenizer Split, {behavior}, invert {invert}", bytes_(sequence_of_splits(split(r"[aeiou\s]", behavior, invert), plain))
        yield f"pre-tokenizer Split at a text, {behavior}", bytes_(sequence_of_splits(split(text="a", behavior=behavior), plain))
        yield f"pre-tokenizer Split at nothing, {behavior}", bytes_(sequence_of_splits(split(r"b*", behavior), plain))
    for individual in [False, True]:
        yield f"pre-tokenizer Digits, {individual}", bytes_(sequence_of_splits(kind("Digits", individual_digits=individual), plain))
    for regex in [r"\p{Lu}\p{Ll}*", r"[^\r\n\p{L}\p{N}]?+\p{L}++", r"\p{Han}+|\p{Hiragana}+|\p{Katakana}+", r"[一-龥぀-ゟ゠-ヿ]+", r"(?=[A-Z])|(?<=\d)(?=\D)", r"(a|b)\1", r"[[a-z]&&[^aeiou]]+", r"^a|z$|.b", r"(?>a+)b|\x{1F600}|\S{3}"]:
        yield f"pre-tokenizer Split, {regex}", bytes_(sequence_of_splits(split(regex), plain))
    for scheme in ["always", "first", "never"]:
        for whole in [False, True]:
            yield f"pre-tokenizer Metaspace, {scheme}, split {not whole}", unigram(None, metaspace(scheme, not whole))
    yield "pre-tokenizer Metaspace after others", unigram(None, sequence_of_splits(kind("Punctuation"), kind("Digits", individual_digits=True), metaspace("first")))
    yield "pre-tokenizer Metaspace with an old add_prefix_space", unigram(None, kind("Metaspace", replacement="▁", add_prefix_space=False, prepend_scheme="never"))
    yield "pre-tokenizer Metaspace, another replacement", bytes_(sequence_of_splits(metaspace(replacement="_"), plain))
    yield "pre-tokenizer CharDelimiterSplit", words(kind("CharDelimiterSplit", delimiter="a"))
    yield "pre-tokenizer FixedLength", bytes_(sequence_of_splits(kind("FixedLength", length=3), plain))
    yield "pre-tokenizer ByteLevel twice", bytes_(sequence_of_splits(kind("WhitespaceSplit"), byte_level(prefix=True), kind("Digits", individual_digits=False)))
    for name, normalizer in {"Lowercase": kind("Lowercase"), "NFKC": kind("NFKC"), "a charsmap": CHARSMAPS["nmt_nfkc"], "Replace": kind("Replace", pattern={"Regex": "ab?"}, content="o"), "Nmt": kind("Nmt"), "Strip": kind("Strip", strip_left=True, strip_right=False)}.items():
        yield f"pre-tokenizer Metaspace, first, after {name}", unigram(normalizer, metaspace("first"))

    # Added tokens.
    size = len(BYTES["vocab"])
    for normalized in [False, True]:
        options = {"normalized": normalized, "special": False}
        tokens = [added("word", size, single_word=True, **options), added("wide", size + 1, lstrip=True, **options), added("narrow", size + 2, rstrip=True, **options), added("narrower", size + 3, lstrip=True, rstrip=True, **options),
                  added("two words", size + 4, **options), added("café", size + 5, **options), added("<mask>", 4, lstrip=True, rstrip=True, **options), added("wider", size + 6, **options), added("a.b*", size + 7, **options), added("😀", size + 8, single_word=True, **options)]
        yield f"added tokens, normalized {normalized}", bytes_(byte_level(), sequence(kind("NFD"), kind("Lowercase")), tokens)
        yield f"added tokens without a normalizer, normalized {normalized}", bytes_(byte_level(prefix=True), None, tokens)
        yield f"added tokens after a prepended space, normalized {normalized}", bytes_(byte_level(), kind("Prepend", prepend=" "), tokens)
    yield "added tokens of both kinds", bytes_(byte_level(), kind("Lowercase"), [added("WORD", size), added("Word", size + 1, normalized=True), *ROBERTA_TOKENS])
    yield "added tokens and Metaspace", unigram(CHARSMAPS["nmt_nfkc"], metaspace("first"), [*ROBERTA_TOKENS[:4], added("<mask>", 4, normalized=True, lstrip=True)])

    # Post-processors.
    yield "post-processors in a sequence", {**bert(), "post_processor": {"type": "Sequence", "processors": [kind("ByteLevel", add_prefix_space=True, trim_offsets=False, use_regex=True), BERT_ENDS]}}
    many = {"id": "many", "ids": [2, 4, 4], "tokens": ["[CLS]", "[MASK]", "[MASK]"]}
    yield "a template with a special token of three", bert(post_processor={**BERT_ENDS, "special_tokens": {"many": many}, "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "many", "type_id": 0}}]})


def base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return (base36(number // 36) if number >= 36 else "") + digits[number % 36]


def random_texts(count: int) -> list[str]:
    source = random.Random(7)
    characters = [character for text in TEXTS for character in text]
    pieces = [*TEXTS, *(word for text in TEXTS for word in text.split(" "))]

    def character():
        chance = source.random()
        if chance < 0.7: return source.choice(characters)
        if chance < 0.85: return chr(source.randrange(0x3000))
        point = source.randrange(0x110000 if chance > 0.95 else 0x20000)
        return chr(point) if not 0xD800 <= point < 0xE000 else "a"

    def text():
        parts = []
        for _ in range(source.randrange(1, 9)):
            parts.append(source.choice(pieces)[:60] if source.random() < 0.4 else "".join(character() for _ in range(source.randrange(1, 7))))
        return source.choice(["", " "]).join(parts)

    return [text() for _ in range(count)]


def write(path: Path, value) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def encode(tokenizer: Tokenizer, text: str) -> str:
    try:
        return " ".join(map(base36, tokenizer.encode(text).ids))
    except BaseException as error:
        # The library fails for some texts from which a charsmap removes characters.
        if type(error).__name__ != "PanicException": raise
        return "?"


def main() -> None:
    count, folder = (int(sys.argv[1]), Path(sys.argv[2])) if len(sys.argv) > 1 else (0, FIXTURES)
    texts = list(dict.fromkeys(random_texts(count) if count else TEXTS))
    parts: dict[str, str] = {}
    rows = {}
    for name, file in all_tokenizers():
        assert name not in rows, name
        tokenizer = Tokenizer.from_str(json.dumps(file))
        ids = "\n".join(encode(tokenizer, text) for text in texts)
        if "?" in ids: print(name, ids.count("?"), "texts fail")
        file = copy.deepcopy(file)
        # Vocabularies and charsmaps are written once.
        shared = {"vocab": file["model"]["vocab"]}
        if "merges" in file["model"]: shared["merges"] = file["model"]["merges"]
        for key, value in shared.items():
            file["model"][key] = {"$ref": parts.setdefault(json.dumps(value), f"part{len(parts)}")}
        for normalizer in [file["normalizer"], *((file["normalizer"] or {}).get("normalizers", []))]:
            if normalizer and "precompiled_charsmap" in normalizer:
                value = normalizer["precompiled_charsmap"]
                normalizer["precompiled_charsmap"] = {"$ref": parts.setdefault(json.dumps(value), f"part{len(parts)}")}
        rows[name] = {"file": file, "ids": ids}
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "texts.json.gz", texts)
    write(folder / "parts.json.gz", {name: json.loads(value) for value, name in parts.items()})
    write(folder / "tokenizers.json.gz", rows)
    print(len(rows), "tokenizers,", len(texts), "texts")


main()
