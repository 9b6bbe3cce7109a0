"""Everything that training reads, computed once: token ids, the states after the frozen layers, the
parent's vectors, and BM25's and the parent's scores.

    python prepare.py DATA CACHE

DATA holds train/ and text/ (and dev/, for measuring). What CACHE has already is not made again.
"""

import pathlib
import pickle
import random
import sys
import time

import numpy as np
import torch

import collections_of_text as sets
from encoder import HIDDEN, Parent, encode, padded
from lexical import BM25

DOCUMENT_TOKENS_MAX, QUERY_TOKENS_MAX = 256, 64
# Documents of training lists are cut shorter: twice as many lists in the same time.
TRAINING_TOKENS_MAX = 160
FROZEN_LAYERS = 3
QUERIES_MAX = {"codexglue-docstrings": 800}
QUERIES_DEFAULT, GENERATED_UNLABELLED, GENERATED_LABELLED = 1500, 1200, 200
BATCH_TOKENS = 8192


def states(parent, rows):
    """Per row: states after the frozen layers (float16, [t][H]) and the parent's unit vector."""
    frozen, vectors = [None] * len(rows), np.zeros((len(rows), HIDDEN), dtype=np.float32)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        while order:
            count = max(1, BATCH_TOKENS // len(rows[order[-1]]))
            chunk, order = order[-count:], order[:-count]
            ids, mask = padded([rows[row] for row in chunk])
            x = parent.embed(ids)
            for index, layer in enumerate(parent.layers):
                if index == FROZEN_LAYERS:
                    kept = x.to(torch.float16).numpy()
                x = layer(x, mask)
            present = (mask[:, 0, 0, :] == 0).float()[..., None]
            mean = (x.float() * present).sum(1) / present.sum(1)
            vectors[chunk] = torch.nn.functional.normalize(mean, dim=-1).numpy()
            for position, row in enumerate(chunk):
                frozen[row] = kept[position, : len(rows[row])].copy()
    return frozen, vectors


def prepare(parent, collection, document_tokens_max):
    """Adds ids, states, vectors and scores to a collection."""
    texts = [collection.text(number) for number in range(len(collection.documents))]
    bm25 = BM25(texts)
    collection.document_ids = encode(texts, document_tokens_max)
    collection.query_ids = encode([query.text for query in collection.queries], QUERY_TOKENS_MAX)
    collection.document_states, collection.document_vectors = states(
        parent, collection.document_ids)
    collection.query_states, collection.query_vectors = states(parent, collection.query_ids)
    collection.bm25 = np.stack(
        [bm25.scores(query.text) for query in collection.queries]).astype(np.float32)
    collection.cosine = (collection.query_vectors @ collection.document_vectors.T)


def collection_named(data, name):
    if name in sets.DEVELOPMENT_SETS:
        return sets.read_labelled(data / "dev" / name, name)
    if name in sets.TRAINING_SETS:
        collection = sets.read_labelled(data / "train" / name, name, sets.TRAINING_SETS[name])
        queries_max = QUERIES_MAX.get(name, QUERIES_DEFAULT)
        if len(collection.queries) > queries_max:
            collection.queries = random.Random(name).sample(collection.queries, queries_max)
        generated = GENERATED_LABELLED if name != "policyqa-dev" else 0
    else:
        collection = sets.read_unlabelled(
            data / "text" / f"{name}.jsonl", name, sets.UNLABELLED_SETS[name])
        generated = GENERATED_UNLABELLED
    if generated:
        bm25 = BM25([collection.text(number) for number in range(len(collection.documents))])
        sets.add_generated_queries(collection, generated, bm25.weights_of_words)
    return collection


def main(data, cache, names):
    cache.mkdir(parents=True, exist_ok=True)
    parent = Parent().eval()
    for name in names or [*sets.TRAINING_SETS, *sets.UNLABELLED_SETS, *sets.DEVELOPMENT_SETS]:
        target = cache / f"{name}.pickle"
        if target.exists():
            continue
        begun = time.monotonic()
        collection = collection_named(data, name)
        is_development = name in sets.DEVELOPMENT_SETS
        prepare(parent, collection,
                DOCUMENT_TOKENS_MAX if is_development else TRAINING_TOKENS_MAX)
        partial = target.with_suffix(".part")
        with open(partial, "wb") as file:
            pickle.dump(collection, file, protocol=pickle.HIGHEST_PROTOCOL)
        partial.rename(target)
        print(f"{name}: {len(collection.documents)} documents, {len(collection.queries)} queries, "
              f"{sum(map(len, collection.document_ids))} tokens, "
              f"{time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:])
