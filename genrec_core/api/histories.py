"""What a run's data knows of its users: the whole history of each, the held-out items too.

    histories = Histories(prepared.views)
    histories.of("anna")        # (17, 4, 9), oldest first

A split shows each part of the pipeline less than there is. Whoever recommends today knows everything that
happened, so the target of a test row is the newest item of its user here. Of several rows of one user the
one that reaches furthest counts: a test row before a validation row before a training row, of equal ones the
longest, then the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.views import View, Views
from genrec_core.registry.problems import did_you_mean, shown


@dataclass(frozen=True)
class _Place:
    """Where a user's history stands: a view, its row, and how long it is."""

    view: View
    row: int
    length: int

    def items(self) -> tuple[int, ...]:
        before = tuple(self.view.rows.row(self.row).tolist())
        return before if self.view.targets is None else (*before, int(self.view.targets[self.row]))


class Histories:
    """Users of a run's data, in the order of the data.

    Args:
        views: the split.
    """

    def __init__(self, views: Views) -> None:
        self._places: dict[str, _Place] = {}
        for view in (views.train, views.valid, views.test):
            lengths = view.rows.lengths + (view.targets is not None)
            for row, user in enumerate(view.users):
                known = self._places.get(user)
                if known is None or known.view is not view or lengths[row] >= known.length:
                    self._places[user] = _Place(view, row, int(lengths[row]))
        self._attributes = views.test.attributes

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __contains__(self, user: object) -> bool:
        return user in self._places

    def of(self, user: str) -> tuple[int, ...]:
        """Item indices of a user's whole history, oldest first.

        Raises:
            GenrecError: the data has no such user.
        """
        place = self._places.get(user)
        if place is None:
            some = [one for one in self._places if one[:2] == user[:2]][:1000]
            hint = did_you_mean(user, some, otherwise="give a history instead of a user")
            raise GenrecError(
                f"the run's data of {len(self._places):,} users has no user {shown(user)}", hint=hint
            )
        return place.items()

    def attributes(self, user: str) -> Mapping[str, object]:
        """Fields of a user, empty where nothing is known."""
        return self._attributes.get(user, {})
