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
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genrec_core.api.answering import RankedAnswer
from genrec_core.api.table import Table
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.views import View
from genrec_core.identifiers.trie import runs

_NEAREST = 3
"""Items of the history that are named for each recommendation."""
_AT_ONCE = 1_000_000
"""Users that are looked up at once, about; it bounds the memory where items are popular."""


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
        self._width = max(1, len(train.rows))
        self._had = np.unique(train.rows.values.astype(np.int64) * self._width + rows)
        """Who had what, each pair once, ascending: item * width + user."""
        items = np.arange(len(catalogue.items) + 1)
        self._edges = np.searchsorted(self._had, items * self._width)

    def near(self, asked: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[list[list[Near]]]:
        """The nearest items of several histories, worked out together.

        Args:
            asked: items, and the history that they were recommended after; as often as there are answers.

        Returns:
            For each of these items, in order, the nearest ones of its history, nearest first and each once;
            none that nothing connects with the item.
        """
        others = [list(dict.fromkeys(reversed(history))) for _, history in asked]
        answers = np.repeat(np.arange(len(asked)), [len(items) for items, _ in asked])
        lengths = np.array(list(map(len, others)), dtype=np.int64)
        counts = lengths[answers]
        owners = np.repeat(np.arange(len(answers)), counts)  # one entry a pair, from here on
        own = np.fromiter(chain.from_iterable(items for items, _ in asked), np.int64)[owners]
        starts = (np.cumsum(lengths) - lengths)[answers]
        other = np.fromiter(chain.from_iterable(others), np.int64)[runs(starts, counts)]
        both, alike = self._both(own, other), self._alike(own, other)
        kept = np.flatnonzero((both + alike > 0) & (own != other))
        kept = kept[np.lexsort((-alike[kept], -both[kept], owners[kept]))]
        kept = kept[np.arange(len(kept)) - np.searchsorted(owners[kept], owners[kept]) < _NEAREST]
        found: list[list[Near]] = [[] for _ in answers]
        for place, *near in zip(*(one[kept].tolist() for one in (owners, other, both, alike)), strict=True):
            found[place].append(Near(*near))
        rest = iter(found)
        return [list(islice(rest, len(items))) for items, _ in asked]

    def table(self, answers: Sequence[RankedAnswer]) -> Table:
        """One row a recommendation, in the order of `Recommendations`; thoughts are notes."""
        columns: dict[str, list[Any]] = {
            name: [] for name in ("request", "rank", "item", "near", "both", "alike", "beam")
        }
        ids, notes = self._catalogue.items.ids, []
        asked = [(answer.ranked.items.tolist(), answer.request.history) for answer in answers]
        for row, (answer, nearest) in enumerate(zip(answers, self.near(asked), strict=True)):
            if answer.written is not None and answer.written.thought:
                notes.append(f"thought of request {row}: {answer.written.thought}")
            for place, (item, near) in enumerate(zip(asked[row][0], nearest, strict=True)):
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

    def _both(self, items: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many training users had both of each pair, int64 [P]."""
        sizes = [self._edges[ones + 1] - self._edges[ones] for ones in (items, others)]
        counts, fewer = np.minimum(*sizes), np.where(sizes[0] <= sizes[1], items, others)
        more = items + others - fewer
        total, found = np.cumsum(counts), np.zeros(len(items), dtype=np.int64)
        cuts = np.searchsorted(total, np.arange(_AT_ONCE, total[-1], _AT_ONCE)).tolist() if len(total) else []
        for begin, end in pairwise([0, *cuts, len(items)]):
            pairs = np.repeat(np.arange(begin, end), counts[begin:end])
            users = self._had[runs(self._edges[fewer[begin:end]], counts[begin:end])] % self._width
            wanted = more[pairs] * self._width + users
            place = np.minimum(np.searchsorted(self._had, wanted), len(self._had) - 1)
            found += np.bincount(pairs[self._had[place] == wanted], minlength=len(items))
        return found

    def _alike(self, items: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many tokens at the beginning the identifiers of each pair share, int64 [P]."""
        identifiers, found = self._catalogue.identifiers, np.zeros(len(items), dtype=np.int64)
        starts, same = identifiers.offsets, np.arange(len(items))
        shorter = np.minimum(*(starts[ones + 1] - starts[ones] for ones in (items, others)))
        while len(same):  # the pairs that are alike so far
            depth = int(found[same[0]])
            same = same[shorter[same] > depth]
            first, second = (identifiers.codes[starts[ones[same]] + depth] for ones in (items, others))
            same = same[first == second]
            found[same] += 1
        return found
