#!/usr/bin/env python3
"""Writes this folder's fixtures with the reference implementation (PyPI `tokenizers`):

  model/          a small WordPiece model in Hugging Face layout
  encodings.json  texts of every odd kind and pairs, with the reference's ids: control tokens as
                  text, and recognised
  scalars.json    digests of what each Unicode scalar value, alone and in contexts, is normalised
                  and cut to: one for each block of 4,096 scalars and each setting of the normaliser

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install tokenizers==0.23.3
    /tmp/oracle/bin/python Tests/Fixtures/tokenization/make_fixtures.py

ScalarComparisonTests compares every scalar with these digests, without Python.
"""
import json
import pathlib
import random
import unicodedata

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordPiece
from tokenizers.processors import TemplateProcessing

FOLDER = pathlib.Path(__file__).parent
CONTROL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = """the cat cats cat's sat on mat a mixture of word words embed embedding un want able run
running naive cafe resume uber strasse straße fur für 東 京 東京 大 阪 ひ ら が カ タ カナ привет мир
καλημερα κοσμε שלום مرحبا हिन्दी ไทย 2026 20 26 http www org com i ı 가 나 한국 ﬁ fi 😀 👨 sep cls mask
unk pad ß ss é è ø ł đ ñ""".split()
PIECES = """##s ##ing ##ed ##bed ##ding ##able ##able ##un ##京 ##é ##e ##a ##b ##er ##est ##мир ##ет ##ю
##가 ##국 ##26 ##0 ##6 ##ß ##ї ##\u0345 ##\u302e ##\U0001d165""".split()

# Texts whose treatment differs easily: what is removed, blank, cut, folded, reordered.
TEXTS = [
    "", " ", "\t\r\n", "the cat sat on the mat", "The CAT's mat.", "unwantable running embeddings",
    "a\r\nb\rc\nd", "a\u0000b\ufffdc", "a\u00adb\u200bc\u200dd\ufeffe", "zero\u2060width",
    "a\u00a0b\u1680c\u2003d\u2028e\u2029f\u3000g", "a\u0085b\u000bc\u000cd\u001ce\u001ff\u007fg",
    "naïve café résumé über", "nai\u0308ve cafe\u0301", "STRASSE straße ẞ", "İstanbul I ı i",
    "ΚΑΛΗΜΕΡΑ ΚΌΣΜΕ ςσΣ", "Привет, мир! Їжак й", "שָׁלוֹם עולם", "مَرْحَبًا ١٢٣", "हिन्दी में", "ภาษาไทย",
    "東京大阪 ひらがな カタカナ ｶﾅ", "한국어 가각힣", "\u1112\u1161\u11ab", "豈更車 \uf900\ufa6c \U0002f800",
    "\U00020000\U0002a6df\U0002b740x", "😀👨‍👩‍👧‍👦🏳️‍🌈🇩🇪", "e\u0301\u0323 e\u0323\u0301 \u1e69 s\u0323\u0307",
    "a\u0345\u0301b", "a\U0001d165\u302eb\u302e\U0001d165", "\u302e\u0900\U0001d165c", "\U0001d15e\u302e",
    "x\u0334\u0345\u0300y", "≠≮≯ = \u0338", "\u037e\u1fef\u2000", "don't $5.00 +1-2=3 a_b@c.d #x ~`|^<>",
    "“quoted” «text» —dash… §¶†‡ ¿¡", "http://www.org/a?b=c&d", "2026-11-24 20.26", "ﬁ ﬂ ﬃ ½ ⅓ ² ℃ №",
    "[SEP] [CLS]a[MASK] [sep] [UNK][PAD]", "the [SEP]cat", "[SE P]", "[[SEP]]", "[CLS", "##s ##ing ##",
    "a" * 100, "a" * 101, "b" * 250 + " cat", "é" * 100, "é" * 101, "東" * 120, "!" * 120,
    "cats" * 25, "cats" * 26, "word\u0301" * 20, "\u0301", "\u0301\u0301 a", "\ue000 \U000f0000 \U0010ffff",
    "\u0378\u2065\ufff0", "tab\tend", "a\u200e\u200fb", "\U000e0001\U000e0020tag", "ǅ ǈ ǋ ᾼ", "Ⅷ Ⓐ Ａｂ",
    "\u2126 \u212a \u212b", "\u1e9e\u0130\u0049\u0307", "ꙮ Ꙁ Ა ა Ⴀ ꭰ Ꭰ Ꮷ", "𐐀𐐨 𞤀𞤢", "\u09cb \u0cca \u0dda \u1b06",
]


def vocabulary():
    letters = [chr(c) for c in range(0x21, 0x7F)]
    tokens = CONTROL + letters + ["##" + c for c in letters if c.isalnum()] + WORDS + PIECES
    return list(dict.fromkeys(tokens))


def tokenizer(vocab, **normalizer):
    made = Tokenizer(WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    options = dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    made.normalizer = normalizers.BertNormalizer(**(options | normalizer))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocab["[CLS]"]), ("[SEP]", vocab["[SEP]"])])
    made.add_special_tokens(CONTROL)
    return made


def random_texts(count):
    """Mixtures of scalars that meet each other badly: marks of all classes, blanks, fragments."""
    chooser = random.Random(2026)
    marks = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and (
        unicodedata.combining(chr(c)) or unicodedata.category(chr(c)) in ("Mn", "Mc"))]
    composed = [chr(c) for c in range(0xA0, 0x30000) if not 0xD800 <= c < 0xE000
                and unicodedata.decomposition(chr(c))]
    plain = list("abcXYZ .,!'-0129\t\n") + WORDS
    for _ in range(count):
        yield "".join(chooser.choice(chooser.choice([marks, composed, plain, plain]))
                      for _ in range(chooser.randint(1, 12)))


SETTINGS = {
    "uncased": {},
    "cased": dict(lowercase=False),
    "accents": dict(strip_accents=False),
    "stripped": dict(lowercase=False, strip_accents=True),
    "raw": dict(clean_text=False, handle_chinese_chars=False),
}


def encodings(vocab):
    made = {name: tokenizer(vocab, **options) for name, options in SETTINGS.items()}
    cases = []
    for text in TEXTS + list(random_texts(300)):
        recognised = made["uncased"].encode(text, add_special_tokens=False).ids
        case = {"text": text, "ids": {}}
        for name, one in made.items():
            one.encode_special_tokens = True
            case["ids"][name] = one.encode(text, add_special_tokens=False).ids
            one.encode_special_tokens = False
        if recognised != case["ids"]["uncased"]:
            case["recognised"] = recognised
        cases.append(case)
    made["uncased"].encode_special_tokens = True
    pairs = [("the cat", "sat on the mat"), ("", "a"), ("a", ""), ("[SEP]", "é [CLS]"), ("東京", "\n")]
    return {"cases": cases, "pairs": [
        {"query": q, "document": d, "ids": e.ids, "types": e.type_ids}
        for q, d in pairs for e in [made["uncased"].encode(q, d)]
    ]}


def fnv(digest, data):
    for byte in data:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return digest


def digests():
    """64-bit FNV-1a over the words of all scalars c of a block, each word followed by a zero byte, in
    the texts "c", "ac\u0301\u302ecb"."""
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    result = {}
    for name, options in SETTINGS.items():
        all_options = dict(
            clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
        normalize = normalizers.BertNormalizer(**(all_options | options)).normalize_str
        blocks = []
        for start in range(0, 0x110000, 4096):
            scalars = [chr(c) for c in range(start, start + 4096) if not 0xD800 <= c < 0xE000]
            text = " ".join(f"{s} a{s}\u0301\u302e{s}b" for s in scalars)
            words = "\0".join(word for word, _ in split(normalize(text))) + "\0"
            blocks.append(f"{fnv(0xCBF29CE484222325, words.encode()):016x}")
        result[name] = blocks
    return result


def write(name, value):
    lines = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    lines = lines.replace('},{"text"', '},\n{"text"').replace('","', '",\n"')
    (FOLDER / name).write_text(lines + "\n")


def main():
    tokens = vocabulary()
    vocab = {token: index for index, token in enumerate(tokens)}
    (FOLDER / "model").mkdir(exist_ok=True)
    tokenizer(vocab).save(str(FOLDER / "model/tokenizer.json"), pretty=False)
    (FOLDER / "model/vocab.txt").write_text("".join(token + "\n" for token in tokens))
    write("encodings.json", encodings(vocab))
    write("scalars.json", digests())
    for path in sorted(FOLDER.rglob("*.*")):
        print(path.relative_to(FOLDER), path.stat().st_size)


main()
