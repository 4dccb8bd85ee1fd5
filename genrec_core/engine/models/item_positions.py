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
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import ContractError, GenrecError, examples
from genrec_core.engine.batches import padded
from genrec_core.engine.models.layers import RATE, dropped
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
        return nn.functional.pad(self.own, (0, 0, 0, 1))[owners]

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


class _ReadsItems:
    """Beside the class of a stack of blocks: reads token ids by item. See `read_by_item`."""

    config: Any
    training: bool
    embed_tokens: Any

    def _items(self) -> ItemPositions:
        return cast("ItemPositions", getattr(self, ITEMS_ATTRIBUTE))

    def _read(self, ids: Tensor, mask: bool) -> tuple[Layout, Tensor, Tensor]:
        """Positions' states [B, P, H] of tokens [B, T], with their layout and the tokens' rows [B, T, H]."""
        items, width = self._items(), self.embed_tokens.weight.shape[1]
        layout = items.layout(ids, int(self.config.pad_token_id))
        rows = nn.functional.embedding(ids, self.embed_tokens.weight)
        unfinished = (layout.depth > 0) & (layout.place == layout.counts[:, None])
        # An encoder reads what is not finished too; of a causal model nothing stands behind it.
        filled = layout.counts + unfinished.any(dim=1) if mask else layout.counts
        most = max(1, int(filled.max()))
        first = torch.arange(len(ids), device=ids.device)[:, None] * most
        real = (layout.closes | (layout.depth > 0)) & (layout.place < filled[:, None])
        slots = (first + layout.place)[real]
        read = rows.new_zeros((len(ids) * most, width)).index_add(0, slots, rows[real])
        own = items.own_rows(layout.owners[layout.closes]).to(read.dtype)
        read = read.index_add(0, (first + layout.place)[layout.closes], own)
        if self.training:
            read, rows = dropped(read, self._rate()), dropped(rows, self._rate())
        read = read.view(len(ids), most, width)
        given: dict[str, Any] = {"use_cache": False}
        if mask:
            given = {"attention_mask": (torch.arange(most, device=ids.device) < filled[:, None]).long()}
        states = super().forward(inputs_embeds=read, **given).last_hidden_state  # type: ignore[misc]
        return layout, states, rows

    def _rate(self) -> float:
        return float(getattr(self.config, RATE, 0.0) or 0.0)


class _CausalReadsItems(_ReadsItems):
    """Of a causal model."""

    def forward(
        self, input_ids: Tensor | None = None, use_cache: bool | None = None, **others: Any
    ) -> BaseModelOutputWithPast:
        """Last states [B, T, H] of tokens [B, T]: of whole items their positions', of parts the cascade's.

        Raises:
            NotImplementedError: something else is given; such ways of decoding are then not taken.
        """
        if input_ids is None or use_cache or any(value is not None for value in others.values()):
            raise NotImplementedError("a network that reads items takes token ids alone")
        layout, states, rows = self._read(input_ids, mask=False)
        items, width = self._items(), states.shape[-1]
        batch = len(states)
        lines = torch.arange(batch, device=states.device)[:, None].expand_as(layout.place)
        begun = items.begin.to(states.dtype).expand(batch, 1, width)
        before = torch.cat([begun, states], dim=1)  # position p stands at p + 1
        every = before[lines, torch.where(layout.closes, layout.place + 1, layout.place)]
        flat, depth = every.reshape(-1, width), layout.depth.reshape(-1)
        given, last = rows.reshape(-1, width), flat
        for level in range(1, int(depth.max()) + 1):
            here = (depth == level).nonzero().squeeze(1)
            came = flat[here] if level == 1 else last[here - 1]
            last = last.index_put((here,), items.cascade(came, given[here], self._rate()).to(last.dtype))
        return BaseModelOutputWithPast(last_hidden_state=last.view(every.shape))

    def last_states(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` gives of each row's last token, without the cascade behind items that are whole.

        Args:
            ids: int64 [B, T], padded at the right.
            lengths: int64 [B], tokens of each row, at least one.

        Returns:
            States [B, H], and the node of the identifiers' trie where each row ends, int64 [B].
        """
        layout, states, rows = self._read(ids, mask=False)
        items, lines, last = self._items(), torch.arange(len(ids), device=ids.device), lengths - 1
        depth, whole = layout.depth[lines, last], layout.closes[lines, last]
        place = layout.place[lines, last] + whole.long()  # position p stands at p + 1, behind the beginning
        begun = items.begin.to(states.dtype).expand(len(ids), states.shape[-1])
        found = torch.where(place[:, None] > 0, states[lines, (place - 1).clamp(min=0)], begun)
        for level in range(1, int(depth.max()) + 1):
            here = (depth >= level).nonzero().squeeze(1)
            given = rows[here, last[here] - depth[here] + level]
            gone_on = items.cascade(found[here], given, self._rate()).to(found.dtype)
            found = found.index_put((here,), gone_on)
        return found, layout.nodes


class _EncoderReadsItems(_ReadsItems):
    """Of the encoder of an encoder-decoder model."""

    def forward(self, input_ids: Tensor | None = None, attention_mask: Any = None, **others: Any) -> Any:
        """Last states [B, T, H] of tokens [B, T], all tokens of an item having that of its position."""
        if input_ids is None:
            raise NotImplementedError("an encoder that reads items takes token ids alone")
        layout, states, _ = self._read(input_ids, mask=True)
        lines = torch.arange(len(states), device=states.device)[:, None].expand_as(layout.place)
        place = layout.place.clamp(max=states.shape[1] - 1)
        return BaseModelOutputWithPast(last_hidden_state=states[lines, place])


def stack_of(network: Any) -> Any:
    """The stack of blocks that reads a history: a causal model's own, or the encoder."""
    return network.get_encoder() if network.config.is_encoder_decoder else network.get_decoder()


def item_positions(network: Any) -> ItemPositions | None:
    """The part of a network that reads items, None where it reads tokens."""
    return cast("ItemPositions | None", getattr(stack_of(network), ITEMS_ATTRIBUTE, None))


def read_by_item(network: Any, items: ItemPositions) -> None:
    """Make a network read histories by item, in place."""
    stack = stack_of(network)
    beside = _EncoderReadsItems if network.config.is_encoder_decoder else _CausalReadsItems
    setattr(stack, ITEMS_ATTRIBUTE, items.to(stack.embed_tokens.weight.device))
    own = type(stack)
    stack.__class__ = type(f"{own.__name__}ByItem", (beside, own), {})


def reading_items(model: Any, catalogue: Catalogue, seed: int) -> None:
    """Make a fresh model read histories by item, in place.

    Args:
        model: has `network`, `tokenise` and the catalogue's tokens, as `Model` does.
        catalogue: its identifiers are what items are known by.
        seed: of the first weights.

    Raises:
        GenrecError: identifiers are made of words, which stand in other texts too, or cannot be told apart.
    """
    identifiers = catalogue.identifiers
    words = sorted(set(identifiers.vocabulary) - set(identifiers.new_tokens))
    if words:
        raise GenrecError(
            f"histories are read by item only where identifiers are made of codes, and {len(words):,} of "
            f"their tokens are words: {examples(words)}",
            hint="write `positions: token`, or use a tokenizer of semantic IDs",
        )
    weight = model.network.get_input_embeddings().weight
    rows = model.tokenise([identifiers.text(item) for item in range(len(identifiers))])
    items = ItemPositions.of(rows, *weight.shape)
    items.reset(seed)
    read_by_item(model.network, items)


def item_positions_of(weights: dict[str, Tensor]) -> ItemPositions:
    """The part that a `state_dict()` was of."""
    rows, width = weights["own"].shape
    items = ItemPositions(weights, rows, width)
    items.load_state_dict(weights)
    return items
