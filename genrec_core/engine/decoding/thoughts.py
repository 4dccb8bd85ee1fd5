"""Thoughts: free text before an answer, under a budget, and the constrained beams behind it.

A prompt may get several thoughts. Each is written behind an opening text and ends with a closing one; where
the budget runs out, or the model ends the text instead, the closing is written for it and the thought counts
as cut, so an answer always starts from the same tokens.

    prompt   <think>⏎   tents want ropes   ⏎</think>⏎⏎              <a_1><b_0>, <a_1><b_2>, …
    given    given      written            written, or given: cut   constrained beams

Where what is visible of the closing (`</think>`) is written without the white space around it, the thought
is closed too, and the rest of the closing is given.

`think_then_beam` answers samples: N thoughts a prompt, K beams behind each, merged into one list.

    merge      an identifier's score, over thoughts that have it among their beams
    max        its best log-probability
    logsumexp  the log of its mean probability over all N thoughts; one that lacks it counts 0
    vote       the sum of 1 / rank over thoughts, divided by N; equal ones by their best log-probability
    best       only the beams of the thought whose first beam has the highest log-probability

Sampled thoughts are draws from the model, so none weighs them by their own probability. A thought depends on
its prompt, the seed and its own number: the first of five is the one that is written alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import Sample
from genrec_core.contracts.views import Request
from genrec_core.engine.batches import WINDOW, TokenIds
from genrec_core.engine.choices import Merge
from genrec_core.engine.decoding.decoder import Decoder
from genrec_core.engine.decoding.free_text import FreeSettings, WrittenText, written_texts
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.models.model import Model


@dataclass(frozen=True)
class ThinkSettings:
    """How to think.

    Attributes:
        budget: tokens of a thought at most; 0 gives an empty thought, opened and closed for the model.
        opening: text that begins a thought.
        closing: text that ends it; written for the model when the budget runs out.
        temperature: 0 thinks greedily.
        top_p: see `FreeSettings`.
        count: thoughts a prompt.
        merge: how beams behind several thoughts become one list.
    """

    budget: int
    opening: str = "<think>\n"
    closing: str = "\n</think>\n\n"
    temperature: float = 0.0
    top_p: float = 1.0
    count: int = 1
    merge: Merge = "max"

    def around(self, model: Model) -> tuple[list[int], list[int]]:
        """Token ids of opening and closing."""
        opening, closing = (
            model.tokenise([text])[0] if text else [] for text in (self.opening, self.closing)
        )
        return opening, closing


@dataclass(frozen=True)
class Thought:
    """One thought.

    Attributes:
        tokens: ids between opening and closing.
        closing: ids of the closing.
        written: how many of these, from the first, the model wrote itself; the others were given.
        cut: whether the model did not close it, though it might have.
        text: what the tokens say, without white space around it.
    """

    tokens: tuple[int, ...]
    closing: tuple[int, ...]
    written: int
    cut: bool
    text: str

    @property
    def ids(self) -> tuple[int, ...]:
        """Thought and closing: what stands between the opening and the answer."""
        return (*self.tokens, *self.closing)


def written_thoughts(
    model: Model,
    head: OutputHead,
    prompts: Sequence[TokenIds],
    settings: ThinkSettings,
    *,
    noise: torch.Generator | int,
    batch_tokens: int,
) -> list[list[Thought]]:
    """`settings.count` thoughts behind each prompt, in order.

    Args:
        model: thinks; it must be causal.
        head: its output matrix.
        prompts: token ids up to the opening.
        settings: how to think.
        noise: see `written_texts`.
        batch_tokens: tokens of a batch.

    Raises:
        GenrecError: the model is an encoder-decoder one, or a prompt leaves no room for a thought.
    """
    opening, closing = settings.around(model)
    _check_room(model, prompts, settings, len(opening) + len(closing))
    if not settings.budget:
        nothing = Thought((), tuple(closing), written=0, cut=False, text="")
        return [[nothing] * settings.count for _ in prompts]
    core = model.tokenise([settings.closing.strip()])[0]
    stop = tuple(tuple(one) for one in (closing, core, [model.end_id]))
    free = FreeSettings(settings.budget, settings.count, settings.temperature, settings.top_p, stop)
    opened = [(*prompt, *opening) for prompt in prompts]
    rest = _rest(closing, core)
    return [
        [_thought(text, model, stop, rest) for text in texts]
        for texts in written_texts(model, head, opened, free, noise, batch_tokens)
    ]


def _check_room(model: Model, prompts: Sequence[TokenIds], settings: ThinkSettings, around: int) -> None:
    if model.family == "seq2seq":
        raise GenrecError(
            "an encoder-decoder model writes answers only, so it cannot think before them",
            hint="use a causal model",
        )
    longest = max(map(len, prompts), default=0)
    if longest + around + settings.budget > model.max_length:
        raise GenrecError(
            f"a prompt of {longest:,} tokens, a thought of `{settings.budget}` and the {around} tokens "
            f"around it do not fit into the {model.max_length:,} tokens that the model may use",
            hint="lower the budget, show less history (`max_history`), or raise `max_length` of the model",
        )


def _rest(closing: Sequence[int], core: Sequence[int]) -> tuple[int, ...]:
    """What of the closing follows its visible part; nothing where the text tokenizer merges the two."""
    for start in range(len(closing) - len(core) + 1):
        if list(closing[start : start + len(core)]) == list(core):
            return tuple(closing[start + len(core) :])
    return ()


def _thought(
    text: WrittenText, model: Model, stop: Sequence[tuple[int, ...]], rest: tuple[int, ...]
) -> Thought:
    closing, core, _ = stop
    words = model.text_tokenizer.decode(list(text.tokens), clean_up_tokenization_spaces=False).strip()
    if text.stop == 1:
        return Thought(text.tokens, (*core, *rest), len(core), cut=False, text=words)
    closed = text.stop == 0
    return Thought(text.tokens, closing, len(closing) if closed else 0, not closed, words)


@dataclass(frozen=True)
class Behind:
    """One thought and what is recommended behind it."""

    thought: Thought
    answer: Candidates


def beams_behind_thoughts(
    decoder: Decoder,
    samples: Sequence[Sample],
    settings: ThinkSettings,
    seed: int = 0,
    requests: Sequence[Request] = (),
    *,
    exclude: Sequence[Sequence[int]] | None = None,
    only: Sequence[frozenset[int] | None] | None = None,
) -> Iterator[list[Behind]]:
    """The thoughts about each sample and the beams behind each, in order, not merged.

    Args:
        decoder: searches; its model thinks.
        samples: with the form of their answers.
        settings: how to think.
        seed: of sampled thoughts.
        requests: whom each sample is for, where the decoder has a prior.
        exclude, only: as for `Decoder.candidates`.
    """
    for begin in range(0, len(samples), WINDOW):
        window = slice(begin, begin + WINDOW)
        batch, count = samples[window], settings.count
        prompts = [decoder.renderer.prompt(sample) for sample in batch]
        thoughts = written_thoughts(
            decoder.model,
            decoder.head,
            prompts,
            settings,
            noise=seed,
            batch_tokens=decoder.settings.batch_tokens,
        )
        opening, _ = settings.around(decoder.model)
        answers = decoder.answers(
            [sample for sample in batch for _ in range(count)],
            [
                [*prompt, *opening, *thought.ids]
                for prompt, group in zip(prompts, thoughts, strict=True)
                for thought in group
            ],
            [request for request in requests[window] for _ in range(count)],
            exclude=None if exclude is None else [one for one in exclude[window] for _ in range(count)],
            only=None if only is None else [one for one in only[window] for _ in range(count)],
        )
        for row, group in enumerate(thoughts):
            behind = answers[row * count : (row + 1) * count]
            yield [Behind(thought, answer) for thought, answer in zip(group, behind, strict=True)]


def think_then_beam(
    decoder: Decoder,
    samples: Sequence[Sample],
    settings: ThinkSettings,
    seed: int = 0,
    requests: Sequence[Request] = (),
    *,
    exclude: Sequence[Sequence[int]] | None = None,
    only: Sequence[frozenset[int] | None] | None = None,
) -> Iterator[Candidates]:
    """The best identifiers for each sample behind its thoughts, merged, in order.

    Arguments as for `beams_behind_thoughts`. `Candidates.phases` counts tokens over all thoughts: `think`,
    `finish`, and `cut`, how many thoughts were closed for the model. `Candidates.thought` is the one behind
    the first candidate.
    """
    groups = beams_behind_thoughts(decoder, samples, settings, seed, requests, exclude=exclude, only=only)
    for group in groups:
        yield merged(group, settings.merge, decoder.settings.beams)


def merged(group: Sequence[Behind], how: Merge, most: int) -> Candidates:
    """One list of at most `most` candidates from the beams behind the thoughts about one prompt."""
    phases = {
        "think": sum(len(one.thought.tokens) for one in group),
        "cut": sum(one.thought.cut for one in group),
    }
    for one in group:
        for phase, tokens in one.answer.phases.items():
            phases[phase] = phases.get(phase, 0) + tokens
    if len(group) == 1:
        return Candidates(group[0].answer.beams, phases, group[0].thought.text)
    lists = [one.answer.beams for one in group]
    if how == "best":
        lists = [max(lists, key=lambda beams: beams[0].score if beams else -np.inf)]
    ranked = _ranked(lists, how, len(group))[:most]
    first = group[ranked[0][1]] if ranked and how != "best" else _having(group, lists[0])
    return Candidates(tuple(candidate for candidate, _ in ranked), phases, first.thought.text)


def _having(group: Sequence[Behind], beams: Sequence[Candidate]) -> Behind:
    return next(one for one in group if one.answer.beams == beams)


def _ranked(lists: Sequence[Sequence[Candidate]], how: Merge, thoughts: int) -> list[tuple[Candidate, int]]:
    """Distinct candidates with merged scores, best first, and the list with each one's best score."""
    found: dict[tuple[tuple[str, ...], str], list[tuple[float, int, int]]] = {}
    kept: dict[tuple[tuple[str, ...], str], Candidate] = {}
    for number, beams in enumerate(lists):
        for rank, beam in enumerate(beams, 1):
            key = (beam.tokens, "" if beam.tokens else beam.text)
            kept.setdefault(key, beam)
            found.setdefault(key, []).append((beam.score, -rank, number))
    rows = []
    for key, places in found.items():
        best, _, number = max(places)
        score = best
        if how == "logsumexp":
            score = float(np.logaddexp.reduce([score for score, _, _ in places])) - float(np.log(thoughts))
        elif how == "vote":
            score = sum(-1 / rank for _, rank, _ in places) / thoughts
        one = kept[key]
        rows.append((Candidate(one.tokens, score, one.text, one.items), best, number))
    rows.sort(key=lambda row: (-row[0].score, -row[1]))
    return [(candidate, number) for candidate, _, number in rows]
