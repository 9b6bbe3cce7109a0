"""Writes the model as a folder that the engine loads in full precision.

    python export.py CACHE HEAD.json FOLDER

The folder has config.json, model.safetensors (F32), vocab.txt, tokenizer.json, tokenizer_config.json,
and rerankd-model.json and golden.json with golden pairs, whose logits are computed here in double
precision. `pack.py` makes the file for the binary from it.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from encoder import EPSILON, FEED_FORWARD, HEADS, HIDDEN, LAYERS, PARENT_FOLDER, Parent, encode
from head import FEATURES, WINDOW, WINDOW_STEP, Document, Query
from lexical import LENGTH_AVERAGE, LENGTH_SHARE, SATURATION, WEIGHT_FLOOR

NAME = "rerankd-minilm-l6-v1"
LICENCE = (
    "Apache-2.0 (encoder); made with data under CC BY 4.0, CC BY-SA 3.0 and 4.0, Apache-2.0, MIT and "
    "C-UDA, see the model card")
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
SPECIAL = {"[CLS]": 101, "[SEP]": 102}


def tensors_of(cache, head):
    """The encoder's weights by the names that transformers gives BERT's, and the head's."""
    found = {f"bert.{name}": value for name, value in load_file(
        str(PARENT_FOLDER / "model.safetensors")).items()
        if name.startswith(("embeddings.", "encoder.")) and not name.endswith("position_ids")}
    types = "bert.embeddings.token_type_embeddings.weight"
    found[types] = found[types][:1]
    terms = np.load(cache / "terms.npz")
    found["segments.feature_weights"] = np.array([head["weights"][name] for name in FEATURES])
    found["segments.bias"] = np.array([head["bias"]])
    found["segments.terms"] = terms["terms"]
    found["segments.term_weights"] = terms["weights"]
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in found.items()}


class Scorer:
    """The model in double precision, from its tensors."""

    def __init__(self, tensors):
        self.tensors = {name: np.asarray(value, np.float64) for name, value in tensors.items()}
        self.parent = Parent().double().eval()

        def put(parameter, *names):
            values = [self.tensors[f"bert.{name}"] for name in names]
            parameter.data = torch.from_numpy(np.concatenate(values))

        put(self.parent.words, "embeddings.word_embeddings.weight")
        put(self.parent.positions, "embeddings.position_embeddings.weight")
        put(self.parent.types, "embeddings.token_type_embeddings.weight")
        for part in ("weight", "bias"):
            put(getattr(self.parent.norm, part), f"embeddings.LayerNorm.{part}")
            for index, layer in enumerate(self.parent.layers):
                prefix = f"encoder.layer.{index}."
                put(getattr(layer.qkv, part), *(f"{prefix}attention.self.{name}.{part}"
                                                for name in ("query", "key", "value")))
                for own, name in (("attention_output", "attention.output.dense"),
                                  ("attention_norm", "attention.output.LayerNorm"),
                                  ("up", "intermediate.dense"), ("down", "output.dense"),
                                  ("output_norm", "output.LayerNorm")):
                    put(getattr(getattr(layer, own), part), f"{prefix}{name}.{part}")

    @torch.inference_mode()
    def logit(self, query, document):
        sides = []
        for kind, ids in zip((Query, Document), encode([query, document], 512)):
            mask = torch.zeros(1, 1, 1, len(ids), dtype=torch.float64)
            states = self.parent(torch.from_numpy(ids).long()[None], mask)[0].numpy()
            sides.append(kind(ids, states, self.tensors["segments.terms"].astype(int),
                              self.tensors["segments.term_weights"]))
        features = sides[0].features(sides[1])
        return float(features @ self.tensors["segments.feature_weights"]
                     + self.tensors["segments.bias"][0])

    def golden(self):
        return [dict(query=query, document=document, logit=round(self.logit(query, document), 6))
                for query, document in GOLDEN_PAIRS]


def configuration():
    return dict(
        architectures=["SegmentedBertForSequenceClassification"], model_type="bert",
        hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=FEED_FORWARD, hidden_act="gelu", layer_norm_eps=EPSILON,
        max_position_embeddings=512, type_vocab_size=1, vocab_size=30522, num_labels=1,
        window_tokens=WINDOW, window_step=WINDOW_STEP, lexical_saturation=SATURATION,
        lexical_length_share=LENGTH_SHARE, lexical_length_average=LENGTH_AVERAGE,
        lexical_weight_floor=WEIGHT_FLOOR)


def tokenizer_json():
    """The parent's, with the template of a pair: each side as if it were alone."""
    tokenizer = json.loads((PARENT_FOLDER / "tokenizer.json").read_text())
    tokenizer["truncation"] = tokenizer["padding"] = None

    def segment(sequence, kind):
        return [dict(SpecialToken=dict(id="[CLS]", type_id=kind)),
                dict(Sequence=dict(id=sequence, type_id=kind)),
                dict(SpecialToken=dict(id="[SEP]", type_id=kind))]

    tokenizer["post_processor"] = dict(
        type="TemplateProcessing", single=segment("A", 0), pair=segment("A", 0) + segment("B", 1),
        special_tokens={name: dict(id=name, ids=[number], tokens=[name])
                        for name, number in SPECIAL.items()})
    return tokenizer


def main(cache, head, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = tensors_of(cache, json.loads(head.read_text()))
    save_file(tensors, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps(configuration(), indent=1))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    for name in ("vocab.txt", "tokenizer_config.json"):
        (folder / name).write_bytes((PARENT_FOLDER / name).read_bytes())
    golden = Scorer(tensors).golden()
    (folder / "golden.json").write_text(json.dumps(golden, indent=1, ensure_ascii=False))
    (folder / "rerankd-model.json").write_text(json.dumps(
        dict(name=NAME, licence=LICENCE, golden=golden[:GOLDEN_AT_LOAD]), indent=1))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:4]))
