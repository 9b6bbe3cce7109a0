"""One peer as a process: the same lines in and out as the engine's driver.

    peer.py ort MODEL.onnx | openvino MODEL.onnx f32|bf16 | torch FOLDER fp32|bf16

A line "WORKLOAD BATCH" runs a workload in batches of so many pairs, those of like length together.
"""

import json
import pathlib
import resource
import sys
import time

QUERY, FIRST_WORD = 8, 5
CLS, SEP = 2, 3


def words(count, first):
    return [FIRST_WORD + (first + 7 * i) % 20_000 for i in range(count)]


def pair(tokens, index):
    """The ids and token types that the engine's tokenizer gives to its driver's texts."""
    query = [CLS] + words(QUERY, 0) + [SEP]
    document = words(tokens - QUERY - 3, 11 * index) + [SEP]
    return query + document, [0] * len(query) + [1] * len(document)


def lengths(workload):
    if workload == "128":
        return [128] * 32
    return [16 + i * 240 // 31 for i in range(32)]


def batches(workload, size):
    import numpy as np

    pairs = [pair(tokens, i) for i, tokens in enumerate(lengths(workload))]
    pairs.sort(key=lambda p: len(p[0]))
    for first in range(0, len(pairs), size):
        some = pairs[first : first + size]
        width = max(len(ids) for ids, _ in some)
        arrays = {
            name: np.zeros((len(some), width), np.int64)
            for name in ("input_ids", "attention_mask", "token_type_ids")
        }
        for row, (ids, types) in enumerate(some):
            arrays["input_ids"][row, : len(ids)] = ids
            arrays["attention_mask"][row, : len(ids)] = 1
            arrays["token_type_ids"][row, : len(ids)] = types
        yield arrays


def onnx_runtime(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda arrays: session.run(None, arrays)[0]


def open_vino(path, precision):
    import openvino

    model = openvino.Core().compile_model(
        path, "CPU",
        {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision,
         "PERFORMANCE_HINT": "LATENCY"})
    return lambda arrays: next(iter(model(arrays).values()))


def pytorch(folder, precision):
    import torch
    import transformers

    torch.set_num_threads(1)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = transformers.BertForSequenceClassification.from_pretrained(
        folder, torch_dtype=dtype).eval()

    def run(arrays):
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            return model(**tensors).logits.float().numpy()

    return run


def report(**values):
    values["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(values), flush=True)


def main(kind, *arguments):
    import numpy as np

    run = {"ort": onnx_runtime, "openvino": open_vino, "torch": pytorch}[kind](*arguments)
    ids, types = pair(8 + QUERY + 3, 0)
    first = {
        "input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64),
        "token_type_ids": np.array([types]),
    }
    report(engine=kind, logit=float(run(first)[0][0]))
    for line in sys.stdin:
        workload, size = line.split()
        prepared = list(batches(workload, int(size)))
        cpu, wall = time.process_time(), time.perf_counter()
        for arrays in prepared:
            run(arrays)
        report(
            pairs=len(lengths(workload)), cpu=time.process_time() - cpu,
            wall=time.perf_counter() - wall)


if __name__ == "__main__":
    main(*sys.argv[1:])
