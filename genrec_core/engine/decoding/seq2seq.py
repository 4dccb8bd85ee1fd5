"""Beams of an encoder-decoder model.

The encoder, which is where the prompt's cost lies, reads each prompt once. Relative position biases (T5)
count cache slots, so the decoder's short self-attention cache cannot be a tree; its rows are picked anew
when beams move, while the encoder's keys and values are projected once and repeated for the beams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.prompts import Tokens, padded


class Seq2SeqStepper:
    """See the module's story. `pad_id` pads prompts; the encoder masks it."""

    def __init__(self, network: Any, pad_id: int) -> None:
        self._network, self._pad = network, pad_id
        self._encoder, self._decoder = network.get_encoder(), network.get_decoder()
        self._begin = int(network.config.decoder_start_token_id)

    def start(self, prompts: Sequence[Tokens], prefixes: Sequence[Tokens] | None = None) -> Tensor:
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
        begun = torch.tensor([[self._begin, *prefix] for prefix in supplied], device=device)
        hidden = self._read(begun)[:, -1:]
        self._cross = [(layer.keys, layer.values) for layer in self._cache.cross_attention_cache.layers]
        return hidden

    def advance(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Hidden states [B, W, H] after one more token on each beam."""
        rows, width = tokens.shape
        origin = torch.arange(rows, device=tokens.device)[:, None] * self._width + parents
        self._cache.self_attention_cache.reorder_cache(origin.reshape(-1))
        if width != self._width:
            for layer, (keys, values) in zip(
                self._cache.cross_attention_cache.layers, self._cross, strict=True
            ):
                layer.keys = keys.repeat_interleave(width, dim=0)
                layer.values = values.repeat_interleave(width, dim=0)
            self._width, self._beam_mask = width, self._mask.repeat_interleave(width, dim=0)
        return self._read(tokens.reshape(-1, 1)).reshape(rows, width, -1)

    def _read(self, ids: Tensor) -> Tensor:
        out = self._decoder(
            input_ids=ids,
            # After the first read their keys are in the cache and only this tensor's shape is looked at.
            encoder_hidden_states=self._states
            if len(ids) == len(self._states)
            else self._states[:1].expand(len(ids), -1, -1),
            encoder_attention_mask=self._beam_mask,
            past_key_values=self._cache,
            use_cache=True,
        )
        hidden: Tensor = out.last_hidden_state
        return hidden
