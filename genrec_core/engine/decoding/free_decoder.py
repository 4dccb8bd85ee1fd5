"""Free decoder: samples in, identifiers out that were written without a constraint.

A text spells an identifier when some item has it; any other text is cut at the identifiers' separator, so
that a grounder sees its terms. Where identifiers are written without a separator, a text must be made of
their tokens alone to count as tokens at all. Texts that read alike, which a text tokenizer can spell in more
than one way, are one candidate, with the best of their scores.

Where the task is answered with an item field (a title), a text means the items that have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers, Tokens
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine.decoding.batches import batches
from genrec_core.engine.decoding.free_beam import FreeAnswer, FreeBeamSettings, search_freely
from genrec_core.engine.decoding.head import Head
from genrec_core.engine.decoding.steppers import stepper_for
from genrec_core.engine.models.model import Model
from genrec_core.engine.rendering.renderer import Renderer

_WINDOW = 2048
"""Requests looked at together when batching by length."""


@dataclass(frozen=True)
class FreeDecoderSettings:
    """How to search.

    Attributes:
        beams: texts kept at every step and returned.
        max_tokens: budget of a text.
        batch_tokens: prompt and beam tokens of one batch; changes speed and memory, not results.
    """

    beams: int
    max_tokens: int
    batch_tokens: int = 16384


class FreeDecoder:
    """Unconstrained generation of identifiers by one model."""

    def __init__(self, model: Model, catalogue: Catalogue, settings: FreeDecoderSettings) -> None:
        self.model, self.catalogue, self.settings = model, catalogue, settings
        self.renderer = Renderer(model, catalogue)
        self.head = Head(model.network)
        self._known = frozenset(catalogue.identifiers.vocabulary)
        self._texts: dict[str, dict[str, list[int]]] = {}

    def candidates(self, samples: Iterable[Sample]) -> Iterator[Candidates]:
        """What is written behind each sample's prompt, in order.

        Raises:
            GenrecError: a sample is not answered with an item.
        """
        remaining = iter(samples)
        while window := list(islice(remaining, _WINDOW)):
            yield from self._answers(window)

    def _answers(self, samples: Sequence[Sample]) -> list[Candidates]:
        free = next((sample for sample in samples if not sample.answer_form), None)
        if free is not None:
            raise GenrecError(
                f"task `{free.task}` is answered with text that means no item",
                hint="recommend by a task that is answered with an item, such as `prompt: core/next-item`",
            )
        prompts = [self.renderer.prompt(sample) for sample in samples]
        found: dict[int, Candidates] = {}
        kinds = [(sample.answer_form, sample.stop_text) for sample in samples]
        room = self.settings.beams * self.settings.max_tokens
        for batch in batches(list(map(len, prompts)), self.settings.batch_tokens, room=room, kinds=kinds):
            answers = self._batch([prompts[i] for i in batch], *kinds[batch[0]])
            found.update(zip(batch, answers, strict=True))
        return [found[index] for index in range(len(samples))]

    def _batch(self, prompts: Sequence[Sequence[int]], form: str, stop_text: str) -> list[Candidates]:
        stops: list[tuple[int, ...]] = [(self.model.end_id,)]
        if stop_text:
            stops.append(tuple(self.renderer.literal_ids(stop_text)))
        settings = FreeBeamSettings(self.settings.beams, self.settings.max_tokens, tuple(stops))
        stepper = stepper_for(self.model, steps=settings.max_tokens, width=settings.beams)
        return [self._read(texts, form) for texts in search_freely(stepper, self.head, prompts, settings)]

    def _read(self, written: Sequence[FreeAnswer], form: str) -> Candidates:
        distinct: dict[Tokens | str, Candidate] = {}
        for one in written:
            text = self.model.text_tokenizer.decode(
                list(one.tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            ).strip()
            if form != IDENTIFIER:
                items = tuple(self._named(form).get(text, ()))
                distinct.setdefault(text, Candidate((), one.score, text, items))
                continue
            tokens = self._spelt(text, one.tokens)
            more = "" if self.catalogue.identifiers.separator.join(tokens) == text else text
            distinct.setdefault(tokens or text, Candidate(tokens, one.score, more))
        steps = max((len(one.tokens) for one in written), default=0)
        cut = sum(not one.complete for one in written)
        return Candidates(tuple(distinct.values()), {"finish": steps, "cut": cut})

    def _named(self, form: str) -> dict[str, list[int]]:
        """What items are called in a form → the items called so, in catalogue order."""
        if form not in self._texts:
            named: dict[str, list[int]] = {}
            for item, text in enumerate(self.catalogue.answers(form)):
                if text.strip():
                    named.setdefault(text.strip(), []).append(item)
            self._texts[form] = named
        return self._texts[form]

    def _spelt(self, text: str, ids: Sequence[int]) -> Tokens:
        identifiers = self.catalogue.identifiers
        if identifiers.separator:
            return spelt(text, identifiers)
        names = self.model.text_tokenizer.convert_ids_to_tokens(list(ids))
        return tuple(names) if all(name in self._known for name in names) else ()


def spelt(text: str, identifiers: Identifiers) -> Tokens:
    """The tokens of a text, between separators; those that an item has, where it spells an identifier."""
    exact = identifiers.parse(text)
    if exact is not None:
        return exact
    parts = (part.strip() for part in text.split(identifiers.separator))
    return tuple(part for part in parts if part)
