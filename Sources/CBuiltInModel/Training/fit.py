"""Chooses the head's weights, and the scale that makes its logit a probability.

    python fit.py CACHE HEAD.json

Weights are those with the best mean nDCG@10 over the training sets, on a grid. How well a choice does
on a kind of text that it was not made on is told first: with each set left out in turn, beside BM25,
the parent and their fusion. Then the logit a * z + b is fitted to the labels of BM25's first documents
(Platt's scaling), every set weighing the same.
"""

import itertools
import json
import pathlib
import pickle
import sys

import numpy as np
import scipy.optimize

import collections_of_text as sets
from head import FEATURES
from ranking import ndcg, standardised

CHOICES = {
    "best_window": (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
    "max_similarity": (1.0,),
    "lexical_match": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
}
LIST_DEPTH = 64


def first_by_bm25(entry):
    return np.argsort(-entry["bm25"], kind="stable")[:LIST_DEPTH]


def quality(entries, score):
    """Mean nDCG@10 of a scoring function over BM25's first documents, and over the whole pools."""
    values = []
    for entry in entries:
        scores = score(entry)
        for rows in (first_by_bm25(entry), slice(None)):
            values.append(ndcg(scores[rows], entry["grades"][rows], entry["ideal"]))
    return np.mean(values)


def linear(weights):
    return lambda entry: entry["features"] @ weights


BASELINES = {
    "bm25": lambda entry: entry["bm25"],
    "parent": lambda entry: entry["parent"],
    "fusion": lambda entry: standardised(entry["bm25"]) + standardised(entry["parent"]),
}


def platt(collections, weights):
    lists = []
    for entries in collections.values():
        rows = [(entry, first_by_bm25(entry)) for entry in entries]
        lists.append((np.concatenate([entry["features"][first] @ weights for entry, first in rows]),
                      np.concatenate([entry["grades"][first] > 0 for entry, first in rows])))

    def loss(parameters):
        a, b = parameters
        return np.mean([np.mean(np.logaddexp(0, np.where(good, -(a * z + b), a * z + b)))
                        for z, good in lists])

    fitted = scipy.optimize.minimize(
        loss, np.array([10.0, -10.0]), method="Nelder-Mead", options=dict(maxiter=4000))
    assert fitted.success and fitted.x[0] > 0, fitted
    return float(fitted.x[0]), float(fitted.x[1]), float(fitted.fun)


def main(cache, target):
    collections = {name: pickle.loads((cache / f"{name}.pickle").read_bytes())
                   for name in sets.TRAINING_SETS}
    grid = [np.array(choice) for choice in itertools.product(*(CHOICES[name] for name in FEATURES))]
    table = np.array([[quality(entries, linear(weights)) for entries in collections.values()]
                      for weights in grid])
    for column, name in enumerate(collections):
        best = grid[table[:, np.arange(len(collections)) != column].mean(axis=1).argmax()]
        row = {"left out": quality(collections[name], linear(best)),
               **{ranker: quality(collections[name], score) for ranker, score in BASELINES.items()}}
        print(f"{name:22}", "  ".join(f"{ranker} {value:.4f}" for ranker, value in row.items()),
              best.tolist())
    weights = grid[table.mean(axis=1).argmax()]
    a, b, loss = platt(collections, weights)
    chosen = dict(weights=dict(zip(FEATURES, (a * weights).tolist())), bias=b)
    target.write_text(json.dumps(chosen, indent=1))
    print("chosen", weights.tolist(), f"mean {table.mean(axis=1).max():.4f}, log loss {loss:.4f}",
          chosen)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
