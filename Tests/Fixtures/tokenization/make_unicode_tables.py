#!/usr/bin/env python3
"""Writes the Unicode tables in Sources/Tokenization/Unicode: what the normalisers and pre-tokenizers
do to every Unicode scalar value, asked of the reference implementation itself (PyPI `tokenizers`),
since its Unicode versions (it has several) are neither Python's nor Swift's.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install tokenizers==0.23.3
    /tmp/oracle/bin/python Tests/Fixtures/tokenization/make_unicode_tables.py

The streams are base64 of unsigned LEB128 numbers (signed ones zigzag):
  classes     (length, class) for runs of scalars, where class is a set of the bits below
  folds       one for decomposing and removing marks, one for lower-casing; runs of neighbours that
              map alike: (gap, length, targets, difference of each target to its source …)
  combining   (gap, length, combining class) for scalars whose combining class is not 0
  canonical   folds: the full canonical decomposition, without Hangul syllables
  compatible  folds: the full compatibility decomposition where it differs from the canonical one
  composites  (gap, length): scalars that canonical composition makes of their decomposition
  texts       (length, class) as above: what regular expressions and pre-tokenizers ask
  graphemes   (length, class): what extended grapheme clusters are cut by, as far as clusters of less
              than six bytes can show it, which is all that the Precompiled normaliser asks
"""
import base64
import pathlib
import struct
import unicodedata

import tokenizers
from tokenizers import Regex
from tokenizers.normalizers import (
    NFC, NFD, NFKD, BertNormalizer, Precompiled, Replace, StripAccents)
from tokenizers.pre_tokenizers import BertPreTokenizer, Digits, Split, Whitespace

REMOVED, WHITESPACE, PUNCTUATION, CHINESE, COMBINING = 1, 2, 4, 8, 16
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
LETTER, NUMBER, SPACE, WORD, NUMERIC, MARK = 1, 2, 4, 8, 16, 32
CONTROL, EXTENDING, PREPENDED, PICTOGRAPH = 1, 2, 4, 8
CONSONANT, LINKER, CONJUNCT, EXTEND = 16, 32, 64, 128
FOLDER = pathlib.Path(__file__).parents[3] / "Sources/Tokenization/Unicode"


def bert(**options):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return BertNormalizer(**(off | options)).normalize_str


def classes():
    clean, chinese = bert(clean_text=True), bert(handle_chinese_chars=True)
    split = BertPreTokenizer().pre_tokenize_str
    combining = combining_classes()
    table = [0] * 0x110000
    for c in SCALARS:
        s, bits = chr(c), 0
        cleaned = clean(s)
        if cleaned == "":
            bits |= REMOVED
        elif cleaned != s:
            assert cleaned == " ", hex(c)
        pieces = [piece for piece, _ in split("a" + s + "a")]
        if pieces == ["a", "a"]:
            bits |= WHITESPACE
        elif pieces == ["a", s, "a"]:
            bits |= PUNCTUATION
        else:
            assert pieces == ["a" + s + "a"], hex(c)
        if not bits & REMOVED:
            assert (cleaned == " ") == bool(bits & WHITESPACE), hex(c)
        if chinese(s) != s:
            assert chinese(s) == f" {s} ", hex(c)
            bits |= CHINESE
        if c in combining:
            bits |= COMBINING
        table[c] = bits
    return table, combining


def combining_classes():
    """The combining class that the reference's decomposition orders by, found by how a scalar
    changes places with one scalar of each class (which Unicode never changes once assigned)."""
    nfd, lowest, highest = NFD().normalize_str, "\u0334", "\u0345"
    moving = [
        s for s in map(chr, SCALARS)
        if nfd(s) == s and (nfd(highest + s) != highest + s or nfd(s + lowest) != s + lowest)
    ]
    samples = {}
    for s in moving:
        samples.setdefault(unicodedata.combining(s), s)
    order, found = sorted(samples), {}
    for s in moving:
        above = [v for v in order if nfd(samples[v] + s) != samples[v] + s]
        below = [v for v in order if nfd(s + samples[v]) != s + samples[v]]
        between = set(order) - set(above) - set(below)
        assert len(between) == 1, (hex(ord(s)), between)
        found[ord(s)] = between.pop()
    return found


def folds(fold, leaves_out):
    table = {}
    for c in SCALARS:
        folded = fold(chr(c))
        if folded != chr(c) and not leaves_out(c, folded):
            table[c] = tuple(ord(s) for s in folded)
    return table


def is_hangul(c, folded):
    """The syllables decompose by arithmetic, which is checked here and done in code there."""
    if not 0xAC00 <= c < 0xAC00 + 11172:
        return False
    i = c - 0xAC00
    jamo = [0x1100 + i // 588, 0x1161 + i % 588 // 28] + ([0x11A7 + i % 28] if i % 28 else [])
    assert folded == "".join(map(chr, jamo)), hex(c)
    return True


def composites(canonical):
    nfc, nfd = NFC().normalize_str, NFD().normalize_str
    found = [c for c in canonical if nfc(chr(c)) == chr(c)]
    for c in found:
        parts = nfd(chr(c))
        assert nfc(parts) == chr(c) and len(nfc(parts[:-1])) == 1, hex(c)
    return found


def texts(whitespace):
    def members(pattern):
        replace = Replace(Regex(pattern), "").normalize_str
        return {c for c in SCALARS if replace(chr(c)) == ""}

    word, digits, accents = Whitespace().pre_tokenize_str, Digits(True), StripAccents()
    table = [0] * 0x110000
    sets = [(LETTER, members(r"\p{L}")), (NUMBER, members(r"\p{N}")), (SPACE, members(r"\s"))]
    for c in SCALARS:
        s = chr(c)
        bits = sum(bit for bit, scalars in sets if c in scalars)
        pieces = [piece for piece, _ in word(f"a{s}a")]
        if pieces == [f"a{s}a"]:
            bits |= WORD
        else:
            assert pieces == (["a", "a"] if whitespace(c) else ["a", s, "a"]), hex(c)
        if len(digits.pre_tokenize_str(f"a{s}a")) == 3:
            bits |= NUMERIC
        if accents.normalize_str(s) == "":
            bits |= MARK
        table[c] = bits
    return table


def cluster_probe():
    """A normaliser that makes one X of every cluster of less than six bytes, and an X of each scalar
    of a longer one: its map has every first byte as a key."""
    def unit(label, offset, leaf):
        high = offset >> 8 if offset >= 1 << 21 else offset
        return label | (1 << 8 if leaf else 0) | (1 << 9 if high != offset else 0) | high << 10

    leaf_at = 0x200
    units = [0x80000000] * 0x400
    units[0] = unit(0, 0x100, False)
    for byte in range(1, 0x100):
        units[0x100 ^ byte] = unit(byte, 0x100 ^ byte ^ leaf_at, True)
    trie = struct.pack(f"<{len(units)}I", *units)
    return Precompiled(struct.pack("<I", len(trie)) + trie + b"X\0").normalize_str


def graphemes():
    probe = cluster_probe()
    assert probe("a") == "X" and probe("ab") == "XX" and probe("e\u0301") == "X"
    assert probe("\r\n") == "X" and probe("\n\r") == "XX"
    table = [0] * 0x110000
    for c in SCALARS[1:]:
        s, bits = chr(c), 0
        if probe("a" + s) == "X":
            bits |= EXTENDING
        if len(s.encode()) < 4 and probe(s + "\u0301") == "XX":
            bits |= CONTROL
        if probe(s + "a") == "X":
            bits |= PREPENDED
        if probe(f"\u00a9\u200d{s}") == "XXX" and not bits & EXTENDING:
            bits |= PICTOGRAPH
        if probe(f"{s}\u094d\u0915\u0301") == "XXXX":
            bits |= CONSONANT
        if probe(f"\u0915{s}\u0915\u0301") == "XXXX" and not bits & PREPENDED:
            bits |= LINKER
        elif probe(f"\u0915{s}\u094d\u0915\u0301") == "XXXXX":
            bits |= CONJUNCT
        if probe(f"\u00a9{s}\u200d\u00a9\u0301") == "XXXXX":
            bits |= EXTEND
        table[c] = bits
    table[0] = CONTROL
    return table


def number(value):
    out = bytearray()
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def signed(value):
    return number(value << 1 if value >= 0 else (-value << 1) - 1)


def class_stream(table):
    out, start = b"", 0
    for c in range(1, 0x110001):
        if c == 0x110000 or table[c] != table[start]:
            out += number(c - start) + number(table[start])
            start = c
    return out


def fold_stream(table):
    out, end, runs = b"", 0, []
    for c in sorted(table):
        differences = tuple(target - c for target in table[c])
        if runs and runs[-1][0] + runs[-1][1] == c and runs[-1][2] == differences:
            runs[-1][1] += 1
        else:
            runs.append([c, 1, differences])
    for start, length, differences in runs:
        out += number(start - end) + number(length) + number(len(differences))
        out += b"".join(map(signed, differences))
        end = start + length
    return out


def combining_stream(table):
    out, end, runs = b"", 0, []
    for c in sorted(table):
        if runs and runs[-1][0] + runs[-1][1] == c and runs[-1][2] == table[c]:
            runs[-1][1] += 1
        else:
            runs.append([c, 1, table[c]])
    for start, length, value in runs:
        out += number(start - end) + number(length) + number(value)
        end = start + length
    return out


def swift(name, stream):
    text = base64.b64encode(stream).decode()
    lines = "".join(f"    {text[i:i + 92]}\\\n" for i in range(0, len(text), 92))
    return f'  static let {name}: StaticString = """\n{lines[:-2]}\n    """\n'


def write(file, type_name, streams):
    path = FOLDER / file
    path.write_text(
        "// Made by Tests/Fixtures/tokenization/make_unicode_tables.py from PyPI tokenizers "
        f"{tokenizers.__version__}:\n// the streams' format is described there.\n"
        f"enum {type_name} {{\n" + "\n".join(swift(*stream) for stream in streams) + "}\n")
    print({name: len(stream) for name, stream in streams}, path.stat().st_size, "bytes of Swift")


def main():
    class_table, combining = classes()
    strip = folds(bert(strip_accents=True), is_hangul)
    lower = folds(bert(lowercase=True), lambda c, folded: False)
    assert not set(combining) & set(lower), "lower-casing would have to come before ordering"
    assert all(targets for targets in lower.values())
    write("UnicodeTables+Data.swift", "UnicodeTableData", [
        ("classes", class_stream(class_table)),
        ("strippedAccents", fold_stream(strip)),
        ("lowerCase", fold_stream(lower)),
        ("combiningClasses", combining_stream(combining)),
    ])
    canonical = folds(NFD().normalize_str, is_hangul)
    compatible = folds(
        NFKD().normalize_str,
        lambda c, folded: is_hangul(c, folded) or tuple(map(ord, folded)) == canonical.get(c))
    write("NormalizationTables+Data.swift", "NormalizationTableData", [
        ("canonical", fold_stream(canonical)),
        ("compatible", fold_stream(compatible)),
        ("composites", combining_stream({c: 1 for c in composites(canonical)})),
    ])
    write("TextTables+Data.swift", "TextTableData", [
        ("texts", class_stream(texts(lambda c: class_table[c] & WHITESPACE))),
        ("graphemes", class_stream(graphemes())),
    ])


main()
