"""What a pair's score is made of: three features of the two texts' tokens and their last states.

The logit is linear in

    best_window        the best cosine of the query's mean vector with the mean of WINDOW tokens of the
                       document in a row: the parent's own score for a short document, and for a long
                       one that of its best part
    max_similarity     for each of the query's tokens, [CLS] and [SEP] aside, the best cosine with a
                       token of the document, averaged (late interaction)
    lexical_match      the share of the query's term weights that the document has, each saturating
                       with its frequency as in BM25; weights and average length come with the model,
                       so that a score depends on its pair alone

and on nothing that another document of the job could change.
"""

import numpy as np

from lexical import LENGTH_AVERAGE, LENGTH_SHARE, SATURATION, WEIGHT_FLOOR

FEATURES = ("best_window", "max_similarity", "lexical_match")
WINDOW, WINDOW_STEP = 32, 8


def unit(vectors):
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def window_starts(count):
    """Where windows of a document of so many tokens begin; the last one ends where it ends."""
    last = max(count - WINDOW, 0)
    return np.append(np.arange(0, last, WINDOW_STEP), last)


def window_means(states):
    sums = np.concatenate([np.zeros((1, states.shape[1]), states.dtype), np.cumsum(states, axis=0)])
    starts = window_starts(len(states))
    return unit(sums[np.minimum(starts + WINDOW, len(states))] - sums[starts])


class Document:
    """One document, prepared for many queries."""

    def __init__(self, ids, states, terms, weights):
        self.tokens = unit(states)
        self.mean = unit(states.mean(axis=0))
        self.windows = window_means(states)
        found = terms[ids][weights[ids] > 0]
        self.frequencies = dict(zip(*np.unique(found, return_counts=True)))
        self.saturation = SATURATION * (
            1 - LENGTH_SHARE + LENGTH_SHARE * len(ids) / LENGTH_AVERAGE)


class Query:
    def __init__(self, ids, states, terms, weights):
        self.tokens = unit(states)[1:-1]
        self.mean = unit(states.mean(axis=0))
        spoken = ids[weights[ids] > 0]
        self.terms = terms[spoken]
        self.weights = weights[spoken] + WEIGHT_FLOOR

    def features(self, document):
        """[3], in the order of FEATURES."""
        similarity = 0.0
        if len(self.tokens):
            similarity = (self.tokens @ document.tokens.T).max(axis=1).mean()
        match = 0.0
        if len(self.terms):
            frequency = np.array([document.frequencies.get(term, 0) for term in self.terms])
            shares = frequency / (frequency + document.saturation)
            match = (self.weights * shares).sum() / self.weights.sum()
        return np.array([(document.windows @ self.mean).max(), similarity, match])
