#!/usr/bin/env python3
"""Makes the tiny BERT cross-encoders beside this file, and what the reference says of them.

    python3 -m venv env && env/bin/pip install torch transformers safetensors
    env/bin/python make_tiny_models.py

Each folder gets config.json, model.safetensors, vocab.txt and golden.json. A model as it is
initialised by default is blind: its biases are 0, its norms 1 and its logits all alike. So every
parameter is drawn at random, and the weights are scaled until the logits' standard deviation over
the pairs is at least 1. golden.json holds, in fp32 from transformers' BertForSequenceClassification
over the weights as stored: ids, token types and logit of each pair, and for the first pairs the
hidden states after the embeddings and after each layer (after the last: of the first token).
"""

import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

HERE = pathlib.Path(__file__).resolve().parent
WORDS = (
    "the a of in on is was are and to what how who where when why capital city river mountain "
    "france paris london england berlin germany rain snow ice cave glacier forms grows tea coffee "
    "cat dog bird sings runs sleeps reads writes book page word letter number one two three four "
    "red green blue white black old new long short north south east west . , ? ! ##s ##ing ##ed"
).split()
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS
MODELS = [
    # Sizes that are no multiple of a vector's 16 floats, and F32.
    dict(
        name="tiny-gelu-f32", seed=1, dtype=torch.float32, spelling="transformers",
        config=dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
                    intermediate_size=40, hidden_act="gelu", layer_norm_eps=1e-12),
    ),
    # TensorFlow's gamma and beta, no "bert." prefix, position ids carried along, a large epsilon.
    dict(
        name="tiny-tanh-bf16", seed=2, dtype=torch.bfloat16, spelling="old",
        config=dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=2,
                    intermediate_size=56, hidden_act="gelu_new", layer_norm_eps=1e-2),
    ),
    dict(
        name="tiny-relu-f16", seed=3, dtype=torch.float16, spelling="transformers",
        config=dict(hidden_size=20, num_hidden_layers=1, num_attention_heads=4,
                    intermediate_size=33, hidden_act="relu", layer_norm_eps=1e-5),
    ),
]
POSITIONS = 64
PAIRS = 24
PAIRS_WITH_STATES = 3


def random_text(generator, words):
    letters = [word for word in WORDS if not word.startswith("##")]
    picks = torch.randint(len(letters), (words,), generator=generator)
    return " ".join(letters[i] for i in picks)


def logits_of(model, encoded):
    with torch.no_grad():
        return [model(**pair, output_hidden_states=True) for pair in encoded]


def make(spec):
    generator = torch.Generator().manual_seed(spec["seed"])
    config = BertConfig(
        vocab_size=len(VOCABULARY), max_position_embeddings=POSITIONS, num_labels=1,
        **spec["config"])
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "LayerNorm.weight" in name:
                value = 1 + 0.3 * noise
            elif name.endswith("bias"):
                value = 0.3 * noise
            elif "embeddings" in name:
                value = 0.7 * noise
            else:
                value = 1.5 * noise / parameter.shape[1] ** 0.5
            parameter.copy_(value.to(spec["dtype"]).float())

    folder = HERE / spec["name"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    tokenizer = BertTokenizer(str(folder / "vocab.txt"), do_lower_case=True)

    texts, encoded = [], []
    for index in range(PAIRS):
        query = random_text(generator, 1 + index % 9)
        # The last pair fills every position.
        words = POSITIONS - 3 - len(query.split()) if index == PAIRS - 1 else 1 + (7 * index) % 40
        document = random_text(generator, words)
        texts.append((query, document))
        encoded.append(tokenizer(query, document, return_tensors="pt"))
    assert encoded[-1]["input_ids"].shape[1] == POSITIONS

    outputs = logits_of(model, encoded)
    spread = torch.stack([output.logits[0, 0] for output in outputs]).std().item()
    if spread < 1:
        with torch.no_grad():
            scaled = model.classifier.weight * (1.5 / spread)
            model.classifier.weight.copy_(scaled.to(spec["dtype"]).float())
        outputs = logits_of(model, encoded)
        spread = torch.stack([output.logits[0, 0] for output in outputs]).std().item()
    assert spread >= 1, spread

    state = {
        name: tensor.to(spec["dtype"]).contiguous()
        for name, tensor in model.state_dict().items()
    }
    state.pop("bert.embeddings.position_ids", None)
    if spec["spelling"] == "old":
        state = {
            name.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma")
            .replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in state.items()
        }
        state["embeddings.position_ids"] = torch.arange(POSITIONS).reshape(1, -1)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    settings = dict(
        architectures=["BertForSequenceClassification"], model_type="bert",
        vocab_size=len(VOCABULARY), max_position_embeddings=POSITIONS, type_vocab_size=2,
        id2label={"0": "LABEL_0"}, **spec["config"])
    (folder / "config.json").write_text(json.dumps(settings, indent=1) + "\n")

    golden = []
    for index, ((query, document), pair, output) in enumerate(zip(texts, encoded, outputs)):
        entry = dict(
            query=query, document=document, ids=pair["input_ids"][0].tolist(),
            token_types=pair["token_type_ids"][0].tolist(),
            logit=float(f"{output.logits[0, 0].item():.7g}"))
        if index < PAIRS_WITH_STATES:
            states = [state[0] for state in output.hidden_states]
            states[-1] = states[-1][:1]
            entry["hidden"] = [
                [float(f"{value:.6g}") for value in state.flatten().tolist()] for state in states]
        golden.append(entry)
    lines = ",\n".join(json.dumps(entry) for entry in golden)
    (folder / "golden.json").write_text(f"[\n{lines}\n]\n")
    print(f"{spec['name']}: logits' standard deviation {spread:.3f}")


if __name__ == "__main__":
    for spec in MODELS:
        make(spec)
