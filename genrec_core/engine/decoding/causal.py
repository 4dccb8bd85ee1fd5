"""Beams of a causal model as a tree behind one shared prompt.

The usual way copies the prompt for every beam before reading it, and copies all keys and values again
whenever beams are reordered. Here a row reads its prompt once, whatever the number of beams. The beams'
tokens are laid out behind it in the same row, W slots a step, and an attention mask lets each token see
the prompt and its own ancestors only. Reordering beams changes the list of ancestors (a few integers),
never the cache.

    prompt        step 1   step 2        beam 1 of step 2 continues beam 0 of step 1:
    p p p p · ·   a b c    d e f         e sees  p p p p, a, e

Prompts are padded at the right: under a causal mask no real token can see the padding behind it, so
reading the prompt needs no mask at all and takes the fastest attention kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.prompts import Tokens, padded


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


class CausalStepper:
    """See the module's story.

    Args:
        network: a transformers causal language model with full attention in every layer.
        pad_id: any valid token id; it is never seen.
        steps: how many tokens will follow the prompt at most.
        width: how many beams a row will have at most.

    Raises:
        GenrecError: a layer attends through a sliding window, which the tree's mask does not know.
    """

    def __init__(self, network: Any, pad_id: int, *, steps: int, width: int) -> None:
        kinds = set(getattr(network.config, "layer_types", None) or {"full_attention"})
        if kinds != {"full_attention"}:
            raise GenrecError(
                f"`{type(network).__name__}` has layers of kind {', '.join(sorted(kinds))}; "
                "tree decoding needs full attention",
                hint="use a model without sliding-window layers, or switch the window off in its config",
            )
        self._network, self._decoder = network, network.get_decoder()
        self._pad, self._room = pad_id, steps * width

    def start(self, prompts: Sequence[Tokens], prefixes: Sequence[Tokens] | None = None) -> Tensor:
        """Hidden states [B, 1, H] after the prompts, read once each."""
        if prefixes is not None:
            prompts = [[*prompt, *prefix] for prompt, prefix in zip(prompts, prefixes, strict=True)]
        device = self._network.get_input_embeddings().weight.device
        ids, lengths = padded(prompts, self._pad, device)
        layers = self._network.config.num_hidden_layers
        self._cache = Cache(layers=[_Slots(ids.shape[1] + self._room) for _ in range(layers)])
        self._lengths, self._seen = lengths, torch.arange(ids.shape[1], device=device) < lengths[:, None]
        self._ancestors = torch.zeros((len(prompts), 1, 0), dtype=torch.long, device=device)
        positions = torch.arange(ids.shape[1], device=device)[None].expand_as(ids)
        hidden = self._read(ids, positions, None)
        return hidden[torch.arange(len(prompts), device=device), lengths - 1][:, None]

    def advance(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Hidden states [B, W, H] after one more token on each beam."""
        rows, width = tokens.shape
        prompt = self._seen.shape[1]
        depth = self._ancestors.shape[2]
        begin = self._cache.get_seq_length()
        own = torch.arange(begin, begin + width, device=tokens.device).expand(rows, width)[..., None]
        inherited = self._ancestors.gather(1, parents[..., None].expand(-1, -1, depth))
        self._ancestors = torch.cat([inherited, own], dim=2)
        mask = torch.zeros((rows, width, begin + width), dtype=torch.bool, device=tokens.device)
        mask[:, :, :prompt] = self._seen[:, None]
        mask.scatter_(2, self._ancestors, True)
        positions = (self._lengths + depth)[:, None].expand(rows, width)
        return self._read(tokens, positions, mask[:, None])

    def _read(self, ids: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        out = self._decoder(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=self._cache,
            use_cache=True,
        )
        hidden: Tensor = out.last_hidden_state
        return hidden
