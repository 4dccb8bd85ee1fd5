"""Beams of encoder-decoder models: all beams of a row read one copy of the encoder's keys and values.

The encoder, which is where the prompt's cost lies, reads each prompt once, and its keys and values are
projected once. A decoder of transformers has a row for each beam, and would want them repeated for each:
twenty beams, twenty copies, and each copy read for one query at every step. Networks that ask the attention
functions of transformers' registry are given one of ours in place of `sdpa`, which lays the beams of a row
side by side as queries over one copy:

    3 rows of 4 beams, query [12, heads, 1, D], keys [3, heads, S, D]  →  query [3, heads, 4, D]

With as many queries as keys it is `sdpa` itself, so training and encoders go on as before. `support` measures
whether a network may be read so; otherwise keys are repeated. Relative position biases (T5) count the slots
of a cache, so the decoder's own short one cannot be a tree (`TreeState`): its rows are picked anew when beams
move.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.batches import TokenIds, padded
from genrec_core.engine.decoding.decode_state import cache_argument

SHARED = "genrec_shared"
"""The attention function's name among those of transformers."""


def _shared_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """`sdpa`; where keys have fewer rows than queries, the queries of a row's beams stand side by side.

    Args:
        module: the layer that asks.
        query: [B × W, heads, 1, D].
        key: [B, heads, S, D].
        value: as `key`.
        attention_mask: [B × W, 1, 1, S], equal for all beams of a row.
        options: those of `sdpa`.
    """
    beams = len(query) // len(key)
    mask = attention_mask
    if beams > 1:
        query = query[:, :, 0].reshape(len(key), beams, query.shape[1], -1).transpose(1, 2)
        mask = None if mask is None else mask[::beams]
        options["is_causal"] = False
    read: Tensor = sdpa_attention_forward(module, query, key, value, mask, **options)[0]
    return read.flatten(0, 1)[:, None] if beams > 1 else read, None


AttentionInterface.register(SHARED, _shared_attention)
AttentionMaskInterface.register(SHARED, sdpa_mask)


def shares(decoder: Any, yes: bool = True) -> bool:
    """Put our attention function in the place of a decoder's `sdpa`, and say whether it is there.

    Args:
        decoder: of a transformers network. One with another function than `sdpa` keeps it.
        yes: False puts `sdpa` back.
    """
    before, after = ("sdpa", SHARED) if yes else (SHARED, "sdpa")
    config = getattr(decoder, "config", None)  # FSMT's decoder has none
    if getattr(config, "_attn_implementation", None) == before:
        decoder.set_attn_implementation(after)
    return getattr(config, "_attn_implementation", None) == SHARED


class EncoderDecoderState:
    """Beams of an encoder-decoder model.

    Args:
        network: a transformers encoder-decoder model.
        pad_id: pads prompts; the encoder masks it.
        cached: keep keys and values; without, the decoder reads what is written again at every step.
        shared: let the beams of a row read one copy of the encoder's keys and values.

    Raises:
        GenrecError: the network does not ask the attention function that `shared` needs.
    """

    def __init__(self, network: Any, pad_id: int, *, cached: bool = True, shared: bool = False) -> None:
        self._network, self._pad, self._cached, self._shared = network, pad_id, cached, shared
        self._encoder, self._decoder = network.get_encoder(), network.get_decoder()
        if shared and not shares(self._decoder):
            raise GenrecError(f"the decoder of `{type(network).__name__}` has its own attention")
        self._begin = int(network.config.decoder_start_token_id)

    def start(self, prompts: Sequence[TokenIds], prefixes: Sequence[TokenIds] | None = None) -> Tensor:
        """Hidden states [B, 1, H] after the decoder's start token and the supplied prefixes.

        Raises:
            GenrecError: prefixes of different lengths in one batch.
        """
        device = self._network.get_input_embeddings().weight.device
        ids, lengths = padded(prompts, self._pad, device)
        self._mask = (torch.arange(ids.shape[1], device=device) < lengths[:, None]).long()
        self._states = self._encoder(input_ids=ids, attention_mask=self._mask).last_hidden_state
        self._cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self._cross: list[tuple[Tensor, Tensor]] = []
        self._width, self._beam_mask = 1, self._mask
        supplied = [list(prefix) for prefix in prefixes] if prefixes is not None else [[]] * len(prompts)
        if len({len(prefix) for prefix in supplied}) > 1:
            raise GenrecError(
                "an encoder-decoder model needs prefixes of one length in a batch",
                hint="group requests by the length of their prefix",
            )
        self._written = torch.tensor([[self._begin, *prefix] for prefix in supplied], device=device)
        hidden = self._read(self._written)[:, -1:]
        if not self._cached:
            return hidden
        self._cross = [(layer.keys, layer.values) for layer in self._cache.cross_attention_cache.layers]
        return hidden

    def advance(self, parents: Tensor, tokens: Tensor, read: Tensor | None = None) -> Tensor:
        """Hidden states [B, W, H] after one more token on each beam, whichever are `read`."""
        rows, width = tokens.shape
        origin = torch.arange(rows, device=tokens.device)[:, None] * self._width + parents
        if not self._cached:
            self._written = torch.cat([self._written[origin.reshape(-1)], tokens.reshape(-1, 1)], dim=1)
            self._width, self._beam_mask = width, self._mask.repeat_interleave(width, dim=0)
            return self._read(self._written)[:, -1].reshape(rows, width, -1)
        self._cache.self_attention_cache.reorder_cache(origin.reshape(-1))
        if width != self._width:
            if not self._shared:
                self._repeat_keys(width)
            self._width, self._beam_mask = width, self._mask.repeat_interleave(width, dim=0)
        return self._read(tokens.reshape(-1, 1)).reshape(rows, width, -1)

    def _repeat_keys(self, width: int) -> None:
        for layer, (keys, values) in zip(self._cache.cross_attention_cache.layers, self._cross, strict=True):
            layer.keys = keys.repeat_interleave(width, dim=0)
            layer.values = values.repeat_interleave(width, dim=0)

    def _read(self, ids: Tensor) -> Tensor:
        if not self._cached:
            states = self._states.repeat_interleave(self._width, dim=0)
        elif len(ids) == len(self._states):
            states = self._states
        else:  # their keys are in the cache, and only this tensor's shape is looked at
            states = self._states[:1].expand(len(ids), -1, -1)
        cache = {cache_argument(self._decoder): self._cache} if self._cached else {}
        out = self._decoder(
            input_ids=ids,
            encoder_hidden_states=states,
            encoder_attention_mask=self._beam_mask,
            use_cache=self._cached,
            **cache,
        )
        hidden: Tensor = out.last_hidden_state
        return hidden
