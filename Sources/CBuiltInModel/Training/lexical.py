"""BM25 for candidate lists and as a baseline, and the term weights that the model carries."""

import re

import numpy as np
import scipy.sparse
import snowballstemmer

# The lexical match saturates as BM25 does, with these constants and lengths in tokens.
SATURATION, LENGTH_SHARE, LENGTH_AVERAGE = 0.9, 0.4, 110.0
# Added to the weight of each term that has one, so that a frequent word still counts.
WEIGHT_FLOOR = 0.02

WORD = re.compile(r"[^\W_]+")
STOP_WORDS = frozenset(
    "a an and are as at be but by for from had has have he her his how i if in into is it its no not "
    "of on or our she so such that the their them then there these they this to was we were what when "
    "where which who why will with you your do does did can could would should about".split())
_stemmer = snowballstemmer.stemmer("english")


def terms(text):
    return [_stemmer.stemWord(w) for w in WORD.findall(text.lower()) if w not in STOP_WORDS]


class BM25:
    """Lucene's variant: idf = ln(1 + (N - n + 0.5) / (n + 0.5))."""

    def __init__(self, texts, k1=SATURATION, b=LENGTH_SHARE):
        self.vocabulary = {}
        rows, columns, counts, lengths = [], [], [], []
        for row, text in enumerate(texts):
            found = {}
            words = terms(text)
            for word in words:
                column = self.vocabulary.setdefault(word, len(self.vocabulary))
                found[column] = found.get(column, 0) + 1
            rows += [row] * len(found)
            columns += found.keys()
            counts += found.values()
            lengths.append(len(words))
        frequency = np.bincount(columns, minlength=len(self.vocabulary))
        self.idf = np.log(1 + (len(texts) - frequency + 0.5) / (frequency + 0.5))
        lengths = np.array(lengths, dtype=np.float64)
        counts = np.array(counts, dtype=np.float64)
        norm = k1 * (1 - b + b * lengths[rows] / max(lengths.mean(), 1))
        weights = self.idf[columns] * counts / (counts + norm)
        self.matrix = scipy.sparse.csr_matrix(
            (weights, (rows, columns)), shape=(len(texts), len(self.vocabulary))).tocsc()

    def scores(self, query):
        total = np.zeros(self.matrix.shape[0])
        for word in terms(query):
            column = self.vocabulary.get(word)
            if column is not None:
                first, last = self.matrix.indptr[column], self.matrix.indptr[column + 1]
                total[self.matrix.indices[first:last]] += self.matrix.data[first:last]
        return total


def term_classes(vocabulary):
    """Token id -> number of its class: tokens that are whole words of one stem share a class."""
    classes = np.zeros(len(vocabulary), dtype=np.int32)
    numbers = {}
    for token, piece in enumerate(vocabulary):
        whole = piece.isascii() and piece.isalpha()
        key = _stemmer.stemWord(piece) if whole else piece
        classes[token] = numbers.setdefault(key, token)
    return classes


def term_weights(documents, classes, vocabulary):
    """One weight a token, 0 to 1: its class's inverse document frequency over the training text.

    documents: token ids, one array a document. Stop words and control tokens weigh nothing.
    """
    frequency = np.zeros(len(classes))
    for ids in documents:
        frequency[np.unique(classes[ids])] += 1
    count = len(documents)
    weights = np.log(1 + (count - frequency + 0.5) / (frequency + 0.5))
    weights = (weights / np.log(1 + (count + 0.5) / 0.5))[classes]
    for token, piece in enumerate(vocabulary):
        if (piece.startswith("[") or piece in STOP_WORDS
                or not any(character.isalnum() for character in piece)):
            weights[token] = 0
    return weights.astype(np.float32)
