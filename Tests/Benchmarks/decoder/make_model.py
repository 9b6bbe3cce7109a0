#!/usr/bin/env python3
"""Writes a model in the shape of Qwen3-0.6B with random weights to a folder.

Its tokenizer makes a token of every ASCII character, and its prompt is as long as Qwen3-Reranker's
with a query of 12 tokens: 72 tokens that all pairs of a job share, and 11 after the document.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

CONFIG = dict(
    architectures=["Qwen3ForCausalLM"], model_type="qwen3", vocab_size=151936, hidden_size=1024,
    intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8,
    head_dim=128, hidden_act="silu", rms_norm_eps=1e-6, max_position_embeddings=40960,
    rope_theta=1000000, tie_word_embeddings=True, attention_bias=False, use_sliding_window=False,
    torch_dtype="bfloat16")


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: id for id, token in enumerate([*alphabet, "ye", "yes", "no"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("y", "e"), ("ye", "s"), ("n", "o")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens([AddedToken("<|im_end|>")])
    tokenizer.save(str(folder / "tokenizer.json"))
    prompt = [
        {"text": "s" * 60}, {"place": "query"}, {"place": "document"}, {"control": "<|im_end|>"},
        {"text": "t" * 10},
    ]
    manifest = dict(name="random", template=dict(instruction="", prompt=prompt))
    (folder / "rerankd-model.json").write_text(json.dumps(manifest, indent=1) + "\n")

    generator = torch.Generator().manual_seed(1)

    def random(rows, columns):
        return (torch.randn(rows, columns, generator=generator) / columns**0.5).bfloat16()

    hidden, wide = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    queries = CONFIG["num_attention_heads"] * CONFIG["head_dim"]
    keys = CONFIG["num_key_value_heads"] * CONFIG["head_dim"]
    ones = lambda count: torch.ones(count, dtype=torch.bfloat16)
    state = {
        "model.embed_tokens.weight": random(CONFIG["vocab_size"], hidden),
        "model.norm.weight": ones(hidden),
    }
    for index in range(CONFIG["num_hidden_layers"]):
        layer = f"model.layers.{index}."
        state |= {
            layer + "input_layernorm.weight": ones(hidden),
            layer + "post_attention_layernorm.weight": ones(hidden),
            layer + "self_attn.q_norm.weight": ones(CONFIG["head_dim"]),
            layer + "self_attn.k_norm.weight": ones(CONFIG["head_dim"]),
            layer + "self_attn.q_proj.weight": random(queries, hidden),
            layer + "self_attn.k_proj.weight": random(keys, hidden),
            layer + "self_attn.v_proj.weight": random(keys, hidden),
            layer + "self_attn.o_proj.weight": random(hidden, queries),
            layer + "mlp.gate_proj.weight": random(wide, hidden),
            layer + "mlp.up_proj.weight": random(wide, hidden),
            layer + "mlp.down_proj.weight": random(hidden, wide),
        }
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
