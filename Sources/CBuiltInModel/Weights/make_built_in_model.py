#!/usr/bin/env python3
"""Packs a BERT cross-encoder's folder into the one file that goes into the binary.

    python3 -m venv env && env/bin/pip install numpy
    env/bin/python make_built_in_model.py FOLDER rerankd-minilm-l6-v0.bin

FOLDER holds config.json, model.safetensors (F32, F16 or BF16), vocab.txt, tokenizer_config.json and
golden.json (pairs with token ids, as the development model has it). The same folder gives the same
bytes.

The file, all integers little-endian:

    offset 0   8 bytes   "RRKMODEL"
    offset 8   u32       version, 1
    offset 12  u32       length of the manifest
    offset 16            the manifest, JSON in UTF-8
    then, each at a multiple of 64 bytes from the file's start, the parts that the manifest lists

manifest: name, licence, contextTokens, template, scoreKind, config (as in a Hugging Face config.json),
tokenizer {vocabulary: part, lowercase}, golden [{query, document, logit}], and parts: name ->
{type, shape, offset, bytes, scales}. Types: "F32"; "I8_ROWS", symmetric 8-bit integers of -127 to
127 with one F32 scale a row, which lie in the part named by `scales`; "BYTES". The golden logits are
this script's own forward pass over the quantised weights in double precision, so that a loader can
hold its arithmetic against another implementation.
"""

import json
import math
import pathlib
import struct
import sys

import numpy as np

NAME = "rerankd-minilm-l6-v0"
LICENCE = (
    "Apache-2.0 (encoder); trained on data under CC BY 4.0, CC BY-SA 3.0 and 4.0, MIT and C-UDA, "
    "see the model card"
)
ALIGNMENT = 64
BYTES_MAX = 25_000_000
GOLDEN_PAIRS = 4


def read_safetensors(path):
    blob = path.read_bytes()
    (length,) = struct.unpack_from("<Q", blob)
    header = json.loads(blob[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        raw = blob[8 + length + first : 8 + length + last]
        if entry["dtype"] == "BF16":
            bits = np.frombuffer(raw, "<u2").astype(np.uint32) << 16
            values = bits.view(np.float32)
        elif entry["dtype"] in ("F16", "F32"):
            values = np.frombuffer(raw, "<f2" if entry["dtype"] == "F16" else "<f4")
        else:
            continue
        tensors[name] = values.astype(np.float32).reshape(entry["shape"])
    return tensors


def quantise(matrix):
    """Rows of int8 and their scales; a row of zeros gets the scale 0."""
    scales = (np.abs(matrix).max(axis=1) / 127).astype(np.float32)
    divisors = np.where(scales == 0, 1, scales)[:, None]
    rows = np.clip(np.rint(matrix / divisors), -127, 127).astype(np.int8)
    return rows, scales


def logit_of(weights, config, ids, token_types):
    """BertForSequenceClassification of one pair, in double precision."""
    def linear(name, x):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, x):
        mean = x.mean(-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(-1, keepdims=True)
        scaled = (x - mean) / np.sqrt(variance + config["layer_norm_eps"])
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    heads = config["num_attention_heads"]
    size = config["hidden_size"] // heads
    erf = np.vectorize(math.erf)
    embeddings = "bert.embeddings"
    x = norm(
        f"{embeddings}.LayerNorm",
        weights[f"{embeddings}.word_embeddings.weight"][ids]
        + weights[f"{embeddings}.position_embeddings.weight"][: len(ids)]
        + weights[f"{embeddings}.token_type_embeddings.weight"][token_types],
    )
    for index in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{index}"
        query, key, value = (
            linear(f"{layer}.attention.self.{part}", x).reshape(-1, heads, size).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = query @ key.swapaxes(1, 2) / math.sqrt(size)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        context = (scores @ value).swapaxes(0, 1).reshape(len(ids), -1)
        x = norm(
            f"{layer}.attention.output.LayerNorm",
            x + linear(f"{layer}.attention.output.dense", context))
        up = linear(f"{layer}.intermediate.dense", x)
        up = up * 0.5 * (1 + erf(up / math.sqrt(2)))
        x = norm(f"{layer}.output.LayerNorm", x + linear(f"{layer}.output.dense", up))
    pooled = np.tanh(linear("bert.pooler.dense", x[:1]))
    return float(linear("classifier", pooled)[0, 0])


def main(folder, target):
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"], config["architectures"]
    assert config["hidden_act"] == "gelu", config["hidden_act"]
    kept = (
        "architectures", "model_type", "hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "hidden_act", "layer_norm_eps", "max_position_embeddings",
        "type_vocab_size", "vocab_size", "position_embedding_type", "id2label",
    )
    config = {key: config[key] for key in kept if key in config}
    tokenizer_config = json.loads((folder / "tokenizer_config.json").read_text())
    assert tokenizer_config["strip_accents"] is None, tokenizer_config

    parts, blobs, dequantised = {}, [], {}

    def add(name, kind, shape, blob, scales=None):
        parts[name] = dict(type=kind, shape=list(shape), bytes=len(blob))
        if scales:
            parts[name]["scales"] = scales
        blobs.append((name, blob))

    for name, tensor in sorted(read_safetensors(folder / "model.safetensors").items()):
        if tensor.ndim == 2 and tensor.shape[0] > 1:
            rows, scales = quantise(tensor)
            add(f"{name}.scales", "F32", scales.shape, scales.astype("<f4").tobytes())
            add(name, "I8_ROWS", rows.shape, rows.tobytes(), scales=f"{name}.scales")
            dequantised[name] = rows.astype(np.float64) * scales[:, None].astype(np.float64)
        else:
            add(name, "F32", tensor.shape, tensor.astype("<f4").tobytes())
            dequantised[name] = tensor.astype(np.float64)
    vocabulary = (folder / "vocab.txt").read_bytes()
    add("vocab.txt", "BYTES", [len(vocabulary)], vocabulary)

    golden = []
    for pair in json.loads((folder / "golden.json").read_text())[:GOLDEN_PAIRS]:
        logit = logit_of(dequantised, config, pair["ids"], pair["token_types"])
        print(f"{logit:9.5f} quantised, {pair['logit']:9.5f} before: {pair['document'][:60]}")
        golden.append(
            dict(query=pair["query"], document=pair["document"], logit=round(logit, 6)))

    manifest = dict(
        name=NAME, licence=LICENCE, contextTokens=config["max_position_embeddings"],
        template="[CLS] {query} [SEP] {document} [SEP]", scoreKind="sigmoid", config=config,
        tokenizer=dict(vocabulary="vocab.txt", lowercase=tokenizer_config["do_lower_case"]),
        golden=golden, parts=parts,
    )

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
    print(f"{target}: {len(output)} bytes")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
