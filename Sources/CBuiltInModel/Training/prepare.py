"""Computes the features of the training sets' pairs once, and the term weights.

    python prepare.py DATA CACHE

DATA holds train/ and text/. CACHE/terms.npz gets the terms and their weights; CACHE/NAME.pickle, for
each labelled set, one entry a query: {"pool", "features" [pool][3], "bm25" [pool], "parent" [pool],
"grades" [pool], "ideal"}. The pool is what BM25 and the parent put first of the set's documents, and
the answers. What CACHE has already is not made again.
"""

import pathlib
import pickle
import random
import sys
import time

import numpy as np

import collections_of_text as sets
from encoder import Parent, encode, vocabulary
from head import Document, Query
from lexical import BM25, term_classes, term_weights

DOCUMENT_TOKENS_MAX, QUERY_TOKENS_MAX = 256, 64
QUERIES_MAX = 600
POOL_DEPTH = 64


def read_sets(data):
    return {name: sets.read_labelled(data / "train" / name, name, documents_max)
            for name, documents_max in sets.TRAINING_SETS.items()}


def prepare(parent, collection, document_ids, terms, weights):
    queries = collection.queries
    if len(queries) > QUERIES_MAX:
        queries = random.Random(collection.name).sample(queries, QUERIES_MAX)
    bm25 = BM25([collection.text(number) for number in range(len(collection.documents))])
    documents = [Document(ids, states, terms, weights)
                 for ids, states in zip(document_ids, parent.states(document_ids))]
    means = np.stack([document.mean for document in documents])
    query_ids = encode([query.text for query in queries], QUERY_TOKENS_MAX)
    entries = []
    for query, ids, states in zip(queries, query_ids, parent.states(query_ids)):
        asked = Query(ids, states, terms, weights)
        by_words, by_vectors = bm25.scores(query.text), means @ asked.mean
        choice = np.array(query.candidates if query.candidates is not None
                          else range(len(documents)))
        first = [choice[np.argsort(-scores[choice], kind="stable")[:POOL_DEPTH]]
                 for scores in (by_words, by_vectors)]
        pool = np.unique(np.concatenate([*first, list(query.grades)]).astype(int))
        entries.append(dict(
            pool=pool, bm25=by_words[pool], parent=by_vectors[pool],
            features=np.stack([asked.features(documents[number]) for number in pool]),
            grades=np.array([query.grades.get(int(number), 0) for number in pool]),
            ideal=np.array(list(query.grades.values()))))
    return entries


def main(data, cache):
    cache.mkdir(parents=True, exist_ok=True)
    collections = read_sets(data)
    ids = {name: encode([one.text(number) for number in range(len(one.documents))],
                        DOCUMENT_TOKENS_MAX) for name, one in collections.items()}
    if not (cache / "terms.npz").exists():
        pieces = vocabulary()
        classes = term_classes(pieces)
        unlabelled = [encode(sets.read_unlabelled(data / "text" / f"{name}.jsonl"),
                             DOCUMENT_TOKENS_MAX) for name in sets.UNLABELLED_SETS]
        everything = [row for rows in (*ids.values(), *unlabelled) for row in rows]
        np.savez(cache / "terms.npz", terms=classes,
                 weights=term_weights(everything, classes, pieces))
    found = np.load(cache / "terms.npz")
    terms, weights = found["terms"], found["weights"]
    parent = Parent().eval()
    for name, collection in collections.items():
        target = cache / f"{name}.pickle"
        if not target.exists():
            begun = time.monotonic()
            entries = prepare(parent, collection, ids[name], terms, weights)
            partial = target.with_suffix(".part")
            partial.write_bytes(pickle.dumps(entries))
            partial.rename(target)
            print(f"{name}: {len(collection.documents)} documents, {len(entries)} queries, "
                  f"{time.monotonic() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
