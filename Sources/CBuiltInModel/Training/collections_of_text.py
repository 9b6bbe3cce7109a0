"""The sets that the head is fitted on, in one shape."""

import json
import random
from dataclasses import dataclass, field

# Labelled sets: how many of their documents take part. The rest of a large corpus adds hours and few
# new kinds of text.
TRAINING_SETS = {
    "medquad": 3000,
    "nq-qed-train": 5000,
    "squad-sent-dev": 5000,
    "policyqa-dev": 1000,
    "codexglue-docstrings": 1100,
}
# Their words count for the term weights.
UNLABELLED_SETS = ("2wiki", "ms-docs-en")
# Sets whose documents may only be compared within one title: a policy's paragraphs.
GROUPED_BY_TITLE = {"policyqa-dev"}


@dataclass
class Query:
    text: str
    # Document number -> grade.
    grades: dict
    # Document numbers to choose from; None takes the whole collection.
    candidates: list | None = None


@dataclass
class Collection:
    name: str
    documents: list = field(default_factory=list)
    titles: list = field(default_factory=list)
    queries: list = field(default_factory=list)

    def text(self, number):
        return f"{self.titles[number]} {self.documents[number]}".strip()


def read_lines(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def read_labelled(folder, name, documents_max=None, seed=1):
    """A set with judgements; of a corpus that is too large, a random part with its queries."""
    corpus = read_lines(folder / "corpus.jsonl")
    if documents_max is not None and len(corpus) > documents_max:
        corpus = random.Random(seed).sample(corpus, documents_max)
    collection = Collection(name)
    numbers = {}
    for document in corpus:
        numbers[document["_id"]] = len(collection.documents)
        collection.titles.append(document.get("title") or "")
        collection.documents.append(document["text"])
    grades = {}
    with open(folder / "qrels.tsv", encoding="utf-8") as lines:
        for line in lines:
            query, document, grade = line.rstrip("\n").split("\t")
            if document in numbers and grade.lstrip("-").isdigit():
                grades.setdefault(query, {})[numbers[document]] = int(grade)
    by_title = {}
    for number, title in enumerate(collection.titles):
        by_title.setdefault(title, []).append(number)
    for query in read_lines(folder / "queries.jsonl"):
        judged = grades.get(query["_id"])
        if judged is None or max(judged.values()) <= 0:
            continue
        candidates = None
        if name in GROUPED_BY_TITLE:
            candidates = by_title[collection.titles[next(iter(judged))]]
        collection.queries.append(Query(query["text"], judged, candidates=candidates))
    return collection


def read_unlabelled(path):
    """Passages as texts."""
    return [f"{passage.get('title') or ''} {passage['text']}".strip() for passage in read_lines(path)]
