"""Recommendations as a table: one row an item, with its fields, its score and how it was reached.

request  user   rank  item  score  how     title
0        anna   1     1004  -1.23  direct  Tin mug
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec_core.api.answering import RankedAnswer
from genrec_core.api.table import Table
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.registry.problems import did_you_mean, shown

OWN = ("request", "user", "rank", "item", "score", "how")
"""Columns besides the items' fields."""


class Recommendations(Table):
    """What was recommended; a `Table` that keeps the answers it was made of.

    Attributes:
        answers: one a request, in order, with what the recommender wrote.
    """

    def __init__(
        self, answers: Sequence[RankedAnswer], items: Items, fields: Sequence[str], notes: Sequence[str] = ()
    ) -> None:
        self.answers = tuple(answers)
        super().__init__(columns_of(answers, items, fields), notes)

    def items(self, request: int = 0) -> list[str]:
        """The ids recommended to one request, best first."""
        pairs = zip(self.columns["request"], self.columns["item"], strict=True)
        return [item for row, item in pairs if row == request]


def columns_of(answers: Sequence[RankedAnswer], items: Items, fields: Sequence[str]) -> dict[str, list[Any]]:
    """The columns of recommendations: those of `OWN`, then the items' fields."""
    columns: dict[str, list[Any]] = {name: [] for name in OWN}
    chosen: list[int] = []
    for row, answer in enumerate(answers):
        ranked = answer.ranked
        count = len(ranked.items)
        chosen += ranked.items.tolist()
        columns["request"] += [row] * count
        columns["user"] += [answer.request.user] * count
        columns["rank"] += range(1, count + 1)
        columns["score"] += ranked.scores.tolist()
        columns["how"] += answer.hows()
    columns["item"] = [items.ids[item] for item in chosen]
    for name in fields:
        values = items.fields[name]
        columns[name if name not in OWN else f"item_{name}"] = [_plain(values[item]) for item in chosen]
    return columns


def chosen_fields(wanted: Sequence[str] | None, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields to show: all by default.

    Raises:
        GenrecError: items have no such field.
    """
    if wanted is None:
        return tuple(fields)
    for name in wanted:
        if name not in fields:
            hint = did_you_mean(name, fields, otherwise=f"fields are: {', '.join(fields) or 'none'}")
            raise GenrecError(f"items have no field {shown(name)}", hint=hint)
    return tuple(wanted)


def _plain(value: Any) -> Any:
    """A value as one cell: lists are joined."""
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
