"""Writes a trained model as a folder that the engine loads in full precision.

    python export.py CACHE MODEL.pt CALIBRATION.json FOLDER

CALIBRATION.json has a and b: the logit becomes a * z + b, folded into the head. The folder has
config.json, model.safetensors (F32), vocab.txt, tokenizer.json, tokenizer_config.json and
rerankd-model.json with golden pairs, whose logits are this model's own in double precision.
`pack.py` makes the file for the binary from it.
"""

import json
import pathlib
import pickle
import sys

import numpy as np
import torch
from safetensors.torch import save_file

import collections_of_text as sets
from encoder import EPSILON, FEED_FORWARD, HEADS, HIDDEN, LAYERS, PARENT_FOLDER, Parent, encode
from model import LENGTH_AVERAGE, LENGTH_SHARE, SATURATION, WEIGHT_FLOOR
from prepare import FROZEN_LAYERS
from teach import new_model

NAME = "rerankd-minilm-l6-v1"
LICENCE = (
    "Apache-2.0 (parent encoder); trained on data under CC BY 4.0, CC BY-SA 3.0 and 4.0, Apache-2.0, "
    "MIT and C-UDA, see the model card")
# The first four are scored whenever the model is loaded; tests score all of them.
GOLDEN_PAIRS = (
    ("how do bees make honey",
     "Bees gather nectar, and by passing it from one to another they thicken it into honey."),
    ("how do bees make honey", "The bridge was closed to traffic for two years."),
    ("retry a failed http request", "func backoff(attempt int) time.Duration { return base << attempt }"),
    ("symptoms of an iron deficiency",
     "Tiredness and pale skin are common when the body has too little iron."),
    ("", "A document without a question."),
    ("a question without a document", ""),
    ("", ""),
    ("the of and", "Is it what it is?"),
    ("naïve café in Zürich", "Ein naives Kaffeehaus am Zürichsee, 小さな喫茶店, \U0001f375"),
    ("honey", "honey " * 200),
    ("What rules decide how a queue gives work to the workers that are connected to it, and what "
     "happens to the work of one that has gone away without a word?",
     "A queue hands out each job under a lease. " * 30 + "When its time is over, the job is free."),
    ("[SEP] [CLS] tokens in text", "They stay text: [SEP] is four pieces, and [MASK] too."),
)
GOLDEN_AT_LOAD = 4
LAYER_NAMES = {
    "attention_output": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense", "down": "output.dense", "output_norm": "output.LayerNorm",
}


def views_of(parent, model):
    """The model's weights, not copies, by the names that transformers gives BERT's, and "segments." of
    its own."""
    views = {
        "bert.embeddings.word_embeddings.weight": parent.words.data,
        "bert.embeddings.position_embeddings.weight": parent.positions.data,
        "bert.embeddings.token_type_embeddings.weight": parent.types.data[:1],
        "bert.embeddings.LayerNorm.weight": parent.norm.weight.data,
        "bert.embeddings.LayerNorm.bias": parent.norm.bias.data,
        "segments.across": model.across.data,
        "segments.vector_weights": model.vector_head.weight.data,
        "segments.scalar_weights": model.scalar_head.weight.data,
        "segments.bias": model.vector_head.bias.data,
        "segments.terms": model.term_classes,
        "segments.term_weights": model.term_weights,
    }
    layers = [*parent.layers[: model.frozen_layers], *model.layers]
    for index, layer in enumerate(layers):
        prefix = f"bert.encoder.layer.{index}."
        for part in ("weight", "bias"):
            parts = getattr(layer.qkv, part).data.chunk(3)
            for name, value in zip(("query", "key", "value"), parts):
                views[f"{prefix}attention.self.{name}.{part}"] = value
            for ours, theirs in LAYER_NAMES.items():
                views[f"{prefix}{theirs}.{part}"] = getattr(getattr(layer, ours), part).data
    return views


def load_tensors(parent, model, tensors):
    """Puts weights into the model that were changed on the way, such as rounded ones."""
    for name, view in views_of(parent, model).items():
        view.copy_(torch.as_tensor(tensors[name]).to(view.dtype).reshape(view.shape))


@torch.inference_mode()
def logit(parent, model, query, document):
    """One pair from its texts, in the weights' own precision."""
    ids = [torch.from_numpy(row).long()[None] for row in encode([query, document], 512)]
    states = []
    for tokens in ids:
        x = parent.embed(tokens)
        for layer in parent.layers[: model.frozen_layers]:
            x = layer(x, torch.zeros(1, 1, 1, tokens.shape[1], dtype=x.dtype))
        states.append(x[0])
    return float(model(ids[0][0], states[0], [ids[1][0]], [states[1]])[0])


def configuration():
    return dict(
        architectures=["SegmentedBertForSequenceClassification"], model_type="bert",
        hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=FEED_FORWARD, hidden_act="gelu", layer_norm_eps=EPSILON,
        max_position_embeddings=512, type_vocab_size=1, vocab_size=30522, num_labels=1,
        segment_local_layers=FROZEN_LAYERS, lexical_saturation=SATURATION,
        lexical_length_share=LENGTH_SHARE, lexical_length_average=LENGTH_AVERAGE,
        lexical_weight_floor=WEIGHT_FLOOR)


def main(cache, weights, calibration, folder):
    folder.mkdir(parents=True, exist_ok=True)
    collections = [pickle.loads((cache / f"{name}.pickle").read_bytes())
                   for name in (*sets.TRAINING_SETS, *sets.UNLABELLED_SETS)]
    parent, model = Parent(), new_model(collections)
    if weights is not None:
        model.load_state_dict(torch.load(weights, weights_only=True))
    scale, shift = calibration["a"], calibration["b"]
    with torch.no_grad():
        model.vector_head.weight *= scale
        model.scalar_head.weight *= scale
        model.vector_head.bias.mul_(scale).add_(shift)
    tensors = {name: view.float().contiguous().clone()
               for name, view in views_of(parent, model).items()}
    for name in ("segments.vector_weights", "segments.scalar_weights"):
        tensors[name] = tensors[name].flatten()
    save_file(tensors, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps(configuration(), indent=1))
    for name in ("vocab.txt", "tokenizer_config.json"):
        (folder / name).write_bytes((PARENT_FOLDER / name).read_bytes())
    tokenizer = json.loads((PARENT_FOLDER / "tokenizer.json").read_text())
    tokenizer["truncation"] = tokenizer["padding"] = None
    special = {name: dict(id=name, ids=[number], tokens=[name])
               for name, number in (("[CLS]", 101), ("[SEP]", 102))}

    def segment(sequence, kind):
        return [dict(SpecialToken=dict(id="[CLS]", type_id=kind)),
                dict(Sequence=dict(id=sequence, type_id=kind)),
                dict(SpecialToken=dict(id="[SEP]", type_id=kind))]

    tokenizer["post_processor"] = dict(
        type="TemplateProcessing", single=segment("A", 0), pair=segment("A", 0) + segment("B", 1),
        special_tokens=special)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    parent.double()
    model.double()
    golden = [dict(query=query, document=document,
                   logit=round(logit(parent, model, query, document), 6))
              for query, document in GOLDEN_PAIRS]
    (folder / "rerankd-model.json").write_text(json.dumps(
        dict(name=NAME, licence=LICENCE, golden=golden[:GOLDEN_AT_LOAD]), indent=1))
    (folder / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False))
    for pair in golden:
        print(f"{pair['logit']:9.5f}  {pair['query'][:30]} | {pair['document'][:50]}")


if __name__ == "__main__":
    cache, weights, calibration, folder = map(pathlib.Path, sys.argv[1:5])
    main(cache, weights if weights.exists() else None, json.loads(calibration.read_text()), folder)
