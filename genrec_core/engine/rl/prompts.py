"""Prompts: the samples that are answered in training, and which of them make each round.

A sample of any corpus is a prompt when it has a target and a constrained answer; what is cut away is its
first learnt segment and everything behind it. Its own weight is not used: advantages say what counts. The
plan of rounds is made before training and depends on the seed alone, so round n of a resumed run is round n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import History, Sample
from genrec_core.contracts.views import View
from genrec_core.engine.training.batch_plan import drawn


@dataclass(frozen=True)
class PromptPlan:
    """Samples of several corpora, and the rounds they are taken in.

    Attributes:
        samples: corpora after one another.
        rounds: rows of `samples` for each round.
    """

    samples: tuple[Sample, ...]
    rounds: tuple[NDArray[np.int64], ...]

    def of(self, step: int) -> list[Sample]:
        """The samples of a round."""
        return [self.samples[row] for row in self.rounds[step]]

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form that a sample answers in, in a fixed order."""
        return tuple(sorted({sample.answer_form for sample in self.samples}))

    @property
    def digest(self) -> str:
        """Hash of the samples and of their order."""
        body = hashlib.sha256()
        for sample in self.samples:
            body.update(repr(sample).encode())
        for rows in self.rounds:
            body.update(rows.tobytes())
        return body.hexdigest()


def plan_prompts(
    tables: Sequence[Sequence[Sample]],
    weights: Sequence[float],
    *,
    epochs: int,
    prompts: int,
    most: int | None,
    seed: int,
) -> PromptPlan:
    """Shuffle all corpora together, epoch by epoch, and cut them into rounds; the last may be smaller.

    Args:
        tables: samples of each corpus.
        weights: how often each corpus is drawn an epoch.
        epochs: how many draws of the corpora.
        prompts: prompts of a round.
        most: most rounds; None for no such bound.
        seed: the order depends on it.
    """
    sizes = [len(table) for table in tables]
    rounds: list[NDArray[np.int64]] = []
    for epoch in range(epochs):
        if most is not None and len(rounds) >= most:
            break
        generator = np.random.default_rng([seed, epoch, 1 << 21])
        rows = generator.permutation(drawn(sizes, weights, epoch, seed))
        rounds += [rows[start : start + prompts] for start in range(0, len(rows), prompts)]
    return PromptPlan(tuple(sample for table in tables for sample in table), tuple(rounds[:most]))


def answerable(corpus: Corpus, view: View, catalogue: Catalogue, context: Context) -> list[Sample]:
    """A corpus' samples of a view, each of which can be answered and scored.

    Raises:
        GenrecError: there are none, or one has no target, no constrained answer, or learns inside a history.
    """
    samples = list(corpus.samples(view, catalogue, context))
    if not samples:
        raise GenrecError(
            f"corpus `{corpus.name}` gave no prompt for the {view.name} view",
            hint="check that the view has users with two items, or remove the corpus",
        )
    _check(corpus.name, samples)
    return samples


def _check(name: str, samples: Iterable[Sample]) -> None:
    for sample in samples:
        if sample.target is None or not sample.answer_form:
            raise GenrecError(
                f"corpus `{name}` has samples of task `{sample.task}` without a target or a constrained "
                "answer, which no reward can score",
                hint="train on that corpus with core/sft",
            )
        if any(isinstance(part, History) and part.learn for part in sample.segments):
            raise GenrecError(
                f"corpus `{name}` learns inside histories, so a sample is not one prompt with one answer",
                hint="give the corpus one sample for each target (`each: prefix`)",
            )
