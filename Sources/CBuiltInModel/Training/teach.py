"""The teacher's scores for every query's pool, from what `prepare.py` has computed.

    python teach.py CACHE

The pool is what BM25 and the parent put first, and the answers. The teacher is what the untrained
model says (the parent's cosine, max-similarity of its token states, lexical match), with BM25: each
standardised over the pool, so that none depends on the others' scale. On its own each is worse than
the sum. CACHE/teacher-NAME.pickle holds [(pool, {"cosine": …, "max_similarity": …, "lexical_match":
…, "bm25": …})], one a query.
"""

import pathlib
import pickle
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

import collections_of_text as sets
from encoder import Parent, tokenizer
from lexical import STOP_WORDS, term_classes, term_weights
from model import LENGTH_AVERAGE, LENGTH_SHARE, SATURATION, WEIGHT_FLOOR, CrossEncoder
from prepare import BATCH_TOKENS, FROZEN_LAYERS

POOL_DEPTH = 64


def new_model(collections):
    """The untrained model; its term weights are those of the collections' documents."""
    vocabulary = [token for token, _ in sorted(
        tokenizer().get_vocab().items(), key=lambda pair: pair[1])]
    classes = term_classes(vocabulary)
    silent = [number for number, piece in enumerate(vocabulary)
              if piece.startswith("[") or piece in STOP_WORDS
              or not any(character.isalnum() for character in piece)]
    weights = term_weights(
        [ids for collection in collections for ids in collection.document_ids], classes, silent)
    return CrossEncoder(Parent(), FROZEN_LAYERS, classes, weights)


def final_states(model, rows):
    """Unit token vectors after the parent's last layer, float32, one array a row."""
    done = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        while order:
            count = max(1, BATCH_TOKENS // len(rows[order[-1]]))
            chunk, order = order[-count:], order[:-count]
            length = len(rows[chunk[-1]])
            x = torch.zeros(len(chunk), length, rows[0].shape[1])
            mask = torch.full((len(chunk), 1, 1, length), float("-inf"))
            for position, row in enumerate(chunk):
                x[position, : len(rows[row])] = torch.from_numpy(rows[row]).float()
                mask[position, 0, 0, : len(rows[row])] = 0
            for layer in model.layers:
                x = layer(x, mask)
            x = F.normalize(x.float(), dim=-1).numpy()
            for position, row in enumerate(chunk):
                done[row] = x[position, : len(rows[row])].copy()
    return done


def pool_of(collection, number):
    query = collection.queries[number]
    everything = (np.arange(len(collection.documents)) if query.candidates is None
                  else np.array(query.candidates))
    first = [everything[np.argsort(-scores[number][everything], kind="stable")[:POOL_DEPTH]]
             for scores in (collection.bm25, collection.cosine)]
    return np.unique(np.concatenate([*first, list(query.grades)]).astype(int))


def teach(model, collection):
    classes = model.term_classes.numpy()
    weights = model.term_weights.numpy()
    documents = final_states(model, collection.document_states)
    queries = final_states(model, collection.query_states)
    lessons = []
    for number in range(len(collection.queries)):
        pool = pool_of(collection, number)
        ids = collection.query_ids[number]
        of_token = weights[ids] + WEIGHT_FLOOR * (weights[ids] > 0)
        spoken = of_token > 0
        total = max(of_token.sum(), 1e-6)
        lengths = np.array([len(documents[d]) for d in pool])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        tokens = np.concatenate([collection.document_ids[d] for d in pool])
        silent = weights[tokens] == 0
        similarity = np.concatenate([documents[d] for d in pool]) @ queries[number][1:-1].T
        best = np.maximum.reduceat(similarity, starts, axis=0)
        same = (classes[tokens][:, None] == classes[ids[spoken]][None, :]) & ~silent[:, None]
        frequency = np.add.reduceat(same.astype(np.float32), starts, axis=0)
        norm = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * lengths / LENGTH_AVERAGE)
        lexical = frequency / (frequency + norm[:, None])
        lessons.append((pool, dict(
            cosine=collection.cosine[number][pool],
            max_similarity=best.sum(axis=1) / max(len(ids) - 2, 1),
            lexical_match=(lexical @ of_token[spoken]) / total,
            bm25=collection.bm25[number][pool])))
    return lessons


def main(cache):
    collections = {name: pickle.loads((cache / f"{name}.pickle").read_bytes())
                   for name in (*sets.TRAINING_SETS, *sets.UNLABELLED_SETS)}
    model = new_model(collections.values()).eval()
    for name, collection in collections.items():
        target = cache / f"teacher-{name}.pickle"
        if not target.exists():
            begun = time.monotonic()
            target.write_bytes(pickle.dumps(teach(model, collection)))
            print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
