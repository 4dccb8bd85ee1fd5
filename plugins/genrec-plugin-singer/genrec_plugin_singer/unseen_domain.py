"""`singer/unseen-domain`: trained and selected on some domains, evaluated on others (SINGER §4.2, RQ2).

An item field tells each item's domain. Training and validation rows come from the seen domains alone, test
rows from the unseen ones alone: history and target both, so that no interaction of a evaluated domain is in
training. Where the data brings explicit rows, those of the right domain are used; elsewhere a user's last
item in the domain is held out, since not every data set has the times that the paper cuts by.

    seen: [industrial], unseen: [office]
    train a b · valid a b → c · test x y → z          (a b c industrial, x y z office)

The catalogue holds both domains, so one codebook names all items. Which of them a tokenizer learns from is
its own option, and answering from the evaluated domain alone is `evaluate.domain_field`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from genrec_core import DataError, Dataset, EvaluationRows, Sequences, Split, View, Views
from genrec_core.builtin.explicit_rows import ExplicitRows
from genrec_core.contracts.errors import examples
from genrec_core.data.row_file import repeated_rows

_SHORTEST = 3
"""A user needs two items to train on and one to be held out."""


class UnseenDomain(Split):
    """Cuts by domain: what is evaluated was never trained on."""

    version = "1"

    class Options(Split.Options):
        """Which domains are which."""

        field: str = Field("domain", min_length=1)
        """The item field that names its domain."""
        seen: tuple[str, ...] = Field(min_length=1)
        """Domains to train and select on."""
        unseen: tuple[str, ...] = Field(min_length=1)
        """Domains to evaluate on."""

        @model_validator(mode="after")
        def _apart(self) -> UnseenDomain.Options:
            both = sorted(set(self.seen) & set(self.unseen))
            if both:
                raise ValueError(f"`seen` and `unseen` both name {examples(both)}")
            return self

    options: Options

    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training and validation views of the seen domains, a test view of the unseen ones.

        Raises:
            DataError: a domain names no item, or leaves nothing to train on or to evaluate.
        """
        labels = np.array([dataset.items.value(n, self.options.field) for n in range(len(dataset.items))])
        self._check(labels)
        seen, unseen = (np.isin(labels, names) for names in (self.options.seen, self.options.unseen))
        known = _only(dataset, seen)
        selected = _within(dataset.valid, seen) or _last_of_each(known, _SHORTEST)
        later = _within(dataset.test, seen) or selected
        apart = later is not selected  # without later rows, those of validation say where training ends
        rows = ExplicitRows(repeated="refuse" if apart else "keep")
        views = rows.split(replace(known, valid=selected, test=later), max_history)
        if not apart:
            twofold = {*repeated_rows(selected, later)} - {*repeated_rows(selected, None)}
            views = replace(views, notes=tuple(note for note in views.notes if note not in twofold))
        evaluated = _within(dataset.test, unseen) or _last_of_each(_only(dataset, unseen), _SHORTEST - 1)
        if not len(evaluated):
            raise DataError(
                f"nobody has two items in {examples(self.options.unseen)}, so there is nothing to evaluate",
                hint="name another domain in `unseen`",
            )
        test = View(
            name="test",
            users=evaluated.users,
            rows=evaluated.histories,
            targets=evaluated.targets,
            max_history=max_history,
            domains=tuple(labels[evaluated.targets].tolist()),
        )
        domains = tuple(labels[views.valid.targets].tolist())
        return replace(views, valid=replace(views.valid, domains=domains), test=test, oracle=None)

    def _check(self, labels: NDArray[np.str_]) -> None:
        there = set(labels.tolist())
        absent = [name for name in (*self.options.seen, *self.options.unseen) if name not in there]
        if absent:
            raise DataError(
                f"no item has {examples(absent)} in its field `{self.options.field}`",
                hint=f"domains are: {', '.join(sorted(there)[:10])}",
            )


def _only(dataset: Dataset, keep: NDArray[np.bool_]) -> Dataset:
    """The data set with only the interactions whose item is kept, its catalogue whole."""
    stay = keep[dataset.sequences.values]
    ends = np.concatenate([[0], np.cumsum(stay)])
    sequences = Sequences(dataset.sequences.values[stay], ends[dataset.sequences.offsets])
    times = None if dataset.times is None else dataset.times[stay]
    return replace(dataset, sequences=sequences, times=times, domains=(), valid=None, test=None)


def _within(rows: EvaluationRows | None, keep: NDArray[np.bool_]) -> EvaluationRows | None:
    """The explicit rows that lie in kept domains with history and target; None where there are none."""
    if rows is None:
        return None
    whole = [
        row for row, target in enumerate(rows.targets) if keep[target] and keep[rows.histories.row(row)].all()
    ]
    if not whole:
        return None
    histories = Sequences.of(rows.histories.row(row).copy() for row in whole)
    return EvaluationRows(tuple(rows.users[row] for row in whole), histories, rows.targets[whole].copy())


def _last_of_each(dataset: Dataset, shortest: int) -> EvaluationRows:
    """Every user's last item given those before it, for users with at least `shortest` items."""
    rows = np.flatnonzero(dataset.sequences.lengths >= shortest).tolist()
    sequences = [dataset.sequences.row(row) for row in rows]
    targets = np.array([sequence[-1] for sequence in sequences], dtype=np.int32)
    histories = Sequences.of(sequence[:-1].copy() for sequence in sequences)
    return EvaluationRows(tuple(dataset.users[row] for row in rows), histories, targets)
