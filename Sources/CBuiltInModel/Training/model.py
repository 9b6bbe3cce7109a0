"""The cross-encoder: the parent's layers, the upper ones across segments, and a head on their output.

A pair is "[CLS] query [SEP]" and "[CLS] document [SEP]", each with positions from 0, as the parent
read them. In the lower layers the segments don't see one another (they are the parent's own, frozen);
in the upper ones attention crosses, with a bias a head and direction. The logit is linear in

    q . d, element by element, and |q - d|     the segments' mean vectors, scaled to length 1
    max-similarity    over the query's tokens but [CLS] and [SEP]: the best cosine with a token of the
                      document, averaged
    lexical match     the query's term weights that the document has, saturating like BM25

so that a model whose bias is minus infinity and whose head reads the cosine is the parent.
"""

import copy

import torch
from torch import nn
from torch.nn import functional as F

from encoder import HEADS, HIDDEN, LAYERS

# The lexical match saturates as BM25 does, with these constants and lengths in tokens.
SATURATION, LENGTH_SHARE, LENGTH_AVERAGE = 0.9, 0.4, 110.0
# Added to the weight of each term that has one, so that a frequent word still counts.
WEIGHT_FLOOR = 0.02
TOKEN_SCALARS = ("cosine", "max_similarity", "lexical_match")


class CrossEncoder(nn.Module):
    def __init__(self, parent, frozen_layers, term_classes, term_weights):
        super().__init__()
        self.frozen_layers = frozen_layers
        self.layers = nn.ModuleList(copy.deepcopy(layer) for layer in parent.layers[frozen_layers:])
        # The query is short: documents may look at it sooner than it at them.
        across = torch.empty(LAYERS - frozen_layers, HEADS, 2)
        across[..., 0], across[..., 1] = -5.0, -3.0
        self.across = nn.Parameter(across)
        self.vector_head = nn.Linear(2 * HIDDEN, 1)
        self.scalar_head = nn.Linear(len(TOKEN_SCALARS), 1, bias=False)
        nn.init.zeros_(self.vector_head.weight)
        nn.init.constant_(self.vector_head.bias, -13.0)
        with torch.no_grad():
            self.scalar_head.weight.copy_(torch.tensor([[4.5, 16.0, 4.5]]))
        self.register_buffer("term_classes", torch.as_tensor(term_classes, dtype=torch.long))
        self.register_buffer("term_weights", torch.as_tensor(term_weights))

    def forward(self, query_ids, query_states, document_ids, document_states):
        """Logits [n] of one query with n documents, and the scalars [n][3] behind them.

        query_ids [q], query_states [q][H]; document_ids: list of [d]; document_states: list of [d][H].
        """
        count, boundary = len(document_ids), len(query_ids)
        length = boundary + max(len(ids) for ids in document_ids)
        x = query_states.new_zeros(count, length, HIDDEN)
        ids = torch.zeros(count, length, dtype=torch.long)
        present = torch.zeros(count, length, dtype=torch.bool)
        x[:, :boundary], ids[:, :boundary], present[:, :boundary] = query_states, query_ids, True
        for index, (tokens, states) in enumerate(zip(document_ids, document_states)):
            end = boundary + len(tokens)
            x[index, boundary:end], ids[index, boundary:end] = states, tokens
            present[index, boundary:end] = True
        mask = torch.where(present, 0.0, float("-inf"))[:, None, None, :]
        for layer, across in zip(self.layers, self.across):
            x = layer(x, mask, across, boundary)
        return self.head(x if x.dtype == torch.float64 else x.float(), ids, present, boundary)

    def head(self, x, ids, present, boundary):
        with torch.autocast("cpu", enabled=False):
            query, document = x[:, :boundary], x[:, boundary:]
            there = present[:, boundary:]
            q = F.normalize(query.mean(1), dim=-1)
            d = F.normalize((document * there[..., None]).sum(1)
                            / there.sum(1, keepdim=True), dim=-1)
            classes = self.term_classes[ids]
            weights = self.term_weights[ids]
            similarity = F.normalize(query, dim=-1) @ F.normalize(document, dim=-1).transpose(1, 2)
            best = similarity.masked_fill(~there[:, None, :], -1.0).amax(-1)[:, 1:-1]
            max_similarity = best.sum(1) / max(boundary - 2, 1)

            # Control tokens weigh nothing, on either side.
            token_weights = weights[:, :boundary] + WEIGHT_FLOOR * (weights[:, :boundary] > 0)
            content = there & (weights[:, boundary:] > 0)
            total = token_weights.sum(1).clamp_min(1e-6)
            same = (classes[:, :boundary, None] == classes[:, None, boundary:]) & content[:, None, :]
            frequency = same.sum(-1).to(x.dtype)
            norm = SATURATION * (1 - LENGTH_SHARE
                                 + LENGTH_SHARE * there.sum(1, keepdim=True) / LENGTH_AVERAGE)
            lexical = (token_weights * frequency / (frequency + norm)).sum(1) / total
            scalars = torch.stack([(q * d).sum(-1), max_similarity, lexical], dim=-1)
            vectors = torch.cat([q * d, (q - d).abs()], dim=-1)
            return (self.vector_head(vectors) + self.scalar_head(scalars))[:, 0], scalars
