"""Measures of rankings, for choosing recipes. The release is measured by `rerankctl eval`."""

import numpy as np


def ndcg(scores, grades, ideal_grades, depth=10):
    """trec_eval's: linear gain, log2 discount; grades of the candidates, ideal over all judged."""
    discount = 1 / np.log2(np.arange(2, depth + 2))
    order = np.argsort(-np.asarray(scores), kind="stable")[:depth]
    gained = (np.maximum(np.asarray(grades)[order], 0) * discount[: len(order)]).sum()
    ideal = np.sort(np.maximum(np.asarray(ideal_grades), 0))[::-1][:depth]
    best = (ideal * discount[: len(ideal)]).sum()
    return float(gained / best) if best > 0 else 0.0


def standardised(values):
    return (values - values.mean()) / (values.std() + 1e-9)


def candidates_of(collection, number, depth=100):
    """What is to be reranked: the given list, or BM25's first documents of the query's choice."""
    query = collection.queries[number]
    if query.candidates is not None and collection.name.startswith("trec"):
        return np.array(query.candidates[:depth])
    scores = collection.bm25[number]
    if query.candidates is not None:
        choice = np.array(query.candidates)
        return choice[np.argsort(-scores[choice], kind="stable")[:depth]]
    return np.argsort(-scores, kind="stable")[:depth]
