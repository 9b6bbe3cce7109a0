#!/usr/bin/env python3
"""Writes families/: small tokenizers of every kind that Tokenization reads, trained here with the
reference implementation (PyPI `tokenizers`), and what it makes of texts of all of Unicode.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install tokenizers==0.23.3
    /tmp/oracle/bin/python Tests/Fixtures/tokenization/make_families.py

  NAME/tokenizer.json  the tokenizers; those that are there stay, since training is not the same
                       every time
  goldens.json         texts; by tokenizer a digest (32 bits of FNV-1a over the ids) for each text,
                       with control tokens as text and recognised; the ids of pairs; and a digest for
                       each 4,096 scalar values in contexts, for the tokenizers in SCALARS

With a folder as argument it writes there the goldens of that folder's tokenizers (subfolders with a
tokenizer.json each) on many more texts: RERANKD_TEST_TOKENIZERS names such a folder to the tests.
"""
import base64
import json
import pathlib
import random
import struct
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, models, trainers
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P
from tokenizers import processors as R

FOLDER = pathlib.Path(__file__).parent / "families"
SCALARS = ["bpe-qwen", "unigram-xlmr", "wordpiece-words"]
BLOCKS = list(range(0x20)) + [0xE0]

GPT4 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CORPUS = """The cat sat on the mat, and the cats' mats don't matter; we've said I'll do what they're
doing. Reranking models read a query and a document: the score says how well 12 of 345 passages answer
it. In 2026 it's 20.26 or 1,000,000 \u00bd. na\u00efve caf\u00e9 r\u00e9sum\u00e9 \u00fcber Stra\u00dfe
\u043f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \u4e1c\u4eac\u306b\u884c\u304f \u6771\u4eac\u90fd
\ud55c\uad6d\uc5b4 \u0928\u092e\u0938\u094d\u0924\u0947 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627
def main(self): return {"a": [1, 2]}  # comment\n\n    for i in range(10):\n\t\tprint(i)\r\n
""".replace("\n", " ").split("  ")
CORPUS += ["the cat sat on the mat", "\u6771\u4eac \u6771\u4eac\u90fd", "  for  i  in  x:\n\n", "a\u0301b"]

WORDS = """the cat's don't I'LL we've 'S '\u017f 123 45 6789 hello World na\u00efve \u00fcber
\u6771\u4eac \ud55c\uad6d\uc5b4 \uac00\uac01 \u1112\u1161\u11ab \u043f\u0440\u0438\u0432\u0435\u0442
\u0928\u092e\u0938\u094d\u0924\u0947 \u0915\u094d\u0937 \u0e44\u0e17\u0e22 \U0001f600\U0001f468\u200d\U0001f469
\U0001f1e9\U0001f1ea \u00a9\u200d\u00ae \u00bd \u00b2 \ufb01 \ufdfa e\u0301 <s> </s> <unk> [SEP] [MASK]
<|im_end|> <think> <mask> \u2581 \u2581\u2581 \u0120 cat cats mat running [day] Day""".split()
BLANKS = [" ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028", "\u0085", " \n ", ""]
ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
LOW = [c for c in ALL if c < 0x3400]
MARKS = [chr(c) for c in ALL if unicodedata.combining(chr(c))
         or unicodedata.category(chr(c)) in ("Mn", "Mc", "Cf")]

EDGES = ["", " ", "  ", "\n", "\u0000", "a", "\u0301", "\u0301\u0323a", " a", "a ", "  a  b  ", "\r\n\r\n",
         "a" * 300, "ab" * 100, " " * 70, "\u6771" * 70, "\u0301\u0323" * 40, "!" * 50, "1" * 50,
         "<s>a</s>", "the<mask>cat", "the <mask> cat", " <mask>  <mask> ", "[MASK][MASK]", "[SEP ]",
         "<|im_start|>user\nhi<|im_end|>", "<think>\n\n</think>\n\n", "DAYday [Day]s xday dayx",
         "\u1e69 s\u0323\u0307 s\u0307\u0323", "\u212b\u2126\u212a", "\uac00\u11a8 \u1100\u1161\u11a8",
         "\u0f73\u0f71", "\ufb2c \u05e9\u05bc\u05c1", "\U0001d15e \U0001d1bf", "\ufeffa\ufeff", "\uffff\U0010ffff"]


def texts(count, seed):
    chooser = random.Random(seed)
    found = list(EDGES)
    while len(found) < count:
        kind, text = chooser.random(), ""
        for _ in range(chooser.randint(1, 16)):
            roll = chooser.random()
            if kind < 0.3:
                text += chooser.choice(WORDS) + chooser.choice(BLANKS)
            elif roll < 0.25:
                text += chooser.choice(WORDS)
            elif roll < 0.45:
                text += chooser.choice(BLANKS)
            elif roll < 0.6:
                text += chr(chooser.choice(LOW))
            elif roll < 0.7:
                text += chr(chooser.choice(ALL))
            elif roll < 0.8:
                text += chooser.choice(MARKS)
            else:
                text += chr(chooser.randint(32, 126))
        found.append(text)
    return found


def charsmap():
    """A map as SentencePiece makes them: NFKC of some blocks, texts that begin with others, white
    space and what is left out; its double-array trie is built by trying."""
    rules = {}
    for start, end in [(0xA0, 0x250), (0x1E00, 0x1E40), (0x2000, 0x2070), (0x2100, 0x2130),
                       (0x3000, 0x3002), (0x3300, 0x3310), (0xFB00, 0xFB07), (0xFDF0, 0xFDFD),
                       (0xFF00, 0xFFA0), (0x1D400, 0x1D420)]:
        for c in range(start, end):
            folded = unicodedata.normalize("NFKC", chr(c))
            if folded != chr(c):
                rules[chr(c)] = folded
    for c in "aeiouAEIOU":
        for mark in "\u0300\u0301\u0302":
            rules[c + mark] = unicodedata.normalize("NFC", c + mark)
    rules |= {"\t": " ", "\n": " ", "\r": " ", "\u2028": " ", "\u200b": "", "\u00ad": "", "\x01": "",
              "\u1100\u1161": "\uac00", "\u00a9": "(c)", "xy": "z", "x": "ks", "\u0915": "k"}
    rules["a\u0300x"] = "?"

    def children_of(keys, depth):
        found = {}
        for key in keys:
            found.setdefault(key[depth] if depth < len(key) else 0, []).append(key)
        return found

    rules = {key.encode(): value.encode() for key, value in rules.items()}
    blob, places = b"", {}
    for value in sorted(set(rules.values())):
        places[value] = len(blob)
        blob += value + b"\0"
    units, used = {0: 0}, {0}
    pending = [(0, sorted(rules), 0)]
    first_free = 1
    while pending:
        position, keys, depth = pending.pop(0)
        children = children_of(keys, depth)
        while first_free in used:
            first_free += 1
        base = next(b for b in range(first_free, 1 << 20)
                    if all(b ^ c not in used for c in children))
        units[position] |= (position ^ base) << 10 | (0x100 if 0 in children else 0)
        for c, below in children.items():
            used.add(base ^ c)
            if c == 0:
                units[base] = 1 << 31 | places[rules[below[0]]]
            else:
                units[base ^ c] = c
                pending.append((base ^ c, below, depth + 1))
    size = (max(units) // 256 + 1) * 256
    trie = b"".join(struct.pack("<I", units.get(i, 0xFF | 1 << 31)) for i in range(size))
    return struct.pack("<I", len(trie)) + trie + blob


def train(made, trainer):
    made.train_from_iterator(CORPUS * 3, trainer)
    return made


def bpe(special, **model):
    made = Tokenizer(models.BPE(**model))
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special, show_progress=False, max_token_length=16,
        initial_alphabet=P.ByteLevel.alphabet())
    return made, trainer


def template(cls, sep, pair, ids):
    return R.TemplateProcessing(
        single=f"{cls} $A {sep}", pair=pair, special_tokens=[(cls, ids[cls]), (sep, ids[sep])])


def build():
    """By name: the tokenizers."""
    made = {}

    one, trainer = bpe([])
    one.normalizer = N.NFC()
    one.pre_tokenizer = P.Sequence([
        P.Split(Regex(GPT4 % r"\p{N}"), "isolated"), P.ByteLevel(False, use_regex=False)])
    train(one, trainer)
    one.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    one.add_tokens([AddedToken(t, normalized=False) for t in ["<think>", "</think>"]])
    one.post_processor = R.ByteLevel(trim_offsets=False)
    made["bpe-qwen"] = one

    one, trainer = bpe(["[UNK]", "[CLS]", "[SEP]", "[PAD]"])
    one.normalizer = N.NFC()
    one.pre_tokenizer = P.ByteLevel(add_prefix_space=False)
    train(one, trainer)
    one.add_special_tokens([AddedToken("[MASK]", lstrip=True)])
    one.add_tokens(["  ", "   ", "|||IP|||"])
    ids = one.get_vocab()
    one.post_processor = template("[CLS]", "[SEP]", "[CLS] $A [SEP] $B [SEP]", ids)
    made["bpe-modernbert"] = one

    one, trainer = bpe(["<s>", "<pad>", "</s>", "<unk>"])
    one.pre_tokenizer = P.ByteLevel(add_prefix_space=True)
    train(one, trainer)
    one.add_special_tokens([AddedToken("<mask>", lstrip=True, rstrip=True)])
    ids = one.get_vocab()
    one.post_processor = R.RobertaProcessing(("</s>", ids["</s>"]), ("<s>", ids["<s>"]))
    made["bpe-roberta"] = one

    one, trainer = bpe(["<s>"], ignore_merges=True)
    one.pre_tokenizer = P.Sequence([
        P.Split(Regex(GPT4 % r"\p{N}{1,3}"), "removed", invert=True),
        P.ByteLevel(False, use_regex=False)])
    train(one, trainer)
    state = json.loads(one.to_str())
    # A token that no merges lead to, which a word becomes all the same; and a text as merges were.
    state["model"]["vocab"]["\u0120zzqq"] = 700
    state["model"]["merges"] = [" ".join(pair) for pair in state["model"]["merges"]]
    one = Tokenizer.from_str(json.dumps(state))
    one.post_processor = R.Sequence([
        R.ByteLevel(trim_offsets=True), template("<s>", "<s>", "<s> $A <s>:1 $B:1", {"<s>": 0})])
    made["bpe-llama"] = one

    one, trainer = bpe([])
    one.pre_tokenizer = P.Sequence([P.Digits(True), P.ByteLevel(False)])
    made["bpe-starcoder"] = train(one, trainer)

    one, trainer = bpe([])
    one.pre_tokenizer = P.Sequence([
        P.Punctuation("contiguous"), P.ByteLevel(False), P.Digits(False),
        P.Split(Regex("[0-9][0-9][0-9]"), "isolated")])
    made["bpe-falcon"] = train(one, trainer)

    one, _ = bpe([])
    one.model = models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    one.normalizer = N.Sequence([N.Prepend("\u2581"), N.Replace(" ", "\u2581")])
    train(one, trainers.BpeTrainer(
        vocab_size=700, show_progress=False, max_token_length=12,
        special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]))
    state = json.loads(one.to_str())
    state["added_tokens"] = state["added_tokens"][:3]
    made["bpe-bytes"] = Tokenizer.from_str(json.dumps(state))

    one = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    one.normalizer = N.Sequence([N.NFKC(), N.Lowercase()])
    one.pre_tokenizer = P.Metaspace(prepend_scheme="first", split=False)
    made["bpe-unknown"] = train(one, trainers.BpeTrainer(
        vocab_size=250, show_progress=False, special_tokens=["<unk>"]))

    one = Tokenizer(models.Unigram())
    one.normalizer = N.Sequence([
        N.Precompiled(charsmap()), N.Strip(False, True), N.Replace(Regex(" {2,}"), "\u2581")])
    one.pre_tokenizer = P.Sequence([P.WhitespaceSplit(), P.Metaspace()])
    train(one, trainers.UnigramTrainer(
        vocab_size=400, show_progress=False, unk_token="<unk>",
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"]))
    one.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    ids = one.get_vocab()
    one.post_processor = template("<s>", "</s>", "<s> $A </s> </s> $B </s>", ids)
    made["unigram-xlmr"] = one

    one = Tokenizer(models.Unigram())
    one.normalizer = N.NFKC()
    one.pre_tokenizer = P.Metaspace(prepend_scheme="never")
    train(one, trainers.UnigramTrainer(
        vocab_size=300, show_progress=False, unk_token="<unk>", special_tokens=["<unk>"]))
    state = json.loads(one.to_str())
    state["model"]["vocab"] += [[f"<0x{b:02X}>", 0.0] for b in range(256)]
    state["model"]["byte_fallback"] = True
    made["unigram-bytes"] = Tokenizer.from_str(json.dumps(state))

    one = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    one.normalizer = N.Sequence([N.NFKD(), N.StripAccents(), N.Lowercase(), N.Strip()])
    one.pre_tokenizer = P.Sequence([P.Whitespace(), P.Digits(False)])
    train(one, trainers.WordPieceTrainer(
        vocab_size=400, show_progress=False,
        special_tokens=["[UNK]", "[CLS]", "[SEP]", "cat", "[PAD]"]))
    one.post_processor = R.BertProcessing(
        ("[SEP]", one.token_to_id("[SEP]")), ("[CLS]", one.token_to_id("[CLS]")))
    made["wordpiece-words"] = one

    one = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    one.normalizer = N.BertNormalizer()
    one.pre_tokenizer = P.BertPreTokenizer()
    train(one, trainers.WordPieceTrainer(
        vocab_size=400, show_progress=False,
        special_tokens=["[UNK]", "[CLS]", "[SEP]", "[PAD]"]))
    one.add_special_tokens([AddedToken("[MASK]", lstrip=True, rstrip=True)])
    one.add_tokens([
        AddedToken("Day", single_word=True), AddedToken("[Day]", normalized=False),
        AddedToken("\u00fcber", single_word=True, lstrip=True)])
    made["wordpiece-added"] = one

    one = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=8))
    one.normalizer = N.Sequence([N.NFD(), N.Replace("e\u0301", ""), N.Replace("cat", "kitten ")])
    one.pre_tokenizer = P.Sequence([
        P.Split(" ", "merged_with_previous"), P.Split("t", "merged_with_next"),
        P.Split("1", "contiguous"), P.Split("o", "removed"), P.Punctuation("merged_with_next"),
        P.Split(Regex("[0-9][0-9][0-9]"), "removed")])
    train(one, trainers.WordPieceTrainer(
        vocab_size=300, show_progress=False, special_tokens=["[UNK]"]))
    made["wordpiece-splits"] = one
    return made


def is_control(token):
    content = token["content"]
    return token["special"] or (
        len(content) > 2 and content[0] == "<" and content[-1] == ">" and " " not in content)


def as_text(state):
    """The tokenizer to which control tokens are text: they are special, and the model's vocabulary
    has something that no text is in their place."""
    state = json.loads(json.dumps(state))
    hidden = {}
    for token in state["added_tokens"]:
        if is_control(token):
            token["special"] = True
            hidden[token["content"]] = f"\U0010fffe{token['id']}\U0010fffe"
    model = state["model"]
    if model["type"] == "Unigram":
        model["vocab"] = [[hidden.get(token, token), score] for token, score in model["vocab"]]
    else:
        model["vocab"] = {hidden.get(token, token): i for token, i in model["vocab"].items()}
        if model.get("unk_token") in hidden:
            model["unk_token"] = hidden[model["unk_token"]]
    state["post_processor"] = None
    # They are found in the text, and then left to it, only while they are added tokens: with the
    # same numbers as before, which those have that the model knows.
    made = Tokenizer.from_str(json.dumps(state | {"added_tokens": []}))
    for token in state["added_tokens"]:
        flags = {k: v for k, v in token.items() if k not in ("id", "content")}
        made.add_tokens([AddedToken(token["content"], **flags)])
    made.encode_special_tokens = True
    back = {made.token_to_id(t["content"]): t["id"] for t in state["added_tokens"]}
    return made, back


def fnv(digest, ids):
    for number in ids:
        for byte in struct.pack("<I", number):
            digest = (digest ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return digest


def digest(ids):
    return f"{fnv(0xCBF29CE484222325, ids) >> 32:08x}"


def scalar_digest(made, block):
    found = []
    for c in range(block * 4096, block * 4096 + 4096):
        if not 0xD800 <= c < 0xE000:
            s = chr(c)
            found.append(f"{s} a{s}1\u0301{s}'{s}\u0301\u200d{s}")
    hashed = 0xCBF29CE484222325
    for one in made.encode_batch(found, add_special_tokens=False):
        hashed = fnv(hashed, one.ids)
    return f"{hashed >> 32:08x}"


PAIRS = [("the cat", "sat on the mat"), ("", "a"), ("a", ""), ("[SEP]", "caf\u00e9 <s>"), ("\u6771\u4eac", "\n")]


def goldens(made, found, scalars):
    result = {"texts": found, "tokenizers": {}}
    for name, one in made.items():
        text, back = as_text(json.loads(one.to_str()))
        encoded = [[back.get(i, i) for i in e.ids]
                   for e in text.encode_batch(found, add_special_tokens=False)]
        recognised = one.encode_batch(found, add_special_tokens=False)
        entry = {
            "text": "".join(map(digest, encoded)),
            "recognised": "".join(digest(e.ids) for e in recognised),
            "pairs": [{"query": q, "document": d, "ids": e.ids, "types": e.type_ids}
                      for q, d in PAIRS for e in [one.encode(q, d)]],
        }
        if name in scalars:
            entry["scalars"] = "".join(scalar_digest(one, block) for block in BLOCKS)
        result["tokenizers"][name] = entry
    return result


def write(folder, value):
    def line(part):
        return json.dumps(part, separators=(",", ":"))

    texts = ",\n".join(map(line, value["texts"]))
    families = ",\n".join(f"{line(k)}:{line(v)}" for k, v in value["tokenizers"].items())
    (folder / "goldens.json").write_text(
        f'{{"texts":[\n{texts}\n],"tokenizers":{{\n{families}\n}}}}\n')


def main():
    if len(sys.argv) > 1:
        folder = pathlib.Path(sys.argv[1])
        made = {path.parent.name: Tokenizer.from_file(str(path))
                for path in sorted(folder.glob("*/tokenizer.json"))}
        for one in made.values():
            one.no_truncation()
            one.no_padding()
        write(folder, goldens(made, texts(20000, 4), list(made)))
        return
    made = build()
    for name, one in made.items():
        path = FOLDER / name / "tokenizer.json"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            state = json.loads(one.to_str())
            path.write_text(json.dumps(state, ensure_ascii=False, separators=(",", ":")) + "\n")
        made[name] = Tokenizer.from_file(str(path))
    write(FOLDER, goldens(made, texts(500, 3), SCALARS))
    for path in sorted(FOLDER.rglob("*.json")):
        print(path.relative_to(FOLDER), path.stat().st_size)


main()
