#!/usr/bin/env python3
"""Makes the folders beside this file: a tiny checkpoint of every family and its goldens.

    python3 -m venv env && env/bin/pip install torch transformers safetensors tokenizers
    env/bin/python make_family_goldens.py

Each folder is a model as Hugging Face has it: config.json (some in transformers 4's spelling, some
in 5's), weights (one of them in shards), tokenizer.json, and where texts are golden too
rerankd-model.json. Beside it lie, in fp32 from transformers' own classes over the weights as
stored, golden.json (token ids and logit of each sequence) and hidden.safetensors (for the first
sequences the states [tokens][hidden] after the embeddings and after each layer).

A model as it is initialised by default is blind: its biases are 0, its norms 1 and its logits all
alike. So every parameter is drawn at random, the last weights are scaled until the logits' standard
deviation is at least 1, epsilons are large enough to be seen, and most sequences are longer than
the window of local attention.
"""

import collections
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

FAMILIES = pathlib.Path(__file__).resolve().parent
SEQUENCES = 14
SEQUENCES_WITH_STATES = 2
LENGTH_MAX = 45
CORPUS = [
    "what is the capital of france ?", "Paris is the capital city of France, on the river Seine.",
    "how does a glacier form", "Snow falls, is pressed to ice, and the ice begins to flow.",
    "Where do rivers end? In lakes, in other rivers and in the sea, north or south.",
    "The answer can only be yes or no; judge whether the document meets the query.",
    "Tea and coffee are grown in warm countries with rain, between 1,000 and 2,000 metres.",
    "Züge fahren über die Brücke. Où est la gare ? 東京は日本の首都です。 مدينة كبيرة",
]
PAIRS = [
    ("what is the capital of france ?", "Paris is the capital city of France."),
    ("how does a glacier form", "Tea and coffee are grown in warm countries."),
    ("où est la gare ?", "Züge fahren über die Brücke; 東京 🙂 is far."),
    ("river", ""),
]
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# As the model card of Qwen3-Reranker has it.
QWEN_BEFORE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and "
    'the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
)
QWEN_AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
QWEN_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"


def unigram():
    # Not trained, since the trainer's result changes from run to run: letters, words, and some
    # halves of words, the more frequent the likelier.
    counts = collections.Counter()
    for word in " ".join(CORPUS).split():
        word = "▁" + word
        counts.update([*word, word, word[: len(word) // 2 + 1]])
    ranked = sorted(counts, key=lambda piece: (-counts[piece] * len(piece), piece))[:196]
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [(token, 0.0) for token in special]
    pieces += [(piece, -2 - rank / 32) for rank, piece in enumerate(ranked)]
    tokenizer = Tokenizer(models.Unigram(pieces, 3, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens([*special, AddedToken("<mask>", lstrip=True)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def byte_level(special, pattern=None):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    if pattern:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS + ["yes", "no"] * 20, trainers.BpeTrainer(
            vocab_size=290, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return tokenizer


def modernbert_tokenizer():
    tokenizer = byte_level(["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"])
    ids = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ids)
    return tokenizer


def qwen_tokenizer():
    tokenizer = byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], QWEN_PATTERN)
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in ("<think>", "</think>")])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    assert tokenizer.token_to_id("yes") and tokenizer.token_to_id("no")
    return tokenizer


def xlm_roberta(vocabulary, **changes):
    return dict(
        architectures=["XLMRobertaForSequenceClassification"], model_type="xlm-roberta",
        vocab_size=vocabulary, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=56, hidden_act="gelu", layer_norm_eps=1e-2, max_position_embeddings=130,
        type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
        id2label={"0": "LABEL_0"}, position_embedding_type="absolute") | changes


def modernbert(vocabulary, **changes):
    return dict(
        architectures=["ModernBertForSequenceClassification"], model_type="modernbert",
        vocab_size=vocabulary, hidden_size=32, num_attention_heads=2, intermediate_size=40,
        max_position_embeddings=128, norm_eps=1e-2, local_attention=8, pad_token_id=0,
        cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2,
        id2label={"0": "LABEL_0"}) | changes


def qwen(vocabulary, **changes):
    return dict(
        model_type="qwen3", vocab_size=vocabulary, hidden_size=32, intermediate_size=48,
        num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        hidden_act="silu", rms_norm_eps=1e-2, max_position_embeddings=512, attention_bias=False,
        use_sliding_window=False, bos_token_id=None, eos_token_id=None) | changes


MODELS = [
    dict(
        name="xlm-roberta", seed=1, dtype=torch.float32, tokenizer=unigram, config=xlm_roberta,
        changes=dict(torch_dtype="float32"),
    ),
    dict(
        name="xlm-roberta-f16", seed=2, dtype=torch.float16, tokenizer=unigram, config=xlm_roberta,
        changes=dict(dtype="float16", hidden_size=24, num_attention_heads=3, pad_token_id=1,
                     sentence_transformers=dict(activation_fn="torch.nn.modules.linear.Identity")),
    ),
    # transformers 4's spelling, and no bias but the classifier's, as published checkpoints have it.
    dict(
        name="modernbert-cls", seed=3, dtype=torch.float32, tokenizer=modernbert_tokenizer,
        config=modernbert,
        changes=dict(hidden_size=24, num_hidden_layers=4, global_attn_every_n_layers=3,
                     global_rope_theta=160000.0, local_rope_theta=10000.0,
                     classifier_pooling="cls", torch_dtype="float32",
                     hidden_activation="gelu", classifier_activation="gelu"),
    ),
    # transformers 5's, every bias, a local layer last, and the mean of all tokens.
    dict(
        name="modernbert-mean", seed=4, dtype=torch.bfloat16, tokenizer=modernbert_tokenizer,
        config=modernbert,
        changes=dict(num_hidden_layers=3, classifier_pooling="mean", dtype="bfloat16",
                     layer_types=["full_attention", "sliding_attention", "sliding_attention"],
                     rope_parameters=dict(
                         full_attention=dict(rope_type="default", rope_theta=20000.0),
                         sliding_attention=dict(rope_type="default", rope_theta=500.0)),
                     norm_bias=True, attention_bias=True, mlp_bias=True, classifier_bias=True,
                     classifier_activation="relu"),
    ),
    dict(
        name="qwen3-causal", seed=5, dtype=torch.bfloat16, tokenizer=qwen_tokenizer, config=qwen,
        changes=dict(architectures=["Qwen3ForCausalLM"], tie_word_embeddings=True,
                     rope_theta=1000000, torch_dtype="bfloat16"),
    ),
    dict(
        name="qwen3-causal-untied", seed=6, dtype=torch.float32, tokenizer=qwen_tokenizer,
        config=qwen,
        changes=dict(architectures=["Qwen3ForCausalLM"], tie_word_embeddings=False, head_dim=8,
                     num_key_value_heads=4, num_hidden_layers=2, dtype="float32",
                     rope_parameters=dict(rope_type="default", rope_theta=5000.0),
                     layer_types=["full_attention"] * 2),
    ),
    dict(
        name="qwen3-classifier", seed=7, dtype=torch.float32, tokenizer=qwen_tokenizer, config=qwen,
        shards=3,
        changes=dict(architectures=["Qwen3ForSequenceClassification"], tie_word_embeddings=False,
                     num_key_value_heads=1, rope_theta=10000.0, id2label={"0": "LABEL_0"},
                     num_hidden_layers=2, torch_dtype="float32"),
    ),
]


def randomise(model, dtype, generator):
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name.lower() and name.endswith("weight"):
                value = 1 + 0.3 * noise
            elif name.endswith("bias"):
                value = 0.3 * noise
            elif "embed" in name:
                value = 0.7 * noise
            else:
                value = 1.5 * noise / parameter.shape[1] ** 0.5
            parameter.copy_(value.to(dtype).float())


def encode(tokenizer, query, document, causal):
    if not causal:
        return tokenizer.encode(query, document).ids
    body = f"<Instruct>: {QWEN_INSTRUCTION}\n<Query>: {query}\n<Document>: {document}"
    return [id for text in (QWEN_BEFORE, body, QWEN_AFTER) for id in tokenizer.encode(text).ids]


class Reference:
    """The model with what it takes to read one logit and the states behind it."""

    def __init__(self, model, spec, tokenizer):
        self.model = model
        self.is_causal_form = spec["name"].startswith("qwen3-causal")
        self.yes, self.no = tokenizer.token_to_id("yes"), tokenizer.token_to_id("no")
        self.states = []
        base = model.base_model
        layers = base.layers if hasattr(base, "layers") else base.encoder.layer
        embeddings = base.embeddings if hasattr(base, "embeddings") else base.embed_tokens
        for module in [embeddings, *layers]:
            module.register_forward_hook(lambda module, inputs, output: self.states.append(
                (output[0] if isinstance(output, tuple) else output)[0].clone()))

    def run(self, ids):
        self.states.clear()
        with torch.no_grad():
            logits = self.model(input_ids=torch.tensor([ids])).logits[0]
        if self.is_causal_form:
            return (logits[-1, self.yes] - logits[-1, self.no]).item()
        return logits[0].item()

    def last_weights(self):
        if not self.is_causal_form:
            head = getattr(self.model, "score", None) or self.model.classifier
            return getattr(head, "out_proj", head).weight
        return self.model.lm_head.weight


def save_weights(folder, spec, state):
    shards = spec.get("shards", 1)
    if shards == 1:
        return save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    names, weight_map = sorted(state), {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: state[name] for name in names[shard::shards]}
        weight_map |= {name: file for name in part}
        save_file(part, folder / file, metadata={"format": "pt"})
    index = dict(metadata=dict(total_size=sum(t.nbytes for t in state.values())),
                 weight_map=dict(sorted(weight_map.items())))
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def make(spec):
    generator = torch.Generator().manual_seed(spec["seed"])
    folder = FAMILIES / spec["name"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tokenizer = spec["tokenizer"]()
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    vocabulary = tokenizer.get_vocab_size()
    # transformers itself reads the spelling of the file.
    config = spec["config"](vocabulary, **spec["changes"])
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    causal_form = spec["name"].startswith("qwen3-causal")
    maker = AutoModelForCausalLM if causal_form else AutoModelForSequenceClassification
    model = maker.from_config(AutoConfig.from_pretrained(folder)).float().eval()
    randomise(model, spec["dtype"], generator)
    reference = Reference(model, spec, tokenizer)

    forbidden = {config.get("pad_token_id")}
    allowed = torch.tensor([id for id in range(vocabulary) if id not in forbidden])
    sequences = []
    for index in range(SEQUENCES):
        length = 1 + (17 * index + 30) % LENGTH_MAX
        places = torch.randint(len(allowed), (length,), generator=generator)
        sequences.append(allowed[places].tolist())
    # Some begin alike, as the pairs of a job do.
    for index in range(8, 12):
        common = min(8, len(sequences[index]) - 1)
        sequences[index][:common] = sequences[7][:common]

    spread = torch.tensor([reference.run(ids) for ids in sequences]).std().item()
    if spread < 1.5:
        with torch.no_grad():
            weights = reference.last_weights()
            weights.copy_((weights * (2 / spread)).to(spec["dtype"]).float())
    golden, hidden = [], {}
    for index, ids in enumerate(sequences):
        logit = reference.run(ids)
        golden.append(dict(ids=ids, logit=float(f"{logit:.7g}")))
        if index < SEQUENCES_WITH_STATES:
            hidden |= {f"{index}.{layer}": state.contiguous().clone()
                       for layer, state in enumerate(reference.states)}
    spread = torch.tensor([entry["logit"] for entry in golden]).std().item()
    assert spread >= 1, spread
    lines = ",\n".join(json.dumps(entry) for entry in golden)
    (folder / "golden.json").write_text(f"[\n{lines}\n]\n")
    save_file(hidden, folder / "hidden.safetensors")

    state = {
        name: tensor.to(spec["dtype"]).contiguous() for name, tensor in model.state_dict().items()}
    if config.get("tie_word_embeddings"):
        state.pop("lm_head.weight")
    if spec["name"] == "xlm-roberta":
        positions = torch.arange(config["max_position_embeddings"])
        state["roberta.embeddings.position_ids"] = positions.reshape(1, -1)
    save_weights(folder, spec, state)

    is_qwen = spec["name"].startswith("qwen3")
    pairs = []
    for query, document in PAIRS:
        logit = reference.run(encode(tokenizer, query, document, is_qwen))
        pairs.append(dict(query=query, document=document, logit=float(f"{logit:.7g}")))
    manifest = dict(name=f"tiny {spec['name']}", licence="Apache-2.0", golden=pairs)
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (folder / "rerankd-model.json").write_text(text + "\n")
    print(f"{spec['name']}: logits' standard deviation {spread:.3f}")


if __name__ == "__main__":
    for spec in MODELS:
        make(spec)
