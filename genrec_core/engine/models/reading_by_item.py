"""Networks that read histories by item: what they do with token ids.

The stack of blocks of a network gets another class, whose `forward` takes token ids as before and gives each
token a state; what is read at each position, and how answers go on, is in `item_positions`.

    read_by_item(network, items)
    network.get_decoder()(input_ids=ids)           # states [B, T, H], from one position for each item
    network.get_decoder().last_states(ids, lengths)  # [B, H]: what writes the next token alone
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.engine.models.item_positions import ITEMS_ATTRIBUTE, ItemPositions, Layout
from genrec_core.engine.models.last_block import install, last_block_at
from genrec_core.engine.models.layers import RATE, dropped


class _ReadsItems:
    """Beside the class of a stack of blocks: reads token ids by item. See `read_by_item`."""

    config: Any
    training: bool
    embed_tokens: Any

    def _items(self) -> ItemPositions:
        return cast("ItemPositions", getattr(self, ITEMS_ATTRIBUTE))

    def _read(self, ids: Tensor, mask: bool, newest: Tensor | None = None) -> tuple[Layout, Tensor, Tensor]:
        """Positions' states [B, P, H] of tokens [B, T], with their layout and the tokens' rows [B, T, H].

        With `newest` int64 [B], the place of a token of each row, only the state that such a token is written
        behind is right.
        """
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
        asked = None if newest is None else first[:, 0] + (layout.behind(newest) - 1).clamp(min=0)
        with last_block_at(asked):
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
        last = lengths - 1
        layout, states, rows = self._read(ids, mask=False, newest=last)
        items, lines = self._items(), torch.arange(len(ids), device=ids.device)
        depth, place = layout.depth[lines, last], layout.behind(last)  # position p stands at p + 1
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
    if not network.config.is_encoder_decoder:
        install(stack.layers[-1].mlp)
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
