"""Histories read by item: one position for each item of a history instead of one for each token.

A history of twenty items with three codes each is sixty positions. Read by item it is twenty, and longer
histories are affordable. What a network reads at an item's position is the sum of the rows of its codes and a
row of the item's own, which starts at zero; an item that came after training, or that the own rows do not
know, is read by its codes alone:

    tokens      Next:   <a_3> <b_9> <c_1>   <a_7> <b_2> <c_5>      and of an answer   <a_4> <b_1> …
    positions   1                       2                   3
    read        row(Next:)  a_3 + b_9 + c_1 + own   …

The network is still a function of token ids, so renderer, training, search and serving are what they were; it
gives each token a state. That of an item's last token is the state of its position, and writes what follows.
An item's other tokens need no position: a small cascade goes on from the state before the item, a token at a
time, and this is how answers are written:

    state(<a_4>)         = cascade(state of position 3, row(<a_4>))                 writes the second code
    state(<a_4> <b_1>)   = cascade(state(<a_4>), row(<b_1>))                        writes the third

Tokens that are no codes have a position each. Distances between positions are what the network's attention
sees, so they count from whichever item is the newest. An encoder reads its input the same way, and gives all
tokens of an item the state of its position.

Where an item ends is known of every identifier of the catalogue, and of one that came later it is seen by
its tokens: those that end identifiers, and those that stand inside them. So identifiers are made of tokens of
their own, and none is the beginning of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.engine.batches import padded
from genrec_core.engine.models.layers import dropped
from genrec_core.identifiers.trie import compile_trie

ITEMS_ATTRIBUTE = "genrec_items"
"""What the part that reads items is called in the stack of blocks that it belongs to."""

PLAIN, INNER, LAST = 0, 1, 2
"""Kinds of token: of no identifier, inside identifiers, or ending them."""

_TABLES = ("kinds", "keys", "nodes", "owners")


@dataclass(frozen=True)
class Layout:
    """Where tokens [B, T] are read.

    Attributes:
        closes: bool [B, T], whether the token has a position of its own or ends an item's.
        place: int64 [B, T], the position that the token is a part of; that of an unfinished item is one more
            than the row has.
        depth: int64 [B, T], of a token inside an identifier, which one it is, from 1; 0 of every other.
        owners: int64 [B, T], the own row of the item that ends at the token; R where none does.
        counts: int64 [B], positions of each row.
        nodes: int64 [B], the node of the identifiers' trie where each row ends, see `ItemPositions.step`.
    """

    closes: Tensor
    place: Tensor
    depth: Tensor
    owners: Tensor
    counts: Tensor
    nodes: Tensor

    def behind(self, places: Tensor) -> Tensor:
        """How many whole positions each row has up to one of its tokens, int64 [B] for places int64 [B]."""
        lines = torch.arange(len(places), device=places.device)
        return self.place[lines, places] + self.closes[lines, places].long()


class ItemPositions(nn.Module):
    """What a stack of blocks needs to read items.

    Args:
        tables: what is known of tokens and identifiers, by name:
            kinds: int64 [V], the kind of every token.
            keys: int64 [M], ascending: node × V + token, of every step of the trie of known identifiers.
            nodes: int64 [M], the node that each step leads to.
            owners: int64 [nodes], the own row of the identifier that ends at each; R where none does.
        rows: R, how many identifiers have a row of their own.
        width: H, of rows and states.

    Attributes:
        own: float32 [R, H].
        begin: float32 [H], the state before a sequence that begins with an item.
    """

    kinds: Tensor
    keys: Tensor
    nodes: Tensor
    owners: Tensor

    def __init__(self, tables: Mapping[str, Tensor], rows: int, width: int) -> None:
        super().__init__()
        for name in _TABLES:
            self.register_buffer(name, tables[name])
        self.own = nn.Parameter(torch.zeros(rows, width))
        self.begin = nn.Parameter(torch.zeros(width))
        self.enter = nn.Linear(2 * width, 2 * width, bias=False)
        self.leave = nn.Linear(width, width, bias=False)
        self.norm = nn.RMSNorm(width, eps=1e-6)

    @classmethod
    def of(cls, identifiers: Sequence[Sequence[int]], vocabulary: int, width: int) -> ItemPositions:
        """For identifiers given as token ids, one an item.

        Raises:
            GenrecError: one is the beginning of another, or any token may end one.
        """
        try:
            trie = compile_trie(sorted({tuple(row) for row in identifiers}))
        except ContractError as error:
            raise GenrecError(
                f"histories cannot be read by item: {error.message}",
                hint="use identifiers of one length, or write `positions: token`",
            ) from error
        last = np.unique([row[-1] for row in identifiers])
        inner = np.unique([token for row in identifiers for token in row[:-1]]).astype(np.int64)
        if len(inner) and not len(np.setdiff1d(inner, last)):
            raise GenrecError(
                "every token inside an identifier ends another one, so where an item ends cannot be seen and "
                "histories cannot be read by item",
                hint="give every level its own codes, or write `positions: token`",
            )
        kinds = np.zeros(vocabulary, dtype=np.int64)
        kinds[inner], kinds[last] = INNER, LAST
        below = np.arange(1, len(trie.tokens))
        keys = trie.parents[below].astype(np.int64) * vocabulary + trie.tokens[below]
        order = np.argsort(keys)
        leaves = np.flatnonzero(trie.count == 0)
        owners = np.full(len(trie.tokens), len(leaves), dtype=np.int64)
        owners[leaves] = np.arange(len(leaves))
        arrays = {"kinds": kinds, "keys": keys[order], "nodes": below[order], "owners": owners}
        tables = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return cls(tables, rows=len(leaves), width=width)

    def reset(self, seed: int) -> None:
        """First weights of the cascade."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in (self.enter, self.leave):
                layer.weight.normal_(0, 0.02, generator=generator)

    def step(self, nodes: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One more token behind each of some sequences, all int64 of one shape.

        Args:
            nodes: where they stand: 0 outside identifiers, a node of the trie inside a known one, -1 inside
                another.
            tokens: what comes.

        Returns:
            Whether the token stands inside an identifier, where the sequences stand then, and the own row of
            the item that the token ends (R for none).
        """
        key = nodes * len(self.kinds) + tokens
        found = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
        child = torch.where((self.keys[found] == key) & (nodes >= 0), self.nodes[found], -1)
        rows = len(self.own)
        owner = torch.where(child >= 0, self.owners[child.clamp(min=0)], rows)
        inside = torch.where(child >= 0, owner == rows, self.kinds[tokens] == INNER)
        return inside, torch.where(inside, child, 0), owner

    def layout(self, ids: Tensor, pad: int) -> Layout:
        """Where tokens int64 [B, T] are read; padding has no position."""
        nodes, deep = torch.zeros_like(ids[:, 0]), torch.zeros_like(ids[:, 0])
        every: list[tuple[Tensor, Tensor, Tensor]] = []
        for tokens in ids.T:
            real = tokens != pad
            inside, reached, owner = self.step(nodes, tokens)
            nodes = torch.where(real, reached, nodes)
            deep = torch.where(real, torch.where(inside, deep + 1, 0), deep)
            every.append((real & ~inside, torch.where(real & inside, deep, 0), owner))
        closes, depth, owners = (torch.stack(parts, dim=1) for parts in zip(*every, strict=True))
        after = closes.long().cumsum(dim=1)
        return Layout(closes, after - closes.long(), depth, owners, after[:, -1], nodes)

    @torch.no_grad()
    def start_from(
        self, vectors: NDArray[np.float32], identifiers: Sequence[Sequence[int]], rows: Tensor
    ) -> None:
        """Let what is read of an item start at its vector: own rows are what the codes' rows leave of it.

        Args:
            vectors: float32 [N, at most H]; an item whose vector is 0 is read by its codes alone.
            identifiers: token ids of each item's identifier; of items that share one, any one counts.
            rows: float [V, H], of all tokens.
        """
        ids, lengths = padded(identifiers, -1, self.keys.device)
        last = lengths[:, None] - 1
        owners = self.layout(ids, pad=-1).owners.gather(1, last)[:, 0]
        shared = nn.functional.embedding(ids.clamp(min=0), rows) * (ids >= 0)[..., None]
        wanted = torch.zeros(len(vectors), self.own.shape[1], device=ids.device)
        wanted[:, : vectors.shape[1]] = torch.from_numpy(vectors).to(ids.device)
        known = wanted.any(dim=1) & (owners < len(self.own))
        self.own[owners[known]] = (wanted - shared.sum(dim=1))[known]

    def own_rows(self, owners: Tensor) -> Tensor:
        """Own rows float32 [n, H]; zeros where there is none."""
        if not len(self.own):
            return self.own.new_zeros((len(owners), self.own.shape[1]))
        known = owners < len(self.own)
        return self.own[torch.where(known, owners, 0)] * known[:, None]

    def cascade(self, states: Tensor, rows: Tensor, rate: float = 0.0) -> Tensor:
        """States [n, H] after one more token of an identifier, from those before it and the token's rows."""
        return self._gone_on(states, rows, self.enter(torch.cat([states, rows], dim=-1)), rate)

    def cascade_beams(
        self, states: Tensor, parents: Tensor, rows: Tensor, tokens: Tensor, read: Tensor
    ) -> Tensor:
        """`cascade` for beams [B, W, H], without computing alike what beams share.

        Args:
            states: [B, P, H], of the beams before.
            parents: int64 [B, W], which of them each beam goes on from.
            rows: [V, H], of all tokens.
            tokens: int64 [B, W], what each beam writes.
            read: bool [B, W], the beams that are computed; the others get zeros.
        """
        width = states.shape[-1]
        lines = torch.arange(len(states), device=states.device)[:, None] * states.shape[1]
        named, place = tokens[read].unique(return_inverse=True)  # type: ignore[no-untyped-call]
        begun, origin = (lines + parents)[read].unique(return_inverse=True)  # type: ignore[no-untyped-call]
        embedding, linear = nn.functional.embedding, nn.functional.linear
        written, before = embedding(named, rows), embedding(begun, states.reshape(-1, width))
        # Whole rows are picked: `gather` and indices of several axes go number by number, ten times slower.
        entered = embedding(origin, linear(before, self.enter.weight[:, :width]))
        entered += embedding(place, linear(written, self.enter.weight[:, width:]))
        after = self._gone_on(embedding(origin, before), embedding(place, written), entered)
        hidden = after.new_zeros((read.numel(), width))
        return hidden.index_copy_(0, read.reshape(-1).nonzero().squeeze(1), after).view(*read.shape, width)

    def _gone_on(self, states: Tensor, rows: Tensor, entered: Tensor, rate: float = 0.0) -> Tensor:
        """The cascade behind its first layer: states and rows [..., H], `entered` [..., 2H] of both."""
        gate, up = entered.chunk(2, dim=-1)
        added = self.leave(nn.functional.silu(gate) * up)
        if self.training:
            added = dropped(added, rate)
        return cast("Tensor", self.norm(states + rows + added))


def item_positions_of(weights: dict[str, Tensor]) -> ItemPositions:
    """The part that a `state_dict()` was of."""
    rows, width = weights["own"].shape
    items = ItemPositions(weights, rows, width)
    items.load_state_dict(weights)
    return items
