"""The measure by which recipes are chosen. A release is measured by `rerankctl eval`."""

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
