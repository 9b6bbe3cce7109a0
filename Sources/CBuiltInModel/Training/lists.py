"""Lists of documents to learn from: a query's good documents among those that look like them."""

import numpy as np
import torch

from ranking import standardised

LIST_LENGTH = 16
# What the parent finds nearly as close as the answer may be an answer that nobody marked.
TOO_CLOSE = 0.95
# Of the standardised scores; chosen by nDCG@10 over the training sets.
TEACHER = dict(max_similarity=1.0, cosine=0.4, bm25=0.4)


class ListMaker:
    def __init__(self, collections, lessons, seed):
        """lessons: as `teach.py` writes them, one list a collection."""
        self.collections = collections
        self.lessons = lessons
        self.chance = np.random.default_rng(seed)
        # Small collections come less often, so that none is learned by heart.
        sizes = np.array([len(c.queries) for c in collections], dtype=np.float64)
        self.shares = np.sqrt(sizes) / np.sqrt(sizes).sum()

    def next(self):
        """(collection, query's number, documents' numbers, teacher's z-scores, labels)."""
        while True:
            choice = self.chance.choice(len(self.collections), p=self.shares)
            collection = self.collections[choice]
            number = int(self.chance.integers(len(collection.queries)))
            made = self.make(collection, number, *self.lessons[choice][number])
            if made is not None:
                return (collection, number, *made)

    def make(self, collection, number, pool, scores):
        if len(pool) < LIST_LENGTH:
            return None
        query = collection.queries[number]
        cosine = collection.cosine[number]
        positives = np.array([d for d, grade in query.grades.items() if grade > 0])
        taught = standardised(sum(weight * standardised(scores[name])
                                  for name, weight in TEACHER.items()))
        teacher = dict(zip(pool.tolist(), taught.tolist()))
        by_bm25 = pool[np.argsort(-scores["bm25"], kind="stable")]
        by_teacher = pool[np.argsort(-taught, kind="stable")]

        kept = self.chance.permutation(positives)[:2]
        limit = TOO_CLOSE * cosine[kept].max()
        taken = set(positives.tolist())
        chosen = list(kept)

        def add(source, count):
            # Ranks near the top come oftener: half of the draws from the first eighth or so.
            ranks = (len(source) * self.chance.random(8 * count) ** 3).astype(int)
            for document in source[ranks]:
                if count == 0:
                    break
                if int(document) not in taken and cosine[document] <= limit:
                    taken.add(int(document))
                    chosen.append(document)
                    count -= 1

        rest = LIST_LENGTH - len(chosen)
        add(by_bm25, (rest - 2) // 2)
        add(by_teacher, LIST_LENGTH - 2 - len(chosen))
        for document in self.chance.permutation(pool):
            if len(chosen) == LIST_LENGTH:
                break
            if int(document) not in taken and cosine[document] <= limit:
                taken.add(int(document))
                chosen.append(document)
        if len(chosen) < LIST_LENGTH // 2:
            return None
        labels = np.isin(chosen, positives).astype(np.float32)
        return (np.array(chosen), torch.tensor([teacher[int(d)] for d in chosen]),
                torch.from_numpy(labels))


def tensors(collection, number, documents):
    """The model's input: ids and frozen states of the query and the documents."""
    def ids(row):
        return torch.from_numpy(row).long()

    def states(row):
        return torch.from_numpy(row).float()

    return (ids(collection.query_ids[number]), states(collection.query_states[number]),
            [ids(collection.document_ids[d]) for d in documents],
            [states(collection.document_states[d]) for d in documents])
