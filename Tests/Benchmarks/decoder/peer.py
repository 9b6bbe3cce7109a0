#!/usr/bin/env python3
"""The same job as decoder-bench, with transformers on one thread of PyTorch: 20 pairs in one batch,
whole, and with the keys and values of what they share computed once and repeated for all. Prints one
line of JSON for compare.py. Arguments: a folder of make_model.py, and bf16 or fp32."""

import json
import resource
import sys
import time

import torch
from tokenizers import Tokenizer
from transformers import DynamicCache, Qwen3ForCausalLM

DOCUMENTS, DOCUMENT_TOKENS, SHARED_TOKENS = 20, 100, 72
QUERY = "which city ?"


def document(index):
    return "".join(
        chr(97 + (index * 7 + place * 3 + index * place) % 26) for place in range(DOCUMENT_TOKENS))


def main(folder, precision):
    torch.set_num_threads(1)
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    yes, no = tokenizer.token_to_id("yes"), tokenizer.token_to_id("no")
    encode = lambda text: [tokenizer.token_to_id(letter.replace(" ", "Ġ")) for letter in text]
    ids = torch.tensor([
        encode("s" * 60 + QUERY + document(index)) + [tokenizer.token_to_id("<|im_end|>")]
        + encode("t" * 10) for index in range(DOCUMENTS)])

    def whole(model):
        logits = model(input_ids=ids, logits_to_keep=1).logits[:, -1].float()
        return logits[:, yes] - logits[:, no]

    def shared(model):
        cache = DynamicCache(config=model.config)
        model.model(input_ids=ids[:1, :SHARED_TOKENS], cache=cache, use_cache=True)
        cache.batch_repeat_interleave(DOCUMENTS)
        logits = model(
            input_ids=ids[:, SHARED_TOKENS:], cache=cache, logits_to_keep=1,
            use_cache=True).logits[:, -1].float()
        return logits[:, yes] - logits[:, no]

    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    report, scores = {}, []
    with torch.no_grad():
        for run in (whole, shared):
            start = time.process_time()
            scores.append(run(model))
            report[run.__name__] = time.process_time() - start
    if not torch.allclose(*scores, atol=0.1 if precision == "bf16" else 1e-3):
        sys.exit("peer.py: sharing the beginning changed the scores, so it is measured wrongly")
    report["peak_megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
