"""SASRec's network: a causal transformer over item embeddings (Kang and McAuley 2018).

Input and output share the item embeddings, as in the paper, unless `tied: false`. Departures: blocks
normalise before instead of after; a score is the cosine of state and item over a temperature, unless plain
products are asked for; and padding is at the right, so that no mask is needed: under causal attention no real
position can see the padding behind it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from genrec_core.engine.baselines.settings import SASRecSettings
from genrec_core.engine.models.layers import ByteDropout, dropped


class Block(nn.Module):
    """Causal self-attention and a feed-forward part, each behind a norm and beside a residual path."""

    def __init__(self, factors: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm, self.feed_norm = nn.LayerNorm(factors), nn.LayerNorm(factors)
        self.mixed = nn.Linear(factors, 3 * factors)
        self.out = nn.Linear(factors, factors)
        self.feed = nn.Sequential(
            nn.Linear(factors, factors), nn.ReLU(), ByteDropout(dropout), nn.Linear(factors, factors)
        )

    def forward(self, states: Tensor) -> Tensor:
        """States float32 [B, T, d] to the same shape."""
        rate = self.dropout if self.training else 0.0
        states = states + dropped(self._attended(self.attention_norm(states), rate), rate)
        return states + dropped(self.feed(self.feed_norm(states)), rate)

    def _attended(self, states: Tensor, rate: float) -> Tensor:
        rows, length, factors = states.shape
        mixed = self.mixed(states).reshape(rows, length, 3, self.heads, -1)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        if rate:  # torch's fused attention would draw its dropout the slow way
            later = torch.ones(length, length, dtype=torch.bool, device=states.device).triu(1)
            scores = (query * query.shape[-1] ** -0.5) @ key.transpose(2, 3)
            seen = dropped(scores.masked_fill(later, -torch.inf).softmax(dim=-1), rate) @ value
        else:
            seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        attended: Tensor = self.out(seen.transpose(1, 2).reshape(rows, length, factors))
        return attended


class SASRecNetwork(nn.Module):
    """Predicts a vector after every position of a history; its product with an item's is the item's score.

    Args:
        items: catalogue size N.
        length: longest history T.
        settings: factors d, blocks, heads, dropout, temperature.
    """

    def __init__(self, items: int, length: int, settings: SASRecSettings) -> None:
        super().__init__()
        factors = settings.factors
        self.temperature = settings.temperature
        self.items = nn.Embedding(items, factors)
        self.untied = None if settings.tied else nn.Embedding(items, factors)
        self.places = nn.Embedding(length, factors)
        self.dropout = ByteDropout(settings.dropout)
        self.blocks = nn.ModuleList(
            Block(factors, settings.heads, settings.dropout) for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(factors)
        for table in (self.items, self.places, *([self.untied] if self.untied else [])):
            nn.init.normal_(table.weight, std=factors**-0.5)

    @property
    def answers(self) -> nn.Embedding:
        """The embeddings that scores are products with: the items' own, unless they are untied."""
        return self.untied or self.items

    def forward(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """The vector after each item, float32 [B, T, d].

        Args:
            embedded: float32 [B, T, d], item embeddings of right-padded histories.
            lengths: int64 [B]. Positions count back from a row's newest item, as the paper's padding at the
                left makes them, so that a long history ends at the same position as a short one.
        """
        places = torch.arange(embedded.shape[1], device=embedded.device)
        behind = (lengths[:, None] - 1 - places).clamp(min=0)
        states = self.dropout(embedded + self.places(behind))
        for block in self.blocks:
            states = block(states)
        normed: Tensor = self.norm(states)
        if self.temperature is None:
            return normed
        return functional.normalize(normed, dim=-1) / self.temperature

    def outputs(self, embedded: Tensor) -> Tensor:
        """What vectors are multiplied with: item embeddings [..., d], at length 1 where cosines are meant."""
        return embedded if self.temperature is None else functional.normalize(embedded, dim=-1)
