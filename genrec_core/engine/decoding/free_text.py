"""Free text: greedy or sampled, several continuations a prompt, until a stop sequence or a budget.

Thoughts before an answer are written here. Every setting is explicit: the model's own generation config
is never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genrec_core.engine.decoding.head import Head
from genrec_core.engine.decoding.prompts import Tokens
from genrec_core.engine.decoding.steppers import Stepper


@dataclass(frozen=True)
class FreeSettings:
    """How to write freely.

    Attributes:
        max_tokens: budget of each text.
        count: texts for each prompt.
        temperature: 0 takes the best token every time.
        top_p: sample from the smallest set of tokens with at least this probability together.
        stop: token sequences that end a text; a stop sequence is not part of the text.
    """

    max_tokens: int
    count: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Text:
    """One written text: its tokens without the stop sequence, and which of them was reached (-1: none)."""

    tokens: tuple[int, ...]
    stop: int

    @property
    def stopped(self) -> bool:
        """Whether a stop sequence ended it, not the budget."""
        return self.stop >= 0


@torch.inference_mode()
def write_freely(
    stepper: Stepper,
    head: Head,
    prompts: Sequence[Tokens],
    settings: FreeSettings,
    noise: torch.Generator | None = None,
) -> list[list[Text]]:
    """`count` texts for each prompt.

    Args:
        stepper: a fresh search state with room for `max_tokens` steps of `count` beams.
        head: the model's output matrix.
        prompts: token ids, one row each.
        settings: how to write.
        noise: needed when the temperature is above 0.
    """
    hidden = stepper.start(prompts).expand(-1, settings.count, -1)
    written: list[list[list[int]]] = [[[] for _ in range(settings.count)] for _ in prompts]
    stops = torch.full(hidden.shape[:2], -1)
    parents = torch.zeros(hidden.shape[:2], dtype=torch.long, device=hidden.device)
    for step in range(settings.max_tokens):
        tokens = _next(head.logits(hidden.reshape(-1, hidden.shape[-1])), settings, noise)
        tokens = tokens.reshape(hidden.shape[:2])
        for row, beams in enumerate(tokens.tolist()):
            for beam, token in enumerate(beams):
                if stops[row, beam] < 0:
                    written[row][beam].append(token)
                    stops[row, beam] = _cut(written[row][beam], settings.stop)
        if bool((stops >= 0).all()) or step + 1 == settings.max_tokens:
            break
        hidden = stepper.advance(parents, tokens)
        parents = torch.arange(settings.count, device=hidden.device).expand(len(prompts), -1)
    return [
        [Text(tuple(text), int(stops[row, beam])) for beam, text in enumerate(texts)]
        for row, texts in enumerate(written)
    ]


def _cut(text: list[int], stops: tuple[tuple[int, ...], ...]) -> int:
    """Remove a stop sequence from the end of a text; which one it was, -1 for none."""
    for place, stop in enumerate(stops):
        if tuple(text[-len(stop) :]) == stop:
            del text[-len(stop) :]
            return place
    return -1


def _next(logits: Tensor, settings: FreeSettings, noise: torch.Generator | None) -> Tensor:
    if settings.temperature == 0.0:
        return logits.argmax(dim=1)
    shares = (logits / settings.temperature).softmax(dim=1)
    if settings.top_p < 1.0:
        ordered, order = shares.sort(dim=1, descending=True)
        # A token stays while the probability before it is still short of the goal: the first always does.
        ordered[ordered.cumsum(1) - ordered >= settings.top_p] = 0.0
        shares = torch.zeros_like(shares).scatter(1, order, ordered)
    return torch.multinomial(shares, 1, generator=noise).squeeze(1)
