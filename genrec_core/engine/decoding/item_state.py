"""The state of a search in a causal model that reads histories by item.

Inside an identifier a step is the cascade alone. A beam that goes on behind a whole item is read again.

    state = ItemState(network, pad_id)
    state.start(prompts)                       # [B, 1, H]: what writes the first code of each answer
    state.advance(parents, tokens)             # [B, W, H]: a step of the cascade for every beam
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from genrec_core.engine.batches import TokenIds, padded
from genrec_core.engine.models.item_positions import ITEMS_ATTRIBUTE, ItemPositions


class ItemState:
    """The state of a search in a causal model that reads items: see `DecodeState`."""

    def __init__(self, network: Any, pad_id: int) -> None:
        self._decoder, self._pad = network.get_decoder(), pad_id
        self._items: ItemPositions = getattr(self._decoder, ITEMS_ATTRIBUTE)

    def start(self, prompts: Sequence[TokenIds], prefixes: Sequence[TokenIds] | None = None) -> Tensor:
        """Hidden states [B, 1, H] after prompts of any lengths, each followed by its supplied prefix."""
        if prefixes is not None:
            prompts = [[*prompt, *prefix] for prompt, prefix in zip(prompts, prefixes, strict=True)]
        self._prompts = [list(prompt) for prompt in prompts]
        hidden, nodes = self._last(self._prompts)
        self._hidden, self._nodes = hidden[:, None], nodes[:, None]
        self._written = torch.zeros((len(prompts), 1, 0), dtype=torch.long, device=self._hidden.device)
        return self._hidden

    def advance(self, parents: Tensor, tokens: Tensor, read: Tensor | None = None) -> Tensor:
        """Hidden states [B, W, H] after `tokens` [B, W], each written behind beam `parents` [B, W].

        Those of beams that are not `read` are 0.
        """
        path = self._written.gather(1, parents[..., None].expand(-1, -1, self._written.shape[2]))
        self._written = torch.cat([path, tokens[..., None]], dim=2)
        inside, self._nodes, _ = self._items.step(self._nodes.gather(1, parents), tokens)
        rows = self._decoder.embed_tokens.weight
        read = torch.ones_like(inside) if read is None else read
        hidden = self._items.cascade_beams(self._hidden, parents, rows, tokens, read).to(self._hidden.dtype)
        whole = (read & ~inside).nonzero().tolist()
        if whole:
            paths = [[*self._prompts[row], *self._written[row, beam].tolist()] for row, beam in whole]
            at = torch.tensor(whole, device=hidden.device)
            hidden = hidden.index_put((at[:, 0], at[:, 1]), self._last(paths)[0])
        self._hidden = hidden
        return hidden

    def _last(self, paths: Sequence[TokenIds]) -> tuple[Tensor, Tensor]:
        """The last states [n, H] of some token sequences, and the nodes where they end."""
        ids, lengths = padded(paths, self._pad, self._decoder.embed_tokens.weight.device)
        return cast("tuple[Tensor, Tensor]", self._decoder.last_states(ids, lengths))
