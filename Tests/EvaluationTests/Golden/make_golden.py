"""Makes metrics.json and stems.json: what trec_eval and Snowball's "porter" say.

    pip install pytrec_eval-terrier==0.5.11 snowballstemmer==3.1.1
    python make_golden.py

Judgements and runs are random, from a fixed seed, over few documents and few scores, so that ties,
documents without a judgement and grades below 1 are frequent. Some queries stand on one side only.
"""

import json
import pathlib
import random

import pytrec_eval
import snowballstemmer

FOLDER = pathlib.Path(__file__).parent
CUTOFFS = (1, 3, 5, 10)
DOCUMENTS = [f"d{number}" for number in range(1, 15)] + ["D2", "é", "zz"]

# Three letters and more: shorter words are left alone, as in Porter's own program, and not in Snowball.
WORDS = """
caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized
hopping tanned falling hissing fizzed failing filing happy sky relational conditional rational
valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli vietnamization
predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti
sensibiliti triplicate formative formalize electriciti electrical hopeful goodness revival allowance
inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent
adoption homologou communism activate angulariti homologous effective bowdlerize probate rate cease
controll roll was yes fly flies dying died generalizations oscillators aerodynamic heated
structures similarity equations retrieval indexing libraries information scientific computers
tissue bronchi ventricular placental syzygy yellow toy toying eyed rhythm apology analogies bubbly
abilities agreement cement moment ion ions lion station stations session sees seeing seed ceed sled
string bring bringing singing thing things wedding bedded adding add ading able ably table stable
university universe universal organization organ organic policy police policies matting mating
mated 1960s b52s oed uing ousness biliti fulness zzz whizzed whiz buzzes boxes axes tying queueing skiing
""".split()


def metrics(random_source):
    scores = [0, 0.25, 0.5, 0.5 + 1e-9, 1, 1.0000001, 3, -2]
    judgements, run = {}, {}
    for number in range(1, 41):
        query = f"q{number}"
        if number != 7:
            judged = random_source.sample(DOCUMENTS, random_source.randint(1, 12))
            grades = [0] if number % 10 == 0 else [-1, 0, 0, 1, 1, 2, 3]
            judgements[query] = {name: random_source.choice(grades) for name in judged}
        if number != 9:
            retrieved = random_source.sample(DOCUMENTS, random_source.randint(1, len(DOCUMENTS)))
            run[query] = {name: random_source.choice(scores) for name in retrieved}
    expected = {}
    for level in (1, 2):
        measures = {f"{name}.{','.join(map(str, CUTOFFS))}" for name in ("ndcg_cut", "recall")}
        evaluator = pytrec_eval.RelevanceEvaluator(
            judgements, measures | {"recip_rank"}, relevance_level=level)
        for query, values in evaluator.evaluate(run).items():
            for cutoff in CUTOFFS:
                reciprocal = values["recip_rank"]
                row = {
                    f"ndcg@{cutoff}": values[f"ndcg_cut_{cutoff}"],
                    f"recall@{cutoff}": values[f"recall_{cutoff}"],
                    # trec_eval's has no cutoff.
                    f"mrr@{cutoff}": reciprocal if reciprocal * cutoff > 0.999 else 0.0,
                }
                expected.setdefault(str(level), {}).setdefault(query, {}).update(row)
    return {"judgements": judgements, "run": run, "expected": expected}


def write(name, value, indent):
    text = json.dumps(value, indent=indent, sort_keys=True, ensure_ascii=False)
    (FOLDER / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write("metrics.json", metrics(random.Random(20261124)), None)
    stemmer = snowballstemmer.stemmer("porter")
    write("stems.json", {word: stemmer.stemWord(word) for word in WORDS}, 0)
