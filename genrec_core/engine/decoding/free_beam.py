"""Free beam search: the likeliest texts after a prompt, whatever they say.

Identifiers made of plain words need no constraint to be written: a model that has learnt them writes them,
and a grounder maps what came out to items. Nothing here knows a catalogue. A text is complete when it ends
with a stop sequence, which counts in its score but is no part of it; complete texts wait in a pool of their
own, so that they take no beam from longer ones. Scores are summed log-probabilities without length
normalisation, as in the constrained search, so the two can be compared.

What the budget cuts off is returned too, behind the complete texts that beat it, and marked: a grounder may
still make something of four terms out of five.

`FreeDecoder` reads identifiers in what was written: a text spells an identifier when some item has it; any
other text is cut at the identifiers' separator, so that a grounder sees its terms. Where identifiers are
written without a separator, a text must be made of their tokens alone to count as tokens at all. Texts that
read alike, which a text tokenizer can spell in more than one way, are one candidate, with the best of their
scores. Where the task is answered with an item field (a title), a text means the items that have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers, Tokens
from genrec_core.contracts.samples import IDENTIFIER, Sample
from genrec_core.engine.batches import WINDOW, TokenIds, by_tokens
from genrec_core.engine.decoding.decode_state import DecodeState
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.models.layers import log_sum_exp_
from genrec_core.engine.models.model import Model
from genrec_core.engine.rendering.renderer import Renderer


@dataclass(frozen=True)
class FreeBeamSettings:
    """How to search.

    Attributes:
        beams: texts kept at every step and returned.
        max_tokens: budget of a text, its stop sequence included.
        stop: token sequences that complete a text; a stop sequence is not part of the text.
    """

    beams: int
    max_tokens: int
    stop: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class FreeAnswer:
    """One text of a search.

    Attributes:
        tokens: its token ids, without the stop sequence.
        score: summed log-probability, stop sequence included.
        complete: whether a stop sequence ended it, not the budget.
    """

    tokens: tuple[int, ...]
    score: float
    complete: bool


@torch.inference_mode()
def search_freely(
    state: DecodeState, head: OutputHead, prompts: Sequence[TokenIds], settings: FreeBeamSettings
) -> list[list[FreeAnswer]]:
    """The `beams` likeliest texts after each prompt, best first.

    Args:
        state: a fresh search state with room for `max_tokens` steps of `beams` beams.
        head: the model's output matrix.
        prompts: token ids, one row each.
        settings: how to search.
    """
    hidden = state.start(prompts)
    device = hidden.device
    scores = torch.zeros((len(prompts), 1), device=device)
    texts = torch.zeros((len(prompts), 1, 0), dtype=torch.long, device=device)
    done: list[list[FreeAnswer]] = [[] for _ in prompts]
    for step in range(settings.max_tokens):
        parents, tokens, totals = _continued(head, hidden, scores, settings)
        grown = torch.cat([_of(texts, parents), tokens[..., None]], dim=2)
        ended = _ends(grown, settings.stop)
        _keep(done, grown, totals, ended, settings)
        scores, chosen = totals.masked_fill(ended, -torch.inf).topk(
            min(settings.beams, totals.shape[1]), dim=1
        )
        # Scores only fall, so a beam below the worst of a full pool can never enter it.
        bound = [pool[-1].score if len(pool) == settings.beams else -torch.inf for pool in done]
        scores = scores.masked_fill(scores <= torch.tensor(bound, device=device)[:, None], -torch.inf)
        texts = _of(grown, chosen)
        if step + 1 == settings.max_tokens or not bool((scores > -torch.inf).any()):
            break
        hidden = state.advance(parents.gather(1, chosen), texts[..., -1])
    _keep_cut(done, texts, scores, settings)
    return done


def _continued(
    head: OutputHead, hidden: Tensor, scores: Tensor, settings: FreeBeamSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """The best next tokens of every beam: parents, tokens and total scores, each [B, M].

    Of one beam at most one continuation a stop sequence can be complete, so with that many more than `beams`
    there are always enough that are not.
    """
    rows, width, _ = hidden.shape
    logits = head.logits(hidden.reshape(rows * width, -1))
    most = min(settings.beams + len(settings.stop), logits.shape[1])
    best, tokens = logits.topk(most, dim=1)
    gained = best - log_sum_exp_(logits)[:, None]
    totals = (scores.reshape(-1, 1) + gained).reshape(rows, width * most)
    parents = torch.arange(width, device=hidden.device).repeat_interleave(most).expand(rows, -1)
    totals, order = totals.topk(min(2 * settings.beams + len(settings.stop), totals.shape[1]), dim=1)
    return parents.gather(1, order), tokens.reshape(rows, -1).gather(1, order), totals


def _of(table: Tensor, rows: Tensor) -> Tensor:
    """`table` [B, W, T] taken at `rows` [B, M] of its second axis."""
    return table.gather(1, rows[..., None].expand(-1, -1, table.shape[2]))


def _ends(texts: Tensor, stops: Sequence[TokenIds]) -> Tensor:
    """Which texts [B, M, T] end with a stop sequence, bool [B, M]."""
    ended = torch.zeros(texts.shape[:2], dtype=torch.bool, device=texts.device)
    for stop in stops:
        if len(stop) <= texts.shape[2]:
            last = torch.tensor(list(stop), device=texts.device)
            ended |= (texts[..., texts.shape[2] - len(stop) :] == last).all(dim=2)
    return ended


def _keep(
    done: list[list[FreeAnswer]], texts: Tensor, totals: Tensor, ended: Tensor, settings: FreeBeamSettings
) -> None:
    """Put complete texts into their rows' pools."""
    for row, place in (ended & (totals > -torch.inf)).nonzero().tolist():
        tokens = texts[row, place].tolist()
        stop = next(stop for stop in settings.stop if tuple(tokens[-len(stop) :]) == stop)
        done[row].append(FreeAnswer(tuple(tokens[: -len(stop)]), float(totals[row, place]), complete=True))
        done[row].sort(key=lambda text: -text.score)
        del done[row][settings.beams :]


def _keep_cut(
    done: list[list[FreeAnswer]], texts: Tensor, scores: Tensor, settings: FreeBeamSettings
) -> None:
    """Fill pools that are not full with the best of what the budget cut off."""
    for row, pool in enumerate(done):
        for place, score in enumerate(scores[row].tolist()):
            if len(pool) < settings.beams and score > -torch.inf:
                pool.append(FreeAnswer(tuple(texts[row, place].tolist()), score, complete=False))
        pool.sort(key=lambda text: -text.score)


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
        self.head = OutputHead(model.network)
        self._known = frozenset(catalogue.identifiers.vocabulary)
        self._texts: dict[str, dict[str, list[int]]] = {}

    def candidates(self, samples: Iterable[Sample]) -> Iterator[Candidates]:
        """What is written behind each sample's prompt, in order.

        Raises:
            GenrecError: a sample is not answered with an item.
        """
        remaining = iter(samples)
        while window := list(islice(remaining, WINDOW)):
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
        for batch in by_tokens(list(map(len, prompts)), self.settings.batch_tokens, room=room, kinds=kinds):
            answers = self._batch([prompts[i] for i in batch], *kinds[batch[0]])
            found.update(zip(batch, answers, strict=True))
        return [found[index] for index in range(len(samples))]

    def _batch(self, prompts: Sequence[Sequence[int]], form: str, stop_text: str) -> list[Candidates]:
        stops: list[tuple[int, ...]] = [(self.model.end_id,)]
        if stop_text:
            stops.append(tuple(self.renderer.literal_ids(stop_text)))
        settings = FreeBeamSettings(self.settings.beams, self.settings.max_tokens, tuple(stops))
        state = decode_state_for(self.model, steps=settings.max_tokens, width=settings.beams)
        return [self._read(texts, form) for texts in search_freely(state, self.head, prompts, settings)]

    def _read(self, written: Sequence[FreeAnswer], form: str) -> Candidates:
        distinct: dict[Tokens | str, Candidate] = {}
        for one in written:
            text = self.model.text_tokenizer.decode(
                list(one.tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False
            ).strip()
            # By token ids first: a text tokenizer that lower-cases decodes to another text than it was given.
            known = self.renderer.items_by_ids(form).get(one.tokens)
            if form != IDENTIFIER:
                items = tuple(known or self._named(form).get(text, []))
                distinct.setdefault(text, Candidate((), one.score, text, items))
                continue
            identifiers = self.catalogue.identifiers
            tokens = identifiers.tokens(known[0]) if known else self._spelt(text, one.tokens)
            more = "" if identifiers.separator.join(tokens) == text else text
            distinct.setdefault(tokens or text, Candidate(tokens, one.score, more))
        spent = sum(len(one.tokens) for one in written)
        cut = sum(not one.complete for one in written)
        return Candidates(tuple(distinct.values()), {"finish": spent, "cut": cut})

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
