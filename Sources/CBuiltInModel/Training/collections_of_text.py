"""The sets that the model learns from and is measured on, in one shape."""

import json
import random
import re
from dataclasses import dataclass, field

# Labelled sets: how many of their documents take part. The rest of a large corpus adds hours of
# embedding and few new kinds of text.
TRAINING_SETS = {
    "medquad": 3000,
    "nq-qed-train": 5000,
    "squad-sent-dev": 5000,
    "policyqa-dev": 1000,
    "codexglue-docstrings": 1100,
}
UNLABELLED_SETS = {"2wiki": 3000, "ms-docs-en": 3000}
DEVELOPMENT_SETS = ("cisi", "cranfield", "med", "trec-dl21")
# Sets whose documents may only be compared within one title: a policy's paragraphs.
GROUPED_BY_TITLE = {"policyqa-dev"}


@dataclass
class Query:
    text: str
    # Document number -> grade; generated queries have their source's number with grade 1.
    grades: dict
    # "question", or how it was made: "title", "sentence", "keywords", "template".
    kind: str = "question"
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
    listed = {}
    if (folder / "candidates.jsonl").exists():
        for line in read_lines(folder / "candidates.jsonl"):
            listed[line["query-id"]] = [numbers[d] for d in line["doc-ids"]]
    by_title = {}
    for number, title in enumerate(collection.titles):
        by_title.setdefault(title, []).append(number)
    for query in read_lines(folder / "queries.jsonl"):
        judged = grades.get(query["_id"])
        if judged is None or max(judged.values()) <= 0:
            continue
        candidates = listed.get(query["_id"])
        if name in GROUPED_BY_TITLE:
            candidates = by_title[collection.titles[next(iter(judged))]]
        collection.queries.append(Query(query["text"], judged, candidates=candidates))
    return collection


def read_unlabelled(path, name, documents_max, seed=1):
    passages = read_lines(path)
    if len(passages) > documents_max:
        passages = random.Random(seed).sample(passages, documents_max)
    collection = Collection(name)
    for passage in passages:
        collection.titles.append(passage.get("title") or "")
        collection.documents.append(passage["text"])
    return collection


SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
TEMPLATES = (
    "what is {}", "how does {} work", "{} explained", "information about {}", "tell me about {}",
    "why is {} important", "who or what is {}", "define {}", "{} meaning", "examples of {}",
)


def add_generated_queries(collection, count, weights_of_words, seed=1):
    """Queries for passages that nobody asked about: titles, sentences, keywords, templates.

    weights_of_words: text -> [(word, inverse document frequency)].
    """
    chance = random.Random(f"{seed} {collection.name}")
    for _ in range(count):
        number = chance.randrange(len(collection.documents))
        text = collection.documents[number]
        kind = chance.choice(("title", "sentence", "keywords", "template"))
        words = sorted(set(weights_of_words(text)), key=lambda pair: (-pair[1], pair[0]))
        top = [word for word, _ in words[:12]]
        if len(top) < 3:
            continue
        if kind in ("title", "template") and not collection.titles[number]:
            kind = chance.choice(("sentence", "keywords", "template"))
        if kind == "title":
            query = collection.titles[number]
        elif kind == "sentence":
            query = chance.choice(SENTENCE_END.split(text))
            words_of_query = query.split()
            if not 4 <= len(words_of_query) <= 40:
                continue
            length = chance.randint(4, len(words_of_query))
            first = chance.randint(0, len(words_of_query) - length)
            query = " ".join(words_of_query[first : first + length])
        elif kind == "keywords":
            query = " ".join(chance.sample(top, min(len(top), chance.randint(2, 5))))
        else:
            subject = collection.titles[number] or " ".join(top[:2])
            query = chance.choice(TEMPLATES).format(subject)
        collection.queries.append(Query(query, {number: 1}, kind=kind))
