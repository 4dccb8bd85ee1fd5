"""Think, then answer: free text up to a budget, then constrained beams behind it.

A thought that does not close within its budget is cut there and closed for it, and counted as such, so
that the answer always starts from the same tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.samples import Sample
from genrec_core.engine.decoding.decoder import Decoder
from genrec_core.engine.decoding.free_text import FreeSettings, write_freely
from genrec_core.engine.decoding.steppers import stepper_for


@dataclass(frozen=True)
class ThinkSettings:
    """How to think.

    Attributes:
        budget: tokens of a thought at most.
        opening: text that begins a thought.
        closing: text that ends it; written for the model when the budget runs out.
        temperature: 0 thinks greedily.
        top_p: see `FreeSettings`.
    """

    budget: int
    opening: str = "<think>\n"
    closing: str = "\n</think>\n\n"
    temperature: float = 0.0
    top_p: float = 1.0


def think_then_beam(
    decoder: Decoder, samples: Sequence[Sample], settings: ThinkSettings, noise: torch.Generator | None = None
) -> Iterator[Candidates]:
    """One thought and its best identifiers for each sample, in order.

    `Candidates.phases` counts the tokens: `think`, `cut` (1 when the budget ran out) and `finish`.
    """
    opening, closing = decoder.model.tokenise([settings.opening, settings.closing])
    free = FreeSettings(
        settings.budget,
        temperature=settings.temperature,
        top_p=settings.top_p,
        stop=(tuple(closing), (decoder.model.end_id,)),
    )
    rows = max(1, decoder.settings.batch_tokens // (decoder.model.max_length + settings.budget))
    for begin in range(0, len(samples), rows):
        batch = samples[begin : begin + rows]
        prompts = [[*decoder.renderer.prompt(sample), *opening] for sample in batch]
        stepper = stepper_for(decoder.model, steps=settings.budget, width=1)
        thoughts = [texts[0] for texts in write_freely(stepper, decoder.head, prompts, free, noise)]
        closed = [
            [*prompt, *thought.tokens, *closing] for prompt, thought in zip(prompts, thoughts, strict=True)
        ]
        for thought, answer in zip(thoughts, decoder.answers(batch, closed), strict=True):
            phases = {"think": len(thought.tokens), "cut": int(not thought.stopped), **answer.phases}
            text = decoder.model.text_tokenizer.decode(list(thought.tokens))
            yield Candidates(answer.beams, phases, text)
