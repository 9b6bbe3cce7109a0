"""Trains the upper layers and the head.

    python train.py CACHE OUT [--lists N] [--without SET] [--seed S] …

Each list gives three losses: the divergence from the teacher's distribution, the softmax over the
labels, and a small binary cross-entropy that anchors the logit as log-odds. OUT/checkpoint.pt is
written every few minutes and taken up again; OUT/model.pt is the result, the weights' moving average.
"""

import argparse
import json
import pathlib
import pickle
import time

import numpy as np
import torch
from torch.nn import functional as F

import collections_of_text as sets
from lists import ListMaker, tensors
from ranking import candidates_of, ndcg, standardised
from teach import new_model

CHECKPOINT_SECONDS = 240


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--lists", type=int, default=8000)
    parser.add_argument("--lists-a-step", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", default="", help="sets that are left out, and measured")
    parser.add_argument("--teacher-scale", type=float, default=2.0)
    parser.add_argument("--label-weight", type=float, default=0.5)
    parser.add_argument("--anchor-weight", type=float, default=0.2)
    parser.add_argument("--layer-rate", type=float, default=5e-5)
    parser.add_argument("--across-rate", type=float, default=0.03)
    parser.add_argument("--vector-rate", type=float, default=2e-3)
    parser.add_argument("--scalar-rate", type=float, default=2e-2)
    parser.add_argument("--average", type=float, default=0.99)
    parser.add_argument("--measured-queries", type=int, default=60)
    return parser.parse_args()


def load_sets(cache, without):
    found = {name: pickle.loads((cache / f"{name}.pickle").read_bytes())
             for name in (*sets.TRAINING_SETS, *sets.UNLABELLED_SETS) if name not in without}
    lessons = [pickle.loads((cache / f"teacher-{name}.pickle").read_bytes()) for name in found]
    return list(found.values()), lessons


def loss_of(model, made, options):
    collection, number, documents, teacher, labels = made
    logits = logits_of(model, collection, number, documents)
    teacher = torch.log_softmax(options.teacher_scale * teacher, 0)
    student = torch.log_softmax(logits, 0)
    distilled = (teacher.exp() * (teacher - student)).sum()
    labelled = -(student * labels).sum() / labels.sum()
    certain = 1.0 if collection.queries[number].kind == "question" else 0.3
    anchor = F.binary_cross_entropy_with_logits(logits, labels)
    return distilled, certain * options.label_weight * labelled, options.anchor_weight * anchor


def measure(model, collection, count, depth=100, seed=3):
    """nDCG@10 of the model, BM25, the parent and their fusion over BM25's first documents; and the
    model's logits with their labels."""
    asked = [n for n, query in enumerate(collection.queries) if query.kind == "question"]
    asked = np.random.default_rng(seed).permutation(asked)[:count]
    rows, logits_seen, labels_seen = [], [], []
    for number in asked:
        documents = candidates_of(collection, number, depth)
        grades = collection.queries[number].grades
        here = [grades.get(int(d), 0) for d in documents]
        bm25, cosine = collection.bm25[number][documents], collection.cosine[number][documents]
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            logits = logits_of(model, collection, number, documents, 20).numpy()
        rankers = dict(model=logits, bm25=bm25,
                       parent=cosine, fusion=standardised(bm25) + standardised(cosine))
        rows.append({name: ndcg(scores, here, list(grades.values()))
                     for name, scores in rankers.items()})
        logits_seen.append(logits)
        labels_seen.append(np.array(here) > 0)
    means = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}
    return means, np.concatenate(logits_seen), np.concatenate(labels_seen)


def logits_of(model, collection, number, documents, batch=8):
    """Few at a time, those of a length together, so that little is padding."""
    order = np.argsort([len(collection.document_ids[d]) for d in documents], kind="stable")
    parts = [model(*tensors(collection, number, documents[order[first : first + batch]]))[0]
             for first in range(0, len(order), batch)]
    return torch.cat(parts)[torch.from_numpy(np.argsort(order))]


def main():
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    without = [name for name in options.without.split(",") if name]
    collections, lessons = load_sets(options.cache, without)
    torch.manual_seed(options.seed)
    model = new_model(collections)
    head = [model.scalar_head.weight]
    vector = list(model.vector_head.parameters())
    groups = [
        dict(params=list(model.layers.parameters()), lr=options.layer_rate, weight_decay=0.01),
        dict(params=[model.across], lr=options.across_rate, weight_decay=0.0),
        dict(params=vector, lr=options.vector_rate, weight_decay=0.01),
        dict(params=head, lr=options.scalar_rate, weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    steps = options.lists // options.lists_a_step
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / (0.05 * steps + 1), max(0.0, 1.02 - step / steps)))
    average = {name: value.clone() for name, value in model.state_dict().items()}
    maker = ListMaker(collections, lessons, options.seed)
    first = 0
    checkpoint = options.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=False)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        average, first = saved["average"], saved["step"]
        maker.chance = saved["chance"]

    def save(step):
        partial = checkpoint.with_suffix(".part")
        torch.save(dict(model=model.state_dict(), optimizer=optimizer.state_dict(),
                        schedule=schedule.state_dict(), average=average, step=step,
                        chance=maker.chance), partial)
        partial.rename(checkpoint)

    sums, told, saved_at = np.zeros(3), first, time.monotonic()
    begun = time.monotonic()
    for step in range(first, steps):
        for _ in range(options.lists_a_step):
            with torch.autocast("cpu", torch.bfloat16):
                losses = loss_of(model, maker.next(), options)
            (sum(losses) / options.lists_a_step).backward()
            sums += [float(loss) for loss in losses]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        keep = min(options.average, step / (step + 10))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                if value.is_floating_point():
                    average[name].lerp_(value, 1 - keep)
        if (step + 1) % 25 == 0:
            shares = sums / ((step + 1 - told) * options.lists_a_step)
            print(f"{step + 1}/{steps} {time.monotonic() - begun:.0f} s  distilled {shares[0]:.3f} "
                  f"labelled {shares[1]:.3f} anchor {shares[2]:.3f}  scalars "
                  f"{model.scalar_head.weight[0].tolist()} across "
                  f"{[round(float(b), 2) for b in model.across.mean((1,)).flatten()]}", flush=True)
            sums[:], told = 0, step + 1
        if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
            save(step + 1)
            saved_at = time.monotonic()
    save(steps)
    torch.save(average, options.out / "model.pt")
    model.load_state_dict(average)
    found = {}
    for name in without:
        collection = pickle.loads((options.cache / f"{name}.pickle").read_bytes())
        found[name], logits, labels = measure(model.eval(), collection, options.measured_queries)
        np.savez(options.out / f"left-out-{name}.npz", logits=logits, labels=labels)
        print(name, found[name], flush=True)
    if found:
        (options.out / "measured.json").write_text(
            json.dumps(dict(options=vars(options), measured=found), default=str, indent=1))


if __name__ == "__main__":
    main()
