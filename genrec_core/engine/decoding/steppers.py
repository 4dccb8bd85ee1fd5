"""Steppers: one prompt a row, many beams behind it.

Every family of model answers the same two questions: `start` (the hidden state after the prompt) and
`advance` (the hidden states after one more token on each of W beams, each continuing some beam of the
step before). Search algorithms are written against these two and know no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.causal import CausalStepper
from genrec_core.engine.decoding.prompts import Tokens
from genrec_core.engine.decoding.seq2seq import Seq2SeqStepper


class Stepper(Protocol):
    """The state of a search in a model."""

    def start(self, prompts: Sequence[Tokens], prefixes: Sequence[Tokens] | None = None) -> Tensor:
        """Hidden states [B, 1, H] after prompts of any lengths, each followed by its supplied prefix."""

    def advance(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Hidden states [B, W, H] after `tokens` [B, W], each written behind beam `parents` [B, W]."""


def stepper_for(model: object, *, steps: int, width: int) -> Stepper:
    """The stepper of a model's family, with room for `steps` further tokens on `width` beams."""
    family = getattr(model, "family", None)
    network, pad_id = getattr(model, "network", None), int(getattr(model, "pad_id", 0))
    if family == "causal":
        return CausalStepper(network, pad_id, steps=steps, width=width)
    if family == "seq2seq":
        return Seq2SeqStepper(network, pad_id)
    raise GenrecError(f"no decoder for a model of family `{family}`", hint="families are causal and seq2seq")
