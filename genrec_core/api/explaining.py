"""Why an item was recommended, as far as it can be told: from what was written and from the data.

    rank  item  near      both  alike   beam
    1     1004  1001      31    2 of 3  1: <a_3><b_7><c_0>

`beam` is the candidate that led to the item, with its place among those that were written. `near` are the
items of the history nearest to it: those that most training users had together with it, of equal ones those
whose identifiers begin with more of the same tokens. A language model gives no better reason than what it
wrote; what the data says beside it is said for comparison, not as the model's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from genrec_core.api.answering import RankedAnswer
from genrec_core.api.table import Table
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.views import View

_NEAREST = 3
"""Items of the history that are named for each recommendation."""


class Near(NamedTuple):
    """An item of the history beside a recommended one.

    Attributes:
        item: of the history.
        both: training users who had both.
        alike: tokens at the beginning that their identifiers share.
    """

    item: int
    both: int
    alike: int


class Explainer:
    """Explains answers of one run.

    Args:
        catalogue: the items.
        train: the training view.
    """

    def __init__(self, catalogue: Catalogue, train: View) -> None:
        self._catalogue = catalogue
        rows = np.repeat(np.arange(len(train.rows)), train.rows.lengths)
        width = max(1, len(train.rows))
        pairs = np.unique(train.rows.values.astype(np.int64) * width + rows)
        self._users = pairs % width
        self._edges = np.searchsorted(pairs // width, np.arange(len(catalogue.items) + 1))

    def near(self, item: int, history: Sequence[int]) -> list[Near]:
        """The nearest items of a history, each once; none that nothing connects with the item."""
        identifiers, own = self._catalogue.identifiers, self._catalogue.identifiers.tokens(item)
        others = [other for other in dict.fromkeys(reversed(history)) if other != item]
        found = []
        for other, both in zip(others, self._both(item, others), strict=True):
            pairs = zip(own, identifiers.tokens(other), strict=False)
            alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            found.append(Near(other, both, alike))
        connected = [one for one in found if one.both or one.alike]
        return sorted(connected, key=lambda one: (-one.both, -one.alike))[:_NEAREST]

    def table(self, answers: Sequence[RankedAnswer]) -> Table:
        """One row a recommendation, in the order of `Recommendations`; thoughts are notes."""
        columns: dict[str, list[Any]] = {
            name: [] for name in ("request", "rank", "item", "near", "both", "alike", "beam")
        }
        ids, notes = self._catalogue.items.ids, []
        for row, answer in enumerate(answers):
            if answer.written is not None and answer.written.thought:
                notes.append(f"thought of request {row}: {answer.written.thought}")
            for place, item in enumerate(answer.ranked.items.tolist()):
                near = self.near(item, answer.request.history)
                length = len(self._catalogue.identifiers.tokens(item))
                values = (
                    row, place + 1, ids[item],
                    ", ".join(ids[one.item] for one in near),
                    ", ".join(str(one.both) for one in near),
                    ", ".join(f"{one.alike} of {length}" for one in near),
                    self.beam(answer, place),
                )  # fmt: skip
                for column, value in zip(columns.values(), values, strict=True):
                    column.append(value)
        return Table(columns, notes)

    def beam(self, answer: RankedAnswer, place: int) -> str:
        """The candidate that an item came from, as it was written; empty where nothing was."""
        ranked, written = answer.ranked, answer.written
        if written is None or not len(ranked.beams):
            return ""
        number = int(ranked.beams[place])
        beam = written.beams[number]
        return f"{number + 1}: {beam.text or self._catalogue.identifiers.separator.join(beam.tokens)}"

    def _both(self, item: int, others: Sequence[int]) -> list[int]:
        """How many training users had the item and each of the others, by one look-up."""
        had, theirs = self._had(item), [self._had(other) for other in others]
        if not len(had) or not others:
            return [0] * len(others)
        users = np.concatenate(theirs)
        place = np.minimum(np.searchsorted(had, users), len(had) - 1)
        owners = np.repeat(np.arange(len(others)), [len(one) for one in theirs])
        counts: list[int] = np.bincount(owners[had[place] == users], minlength=len(others)).tolist()
        return counts

    def _had(self, item: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Training users who had an item, each once, ascending."""
        return self._users[self._edges[item] : self._edges[item + 1]]
