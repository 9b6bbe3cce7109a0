"""Packs an exported model into the one file that goes into the binary.

    python pack.py FOLDER rerankd-minilm-l6-v1.bin golden.json

The same folder gives the same bytes. The file, all integers little-endian:

    offset 0   8 bytes   "RRKMODEL"
    offset 8   u32       version, 1
    offset 12  u32       length of the manifest
    offset 16            the manifest, JSON in UTF-8
    then, each at a multiple of 64 bytes from the file's start, the parts that the manifest lists

manifest: name, licence, contextTokens, template, scoreKind, config (as the folder's config.json),
tokenizer {vocabulary: part, lowercase, segmentsPairs}, golden [{query, document, logit}], and parts: name ->
{type, shape, offset, bytes, scales}. Types: "F32"; "F16"; "I8_ROWS", symmetric 8-bit integers of -127 to
127 with one F32 scale a row, which lie in the part named by `scales`; "BYTES". The golden logits are
PyTorch's and NumPy's over the quantised weights in double precision, so that a loader can hold its arithmetic
against another implementation; golden.json gets more of them, for tests.
"""

import json
import pathlib
import struct
import sys

import numpy as np
from safetensors.numpy import load_file

from export import GOLDEN_AT_LOAD, Scorer

ALIGNMENT = 64
# What the scores feel most when it is rounded to 8 bits stays in half precision, as far as the file's
# size allows.
HALF_PRECISION = ("bert.encoder.layer.0.output.dense.weight", "bert.encoder.layer.2.output.dense.weight")
BYTES_MAX = 25_000_000
# A row's scale is tried at so many lengths below the one that its largest value asks for: cutting one
# value off can make all the others finer.
SCALE_TRIALS = np.linspace(1.0, 0.7, 16)


def quantise(matrix):
    """Rows of int8 and the scales that lose least, by squares; a row of zeros gets the scale 0."""
    largest = np.abs(matrix).max(axis=1)
    best = np.full(len(matrix), np.inf)
    rows = np.zeros(matrix.shape, dtype=np.int8)
    scales = np.zeros(len(matrix), dtype=np.float32)
    for trial in SCALE_TRIALS:
        scale = (largest * trial / 127).astype(np.float32)
        divisor = np.where(scale == 0, 1, scale)[:, None]
        rounded = np.clip(np.rint(matrix / divisor), -127, 127)
        lost = ((rounded * scale[:, None] - matrix) ** 2).sum(axis=1)
        better = lost < best
        best[better], scales[better] = lost[better], scale[better]
        rows[better] = rounded[better].astype(np.int8)
    return rows, scales


def main(folder, target, golden_target):
    parts, blobs, dequantised = {}, [], {}

    def add(name, kind, shape, blob, scales=None):
        parts[name] = dict(type=kind, shape=list(shape), bytes=len(blob))
        if scales:
            parts[name]["scales"] = scales
        blobs.append((name, blob))

    for name, tensor in sorted(load_file(str(folder / "model.safetensors")).items()):
        if name in HALF_PRECISION:
            half = tensor.astype("<f2")
            add(name, "F16", half.shape, half.tobytes())
            dequantised[name] = half.astype(np.float64)
        elif tensor.ndim == 2 and tensor.shape[0] > 1:
            rows, scales = quantise(tensor)
            add(f"{name}.scales", "F32", scales.shape, scales.astype("<f4").tobytes())
            add(name, "I8_ROWS", rows.shape, rows.tobytes(), scales=f"{name}.scales")
            dequantised[name] = rows.astype(np.float64) * scales[:, None].astype(np.float64)
        else:
            add(name, "F32", tensor.shape, tensor.astype("<f4").tobytes())
            dequantised[name] = tensor.astype(np.float64)
    vocabulary = (folder / "vocab.txt").read_bytes()
    add("vocab.txt", "BYTES", [len(vocabulary)], vocabulary)

    described = json.loads((folder / "rerankd-model.json").read_text())
    golden = Scorer(dequantised).golden()
    for here, before in zip(golden, json.loads((folder / "golden.json").read_text())):
        print(f"{here['logit']:9.4f} quantised, {before['logit']:9.4f} before: "
              f"{here['query'][:24]} | {here['document'][:40]}")

    config = json.loads((folder / "config.json").read_text())
    manifest = dict(
        name=described["name"], licence=described["licence"],
        contextTokens=config["max_position_embeddings"],
        template="[CLS] {query} [SEP] [CLS] {document} [SEP]", scoreKind="sigmoid", config=config,
        tokenizer=dict(vocabulary="vocab.txt", lowercase=True, segmentsPairs=True), golden=golden[:GOLDEN_AT_LOAD],
        parts=parts)

    def aligned(offset):
        return (offset + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT

    # The manifest's length shifts the offsets that it states. They begin where it would end if all
    # of them were as long as this placeholder; it is shorter in the end, and zeros fill the gap.
    for part in parts.values():
        part["offset"] = 10**8
    offset = aligned(16 + len(json.dumps(manifest, sort_keys=True)))
    for name, blob in blobs:
        parts[name]["offset"] = offset
        offset = aligned(offset + len(blob))
    text = json.dumps(manifest, sort_keys=True).encode()
    output = bytearray(b"RRKMODEL" + struct.pack("<II", 1, len(text)) + text)
    for name, blob in blobs:
        output += bytes(parts[name]["offset"] - len(output)) + blob
    assert len(output) <= BYTES_MAX, len(output)
    target.write_bytes(output)
    golden_target.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")
    print(f"{target}: {len(output)} bytes")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:4]))
