"""Decode states: one prompt a row, many beams behind it.

Every family of model answers the same two questions: `start` (the hidden state after the prompt) and
`advance` (the hidden states after one more token on each of W beams, each continuing some beam of the step
before). Search algorithms are written against these two and know no model. `support` says which state a
network takes.

Beams of a causal model are a tree behind one shared prompt (`TreeState`). The usual way copies the prompt for
every beam before reading it, and copies all keys and values again whenever beams are reordered. Here a row
reads its prompt once, whatever the number of beams. The beams' tokens are laid out behind it in the same row,
W slots a step, and an attention mask lets each token see the prompt and its own ancestors only. Reordering
beams changes the list of ancestors (a few integers), never the cache.

    prompt        step 1   step 2        beam 1 of step 2 continues beam 0 of step 1:
    p p p p · ·   a b c    d e f         e sees  p p p p, a, e

Prompts are padded at the right: under a causal mask no real token can see the padding behind it, so
reading the prompt needs no mask at all and takes the fastest attention kernel.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from genrec_core.engine.batches import TokenIds, padded
from genrec_core.engine.models.layers import rows_of


class _Slots(CacheLayerMixin):
    """Keys and values of one layer in a buffer of known size, written in place."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity, self.used = capacity, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, heads, _, width = key_states.shape
        self.keys = key_states.new_empty((rows, heads, self.capacity, width))
        self.values = value_states.new_empty((rows, heads, self.capacity, value_states.shape[-1]))
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        begin, self.used = self.used, self.used + key_states.shape[-2]
        self.keys[:, :, begin : self.used] = key_states
        self.values[:, :, begin : self.used] = value_states
        return self.keys[:, :, : self.used], self.values[:, :, : self.used]

    def get_seq_length(self) -> int:
        return self.used

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.used + query_length, 0

    def get_max_length(self) -> int:
        return self.capacity

    get_max_cache_shape = get_max_length  # its name before transformers 5.17


class DecodeState(Protocol):
    """The state of a search in a model."""

    def start(self, prompts: Sequence[TokenIds], prefixes: Sequence[TokenIds] | None = None) -> Tensor:
        """Hidden states [B, 1, H] after prompts of any lengths, each followed by its supplied prefix."""

    def advance(self, parents: Tensor, tokens: Tensor, read: Tensor | None = None) -> Tensor:
        """Hidden states [B, W, H] after `tokens` [B, W], each written behind beam `parents` [B, W].

        `read` bool [B, W] names the beams whose states are needed, by default all. Of the others they may be
        anything, and no beam that is read later continues them.
        """


def cache_argument(module: Any) -> str:
    """What a module's `forward` calls its cache: `cache`, or `past_key_values` in older transformers."""
    kind: Any = type(module)
    return _cache_argument(kind)


@cache
def _cache_argument(kind: Any) -> str:
    return "cache" if "cache" in inspect.signature(kind.forward).parameters else "past_key_values"


def added_mask(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A boolean mask as numbers to add to attention scores: 0 where a token is seen."""
    unseen = torch.finfo(dtype).min
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, unseen)


def _side_by_side(read: Tensor) -> tuple[Tensor, Tensor]:
    """Of beams some of which are read, bool [B, W]: which stand side by side in each row of a batch.

    Returns:
        The beams of each slot int64 [B, V], those that are read first, as many as the fullest row has; and
        the slot of each beam int64 [B, W].
    """
    width = max(1, int(read.sum(1).max()))
    order = read.long().argsort(dim=1, descending=True, stable=True)
    return order[:, :width], (read.long().cumsum(1) - 1).clamp(min=0)


class TreeState:
    """One prompt a row, read once, and a tree of beams behind it, for causal models.

    Args:
        network: a transformers causal language model whose `Support` says `tree`.
        pad_id: any valid token id; it is never seen.
        steps: how many tokens will follow the prompt at most.
        width: how many beams a row will have at most.
        added: give masks that are added to attention scores, for code that does not take boolean ones.
    """

    def __init__(self, network: Any, pad_id: int, *, steps: int, width: int, added: bool = False) -> None:
        self._network, self._decoder = network, network.get_decoder()
        self._pad, self._room, self._added = pad_id, steps * width, added

    def start(self, prompts: Sequence[TokenIds], prefixes: Sequence[TokenIds] | None = None) -> Tensor:
        """Hidden states [B, 1, H] after the prompts, read once each."""
        if prefixes is not None:
            prompts = [[*prompt, *prefix] for prompt, prefix in zip(prompts, prefixes, strict=True)]
        weight = self._network.get_input_embeddings().weight
        device, self._dtype = weight.device, weight.dtype
        ids, lengths = padded(prompts, self._pad, device)
        layers = self._network.config.num_hidden_layers
        self._cache = Cache(layers=[_Slots(ids.shape[1] + self._room) for _ in range(layers)])
        self._lengths, self._seen = lengths, torch.arange(ids.shape[1], device=device) < lengths[:, None]
        self._ancestors = torch.zeros((len(prompts), 1, 0), dtype=torch.long, device=device)
        positions = torch.arange(ids.shape[1], device=device)[None].expand_as(ids)
        hidden = self._read(ids, positions, None)
        return hidden[torch.arange(len(prompts), device=device), lengths - 1][:, None]

    def advance(self, parents: Tensor, tokens: Tensor, read: Tensor | None = None) -> Tensor:
        """Hidden states [B, W, H] after one more token on each beam that is `read`."""
        rows, width = tokens.shape
        prompt, depth = self._seen.shape[1], self._ancestors.shape[2]
        begin = self._cache.get_seq_length()
        slots = torch.arange(width, device=tokens.device).expand(rows, width)
        inherited = self._ancestors.gather(1, parents[..., None].expand(-1, -1, depth))
        if read is not None:
            beams, slots = _side_by_side(read)
            width, tokens = beams.shape[1], tokens.gather(1, beams)
        self._ancestors = torch.cat([inherited, begin + slots[..., None]], dim=2)
        seen = self._ancestors
        if read is not None:
            seen = seen.gather(1, beams[..., None].expand(-1, -1, depth + 1))
        mask = torch.zeros((rows, width, begin + width), dtype=torch.bool, device=tokens.device)
        mask[:, :, :prompt] = self._seen[:, None]
        mask.scatter_(2, seen, True)
        positions = (self._lengths + depth)[:, None].expand(rows, width)
        mask = mask[:, None]
        hidden = self._read(tokens, positions, added_mask(mask, self._dtype) if self._added else mask)
        return hidden if read is None else rows_of(hidden, slots)

    def _read(self, ids: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        out = self._decoder(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask,
            use_cache=True,
            **{cache_argument(self._decoder): self._cache},
        )
        hidden: Tensor = out.last_hidden_state
        return hidden


class CopiedState:
    """Beams of a causal model with a copy of the prompt for each: slower, and right for more architectures.

    Rows of one length are read together, so there is no padding that a window, a recurrent state or a
    position counted from the cache could trip over; the cache is the network's own, picked anew when beams
    move.

    Args:
        network: a transformers causal language model.
        cached: keep the network's cache; without, every beam is read from its first token at every step.
    """

    def __init__(self, network: Any, *, cached: bool = True) -> None:
        self._network, self._decoder, self._cached = network, network.get_decoder(), cached

    def start(self, prompts: Sequence[TokenIds], prefixes: Sequence[TokenIds] | None = None) -> Tensor:
        """Hidden states [B, 1, H] after the prompts, rows of one length read together."""
        if prefixes is not None:
            prompts = [[*prompt, *prefix] for prompt, prefix in zip(prompts, prefixes, strict=True)]
        self._device = self._network.get_input_embeddings().weight.device
        places: dict[int, list[int]] = {}
        for place, prompt in enumerate(prompts):
            places.setdefault(len(prompt), []).append(place)
        self._places = [torch.tensor(group, device=self._device) for group in places.values()]
        self._caches: list[Any] = [None] * len(places)
        self._written = [
            padded([prompts[place] for place in group], 0, self._device)[0] for group in places.values()
        ]
        read = [self._read(number, ids)[:, -1:] for number, ids in enumerate(self._written)]
        return torch.cat(read)[torch.cat(self._places).argsort()]

    def advance(self, parents: Tensor, tokens: Tensor, read: Tensor | None = None) -> Tensor:
        """Hidden states [B, W, H] after one more token on each beam, whichever are `read`."""
        width, after = tokens.shape[1], []
        for number, rows in enumerate(self._places):
            before = len(self._written[number]) // len(rows)
            first = torch.arange(len(rows), device=self._device)[:, None] * before
            origin = (first + parents[rows]).reshape(-1)
            last = tokens[rows].reshape(-1, 1)
            self._written[number] = torch.cat([self._written[number][origin], last], dim=1)
            if self._cached:
                self._caches[number].reorder_cache(origin)
            hidden = self._read(number, last if self._cached else self._written[number])[:, -1]
            after.append(hidden.reshape(len(rows), width, -1))
        return torch.cat(after)[torch.cat(self._places).argsort()]

    def _read(self, number: int, ids: Tensor) -> Tensor:
        name, cache = cache_argument(self._decoder), self._caches[number]
        out = self._decoder(input_ids=ids, use_cache=self._cached, **({} if cache is None else {name: cache}))
        if self._cached:
            self._caches[number] = getattr(out, name)
        hidden: Tensor = out.last_hidden_state
        return hidden
