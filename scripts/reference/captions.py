"""Normalizes and tokenizes awkward captions with the published code, for the text encoder's tests.

    pip install transformers==4.25.1 ftfy==6.3.1 emoji==2.16.0 unidecode==1.4.0
    git clone https://github.com/borisdayma/dalle-mini
    git clone https://github.com/kuprel/min-dalle
    python scripts/reference/captions.py dalle-mini min-dalle

writes to packages/text-encoder/test/fixtures/captions:

    words-frequency.txt      made-up counts of common words, in the form of enwiki-words-frequency.txt
    captions.json            captions; what ftfy, emoji and the TextNormalizer make of them, and the random numbers that it drew
    bpe/                     vocab.json, merges.txt and tokenizer.json: byte-level BPE, trained on the captions
    uncased/, cased/         vocab.txt: BERT's WordPiece, trained on them too
    tokens.json              token ids of all captions, of 64 tokens at most and without padding:
                             bpe, uncased, cased (BartTokenizerFast, BertTokenizerFast),
                             processor (TextNormalizer and BartTokenizerFast, as DalleBartProcessor), minDalle
"""

import argparse
import importlib.util
import json
import random
from pathlib import Path
from unittest import mock

import emoji
import ftfy
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
from transformers import BartTokenizerFast, BertTokenizerFast

FIXTURES = Path(__file__).parents[2] / "packages/text-encoder/test/fixtures/captions"
MAX_LENGTH = 64

WORDS = """the of and in to a was is for as on with by he that at from his it an were are which this also be had has first one
their its not after new who they two her she or been other when time during there into school may years more world up over
can only most city would state where about some then between later made no so out all before used him people part war under
known through them since being both three many against until film if national team these university such while than year game
life day south north year second home well music group government park high house river street place work art cat dog red
blue green yellow black white photo picture image drawing paint painting sketch love beautiful sunset sun set set sea beach
mountain forest tree flower flowers animal animals bird birds fish food pizza cake coffee tea water fire earth sky cloud star
stars moon night light dark old young man woman men women boy girl child children baby family friend friends king queen big
small little long short round square armchair chair table avocado car cars train plane bike road bridge tower castle church
throw back thursday instagood of the photography nature travel fashion style summer winter spring autumn happy new york london
paris black lives matter mini dall e machine learning deep ai art ist artist dont can't it's i'm 's t s i u x 1 2 3 10 100 2020
2021 19 covid eat sleep repeat go going ing ed er est ly un re pre dis able ness ful less super cali fragil istic expiali
docious no filter follow me like for likes pic pics tbt cute selfie best day ever wedding party birthday christmas halloween""".split()

PLAIN = """
|a|a cat|avocado armchair|An armchair in the shape of an avocado.|the Eiffel tower landing on the moon
SHOUTING RED DRAGON|   spaced    out   |clock showing 10:30; half-past ten|a well-known state-of-the-art co-operation
painting of a fox, oil on canvas, 1889|a , b ,, c ,,, d|,leading and trailing,|,|,,|.|...|!?!?|-|--|- a -|(a) [b] {c} <d>|""|''|'|"|`
isn't it a dog's life? they're, we've, I'd, I'm, you'll|rock 'n' roll|the '90s and the boys' room|'quoted' "double" `code`
"a "nested 'quote' here" now"|it''s|'s 't 'd 'm 'll 're 've 'x|o'clock O'Neil d'Artagnan|5'10" tall|"'"'"|he said "hi".
1,234,567.89 $100 50% #1 @home a&b x^2 ~ {braces}|1,000,000|12,34,567|1,2345|3.14159|v1.2.3|a.b.c|U.S.A.|e.g. this, i.e. that|0.5.
12/25/2020|1/2 cup|24/7|and/or|km/h|1 / 2|2020-12-25|10-20 people|-5 degrees|+44 20 7946 0958|100%|50 % off|$5.99|A&W R&B AT&T|a*b*c
10:30 am|f/1.8, 35mm, ISO100|1st 2nd 3rd|VIII XIIII MMMM|aaa aaaa aaaaaaaa|sooooo cuteeee|!!!!!!!|......|11111111|haha hahahaha|1111.2222
a____b|snake_case_name|back\\slash \\n|tab	separated	text|a|b|c|a/b|//|C++ and C#|x = y + z|~tilde~|50/50|7/8/9|1/2/3/4|a-b-c|a--b|a -b- c
http://example.com|see https://example.com/a?b=c&d=1#frag for more|httpbin|HTTP://UPPER.COM/X caption|www.example.com/page|me@example.com
[1] a castle in France|a castle in France [12]|  [3]  both [4]  |[1][2] two|mid [5] dle|[a] not a number|[ 1 ]
<person>|<PERSON> and <person>|<person>, <person>, and <person> at a party|<person> walking with a dog|a photo of <person>and<person>
<person> <person>|< person >|<person>,,<person>,and,<person>|<person> or <person>|actor <person> and actress <person>, <person>'s wife
<b>bold</b> text|<a href="https://example.com/a?b=c&d=1">link</a> <br/>|a < b > c|<unclosed tag|1 < 2|<>|< >|<!-- comment --> x|<<a>>|x<y<z>
&amp; &lt;b&gt; &quot;q&quot; &#39;s&#39; &nbsp;x|&amp;amp;|&amp;amp;amp; &lt;person&gt;|&eacute;&Eacute;&EACUTE;&nTILDE;|&copy; 2019 &reg; &trade;
&notit; &not; &ampx &AMP &copycat &lt|&#x41;&#65;&#x1F600;|&#0; &#1; &#11; &#127; &#128; &#129; &#150;|&#xD800; &#x110000; &#xFFFE; &#99999999;|&hellip; &mdash; &rsquo;
&# &#x &; &foo; & &bar|a &amp b|&#59; &semi; &#59|<i>&amp;</i> &eacute; &#233;|&CounterClockwiseContourIntegral; &fjlig;|&bsol;n &num;hashtag|&SZLIG; &FRAC12;
#hashtag|#love|#blackcat|#throwbackthursday|#photooftheday #nofilter|#HappyNewYear2021|#covid19|#BlackLivesMatter|#dallemini|##double|#
# spaced|#1|#100days|#2020|#a_b_c|#café|#it's|#don't|#日本|#x_y-z.w|#AI|#eatsleeprepeat|#supercalifragilisticexpialidocious|#qqq|#newqqqyork
#art,#photo;#cat|text#middle|#10x100|#l0ve|#'s|#thecat's|#i'm|#u2|#zzzzcat|C#minor|#machinelearning#deeplearning|#xtokxdotxtokx|xtokxquotextokx
""".strip("\n")

UNICODE = [
    "café naïve résumé Ångström façade über", "cafe\u0301 nai\u0308ve", "Ærøskøbing Œuvre þorn ð Þ straße ẞ łódź", "ﬁancé ﬂower ﬃ ĳ Ǆ",
    "İstanbul ıspanak", "ΟΔΥΣΣΕΥΣ και ΣΊΣΥΦΟΣ σας", "красная машина на дороге", "Объект съёмки Єва", "一只猫坐在椅子上", "北京2008奥运会 Beijing",
    "猫がソファで寝ている。カタカナ ﾊﾝｶｸ ちつしッ", "고양이가 소파에서 자고 있다", "قطة تجلس على كرسي", "חתול יושב על כיסא", "बिल्ली कुर्सी पर बैठी है",
    "แมวนั่งบนเก้าอี้", "ԲԱՐԵՎ բարև", "გამარჯობა", "ᚠᚢᚦ", "rare 𠀀𪜀 ideographs", "Tiếng Việt đẹp", "ČŘŽŠĎŤŇ ěščřžýáíé", "ĄĆĘŁŃÓŚŹŻ",
    "\u201cquotes\u201d \u2018single\u2019 \u2014 dash \u2013 en\u2026 \u00abguillemets\u00bb \u00bfqu\u00e9? \u00a1s\u00ed!",
    "‚low‘ „low“ ‹x› ‛reversed‟", "it’s the cat’s toy, they’re", "ʼn ŉ letters", "″ ′ primes ‴", "½ cup, ¼ tsp, ¾ full, ⅓ ⅛ ⅝", "x² + y³ = z⁴ H₂O",
    "① ② ⑩ ⒈ ⓐ Ⓑ", "𝒜 𝓫 ℂ ℝ 𝔣𝔯𝔞𝔨 𝕕𝕠𝕦𝕓𝕝𝕖 𝚖𝚘𝚗𝚘", "ＦＵＬＬ　ＷＩＤＴＨ １２３", "ﾊﾝｶｸ ｶﾞｷﾞ", "© ® ™ ℠ № ℃ ℉ °C µm Ω ‰", "€5 £10 ¥100 ¢50 ₹20 ₽30 ₿ ₩", "a × b ÷ c ± d ≤ e ≥ f ≠ g ≈ h − i",
    "→ ← ↑ ↓ ⇒ ★ ☆ ● ■ ◆ ▲ ✓ ✗", "• bullet · middle ‣ tri", "† ‡ § ¶", "a\u00a0b\u2003c\u3000d\u2009e", "zero\u200bwidth\u200dand\ufeffmarks\u00ad",
    "line\u2028sep\u2029para\u0085next\u000bvt\u000cff\r\ncrlf\rcr\nlf", " \t\n ", "\u0000nul \u0007bell \u001b[31mred\u001b[0m \u007f \ufffd \ufffc", "\u202eRTL\u202c",
    "Z\u0351\u036b\u0343\u036a\u0302a\u0310\u0308lgo", "ᴀʙᴄ ᴛʜᴇ", "ᵃᵇᶜ ᵀᴹ", "\ue000private\uf8ff", "e\u0301\u0301\u0301\u0301\u0301", "ŁŁŁŁŁŁ ÉÉÉÉ",
    "😀", "I ❤️ pizza 🍕 and 👩‍👩‍👧‍👦 families 👍🏽", "🇬🇧 🏴󠁧󠁢󠁷󠁬󠁳󠁿 1️⃣ ☃ ☃️ © ™ ★ #️⃣ *️⃣", "👨🏿‍🚀👩‍❤️‍💋‍👨🧑🏻‍🤝‍🧑🏿", "😀😀😀😀😀", "👨‍👩🏿‍👧🏻‍👦🏾", "👍🏿👍🏻🏻", "❤ ❤️ ♥ ♠ ♣",
    "🏳️‍🌈 🏴‍☠️ 🏳‍🌈", "😀\u200d😀 a\u200db \u200d", "👨\u200dx 👨\u200d", "🦰 👩‍🦰 🏻", "👩🏽\u200d🏿\u200d😀", "☎️✈️☕", "🇦 🇦🇧🇨", "🥲🫠🫨🫩", "1️2️ 3\u20e3", "⌚text⏰", "🕵️‍♂️ 🕵🏻‍♂ 🕵",
    "cat🐱dog🐶", "#😀tag", "🎄#christmas🎄", "🅰️🅱️🆎🆗", "👁️‍🗨️ 👁‍🗨", "㊗️㊙ 〰️ 〽",
    "lone \ud83d high", "\ude00 lone low", "\ude00\ud83d swapped", "\ud83d\ud83d\ude00", "#\udc00tag", "caf\u00e9 \ud800",
    # Mojibake: UTF-8 that was read as something else, once or twice, whole or in part.
    "schÃ¶n", "cafÃ©", "voilÃ  le travail", "voilÃ le travail", "â€œquotedâ€\x9d itâ€™s", "â€œ like this â€�", "itâ€™s â€” ok â€¦", "Ã¢â‚¬Å“twiceÃ¢â‚¬Â\x9d", "ÃƒÂ©", "âœ” No problems",
    "ã\x83\x84", "ðŸ˜€ smile", "ðŸ˜\x8d love", "\xf0\x9f\x98\x80 latin", "рџЂ cyr", "Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "РїСЂРёРІРµС‚", "Î±Î²Î³", "ä½\xa0å¥½", "å\x8c—äº¬", "Â£5 Â© Â°C", "Â«dÃ©jÃ  vuÂ»",
    "cafÃ© and café", "l’été Ã©tÃ© — ok", "This â€” should be an em dash — ok", "GÃ¼nther's MÃ¼sli 100 Â€", "ŠamÄ‡", "Å¡koda Å ", "‚Äútext‚Äù", "d√©j√† vu", "caf\u251c\u00ae cp437",
    "Ãle", "à² ", "FÃ\x83Â¶Ã\x83Â¶", "\x93quoted\x94 \x96 \x85", "caf\x8e", "\xed\xa0\xbd\xed\xb8\x8d", "Ã\x80\n", "ÃÂ", "Ã", "Â", "â‚¬100 â„¢", "CÃ´te dâ€™Azur, FranÃ§ais Ã la plage",
    "M\u00c3\u00a9xico l\u00ednea\nMéxico lÃ­nea", "<b>cafÃ©</b>\nsecond &eacute; lÃ­nea", "first &eacute;\n<b>second &eacute;\nthird &eacute;", "¯\\_(ツ)_/¯", "ಠ_ಠ", "Ñandú Ñoño ÑÑ", "Àéîõü ÀÉ", "¿Qué? ¡Sí!", "€™ euro™", "ß² ®© ¶§",
    "à la carte Ã  la carte", "sÃ£o paulo às vezes Ã s", "Ð\x9aÐ¾Ñ\x88ÐºÐ° Ñ\x81Ð¸Ð´Ð¸Ñ\x82", "lÃ©gende Â· photo â€¢ 2019", "Bjï¿½rk ï¿½", "ÙƒØªØ§Ø¨", "×©×œ×•×\x9d",
    # Text of web pages, and long texts.
    "IMG_2041.JPG - DSC00012_final(2).png [stock photo] © 2019 Jane Doe. All rights reserved.", "Photo by @user on Unsplash | https://unsplash.com/photos/abc_123",
    "Stock Photo: Red-haired woman (35-40) w/ dog; 12\"x16\" print, $1,299.00 — FREE shipping!!!!", "File:Château de Chambord - façade.jpg [1]", "10,000+ Best Cat Photos · 100% Free Download · Pexels",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis", "a" * 100 + " " + "a" * 101 + " b", "!" * 200, "# " * 80, "a,b." * 60, " ".join(["cat"] * 62), " ".join(["cat"] * 63),
    "#" + "throwbackthursday" * 20, "🍕" * 90, "猫" * 70, ("A quick brown fox jumps over the lazy dog near the river bank, then rests. " * 40)[:2000], "1" * 300, "'" * 50, "(((((((deep)))))))", "<person> " * 30,
    "</s> <s> <pad> <unk> <mask> a", "a <mask> b<mask>", "[MASK] [SEP] [CLS] [PAD] [UNK] x", "Ġ Ċ bytes", "a  b   c    d", "  lead", "trail  ", "x\n\ny", "I'LL Don'T WE'RE", "the<person>cat", "\u0130\u0131\u017f\u212a",
]


def captions() -> list[str]:
    plain = [caption for line in PLAIN.split("\n") for caption in line.split("|")]
    chosen = list(dict.fromkeys(plain + UNICODE))
    pieces = sorted({piece for caption in chosen if len(caption) < 150 for piece in caption.split(" ")})
    drawn = random.Random(5)
    mixed = (" ".join(drawn.choices(pieces, k=drawn.randint(2, 9))) for _ in range(150))
    # Pairs of surrogates in one Python string are two characters; in JSON and JavaScript they are one.
    return [caption for caption in dict.fromkeys([*chosen, *mixed]) if caption == through_json(caption)]


def through_json(text: str) -> str:
    return json.loads(json.dumps(text))


def load(name: str, path: Path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(name: str, value: object) -> None:
    lines = [json.dumps(item, separators=(",", ":")) for item in value] if isinstance(value, list) else None
    text = "[\n" + ",\n".join(lines) + "\n]\n" if lines else json.dumps(value, separators=(",", ":")) + "\n"
    (FIXTURES / name).write_text(text, encoding="utf-8")


def main(dalle_mini: Path, min_dalle: Path) -> None:
    for folder in (FIXTURES / "bpe", FIXTURES / "uncased", FIXTURES / "cased"):
        folder.mkdir(parents=True, exist_ok=True)
    frequencies = FIXTURES / "words-frequency.txt"
    words = list(dict.fromkeys(WORDS))
    frequencies.write_text("".join(f"{word} {10_000_000 // (rank + 1)}\n" for rank, word in enumerate(words)))

    text = load("text", dalle_mini / "src/dalle_mini/model/text.py")
    with mock.patch.object(text, "hf_hub_download", return_value=str(frequencies)):
        normalizer = text.TextNormalizer()

    rows = []
    for index, caption in enumerate(captions()):
        random.seed(index)
        draw, drawn = random.random, []
        record = lambda: drawn.append(draw()) or drawn[-1]
        with mock.patch.object(random._inst, "random", record):
            normalized = normalizer(caption)
        rows.append({
            "caption": caption,
            "fixed": ftfy.fix_text(caption),
            "demojized": emoji.demojize(caption),
            "random": drawn,
            "normalized": normalized,
        })
    write("captions.json", rows)

    # Lone surrogates are not valid Unicode, and the tokenizers library refuses them.
    raw = ["".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in row["caption"]) for row in rows]
    normalized = [row["normalized"] for row in rows]
    training = raw + normalized + words
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(training, vocab_size=900, min_frequency=2, special_tokens=specials)
    bpe.save_model(str(FIXTURES / "bpe"))
    bart = BartTokenizerFast.from_pretrained(str(FIXTURES / "bpe"))
    bart.backend_tokenizer.save(str(FIXTURES / "bpe/tokenizer.json"))
    berts = {}
    for name, lowercase in (("uncased", True), ("cased", False)):
        wordpiece = BertWordPieceTokenizer(lowercase=lowercase)
        wordpiece.train_from_iterator(training, vocab_size=900, min_frequency=2, show_progress=False)
        tokens = sorted(wordpiece.get_vocab().items(), key=lambda item: item[1])
        folder = FIXTURES / name
        (folder / "vocab.txt").write_text("".join(f"{token}\n" for token, _ in tokens), encoding="utf-8")
        berts[name] = BertTokenizerFast.from_pretrained(str(folder), do_lower_case=lowercase)

    def ids(tokenizer, texts: list[str]) -> list[list[int]]:
        encoded = tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_LENGTH)
        return [row[: sum(mask)] for row, mask in zip(encoded["input_ids"], encoded["attention_mask"])]

    vocab = json.loads((FIXTURES / "bpe/vocab.json").read_text(encoding="utf8"))
    merges = (FIXTURES / "bpe/merges.txt").read_text(encoding="utf8").split("\n")[1:-1]
    simple = load("text_tokenizer", min_dalle / "min_dalle/text_tokenizer.py").TextTokenizer(vocab, merges)
    tokens = zip(
        ids(bart, raw), ids(berts["uncased"], raw), ids(berts["cased"], raw), ids(bart, normalized),
        (simple.tokenize(row["caption"])[:MAX_LENGTH] for row in rows),
    )
    write("tokens.json", [dict(zip(("bpe", "uncased", "cased", "processor", "minDalle"), row)) for row in tokens])
    print(len(rows), "captions")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dalle_mini", type=Path, help="a clone of borisdayma/dalle-mini")
    parser.add_argument("min_dalle", type=Path, help="a clone of kuprel/min-dalle")
    arguments = parser.parse_args()
    main(arguments.dalle_mini, arguments.min_dalle)
