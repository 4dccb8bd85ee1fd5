"""`core/rules`: what a business wants of every ranking, behind any grounder.

    ground:
      use: core/rules
      grounder: core/exact
      only: {in_stock: "yes"}               # items with one of these values in every named field
      never: {brand: [Zorg, Acme]}          # no item with one of these values
      boost: [{field: season, value: winter, by: 0.7}]      # its score (a log-probability) plus 0.7
      at_most: {brand: 2}                   # two of a brand; the others go to the end of the ranking

What is not allowed is not searched for either, so that as many items come back as exist; `boost` and
`at_most` set the order of what was found. The rules of one request (`only`, `exclude`) come on top.

    scores  1001 (Zorg) -1.0   1002 (Zorg) -1.1   1003 (Zorg) -1.2   1004 (Acme) -3.0
    at_most: {brand: 2}  →  1001, 1002, 1004, 1003
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.builtin.exact import Exact
from genrec_core.contracts.candidates import Candidates, Ranked
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.contracts.grounder import Grounder, GrounderSession
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import Options
from genrec_core.registry.problems import did_you_mean

FieldValues = str | tuple[str, ...]


class Boost(Options):
    """Items that are ranked as if the model liked them more, or less."""

    field: str
    """The item field that is looked at."""
    value: FieldValues
    """What it holds, or one of several values."""
    by: float = Field(ge=-1e6, le=1e6)
    """What is added to the score, a log-probability: 0.7 doubles the probability, -0.7 halves it."""


class BusinessRules(Grounder):
    """Filters and re-ranks what another grounder found."""

    class Options(Grounder.Options):
        """The rules; fields are those of items, and values their texts."""

        grounder: Grounder | None = None
        """Maps what was written to items; `core/exact` by default."""
        only: dict[str, FieldValues] = Field(default_factory=dict)
        """Field → the values that alone are allowed."""
        never: dict[str, FieldValues] = Field(default_factory=dict)
        """Field → values that are not allowed."""
        boost: tuple[Boost, ...] = ()
        """Scores that are raised or lowered; several that fit one item add up."""
        at_most: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
        """Field → how many items of one value stand at the front; the others go to the end as they came."""

    options: Options

    def refuse_items(self, items: Items) -> None:
        """Items have the fields and values of the rules."""
        options = self.options
        named = [
            *options.only.items(),
            *options.never.items(),
            *((one.field, one.value) for one in options.boost),
        ]
        for field, values in named:
            _having(items, field, values)
        for field in options.at_most:
            _column(items, field)

    def allowed(self, catalogue: Catalogue) -> frozenset[int] | None:
        """The items that `only` and `never` leave.

        Raises:
            GenrecError: items have no such field, no item has such a value, or no item is left.
        """
        options, items = self.options, catalogue.items
        if not options.only and not options.never:
            return self._inner().allowed(catalogue)
        left = np.ones(len(items), dtype=np.bool_)
        for field, values in options.only.items():
            left &= _having(items, field, values)
        for field, values in options.never.items():
            left &= ~_having(items, field, values)
        found = frozenset(np.flatnonzero(left).tolist())
        inner = self._inner().allowed(catalogue)
        found = found if inner is None else found & inner
        if not found:
            raise GenrecError(f"the rules of `{self.name}` leave no item", hint="loosen `only` or `never`")
        return found

    def open(self, catalogue: Catalogue, context: Context) -> RulesSession:
        """The other grounder, opened, and the rules worked out.

        Raises:
            GenrecError: a rule names no field or value of items.
        """
        options, items = self.options, catalogue.items
        added = np.zeros(len(items), dtype=np.float32)
        for boost in options.boost:
            added[_having(items, boost.field, boost.value)] += np.float32(boost.by)
        values = {field: _column(items, field) for field in options.at_most}
        inner = self._inner().open(catalogue, context)
        return RulesSession(inner, self.allowed(catalogue), added, values, options.at_most)

    def _inner(self) -> Grounder:
        return self.options.grounder or Exact()


class RulesSession(GrounderSession):
    """Rules over one catalogue.

    Args:
        inner: grounds.
        allowed: the items that may be given; None for all.
        added: float32 [N], what is added to each item's score.
        values: field → each item's values in it.
        at_most: field → how many items of one value stand at the front.
    """

    def __init__(
        self,
        inner: GrounderSession,
        allowed: frozenset[int] | None,
        added: NDArray[np.float32],
        values: dict[str, list[tuple[str, ...]]],
        at_most: dict[str, int],
    ) -> None:
        self._inner, self._added, self._values, self._at_most = inner, added, values, at_most
        self._allowed = None
        if allowed is not None:
            self._allowed = np.zeros(len(added), dtype=np.bool_)
            self._allowed[list(allowed)] = True

    def ground(self, candidates: Candidates) -> Ranked:
        """What the other grounder found, by the rules."""
        ranked = self._inner.ground(candidates)
        if self._allowed is not None:
            ranked = ranked.where(self._allowed[ranked.items])
        scores = ranked.scores + self._added[ranked.items]
        ranked = ranked.at(np.argsort(-scores, kind="stable"), np.sort(scores)[::-1])
        behind = self._behind(ranked)
        if not behind.any():
            return ranked
        # Those at the end are lowered by one constant, so that scores go on falling.
        scores = ranked.scores - behind * (ranked.scores.max() - ranked.scores.min() + np.float32(1))
        return ranked.at(np.argsort(behind, kind="stable"), np.sort(scores)[::-1])

    def close(self) -> None:
        """Close the other grounder."""
        self._inner.close()

    def _behind(self, ranked: Ranked) -> NDArray[np.bool_]:
        """Which items come after as many of their value as may stand at the front."""
        behind = np.zeros(len(ranked.items), dtype=np.bool_)
        seen: Counter[tuple[str, str]] = Counter()
        for place, item in enumerate(ranked.items.tolist()):
            own = [(field, value) for field in self._at_most for value in self._values[field][item]]
            behind[place] = any(seen[one] >= self._at_most[one[0]] for one in own)
            if not behind[place]:
                seen.update(own)
        return behind


def _column(items: Items, field: str) -> list[tuple[str, ...]]:
    """Each item's values in a field, as texts; an item without one has none."""
    if field not in items.fields:
        hint = did_you_mean(field, items.fields, otherwise=f"fields are: {', '.join(items.fields) or 'none'}")
        raise GenrecError(f"a rule names the field `{field}`, which items do not have", hint=hint)
    return [_texts(value) for value in items.fields[field]]


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(str(one) for one in value)
    return (str(int(value)) if isinstance(value, float) and value.is_integer() else str(value),)


def _having(items: Items, field: str, values: FieldValues) -> NDArray[np.bool_]:
    """Which items have one of some values in a field, bool [N]."""
    column = _column(items, field)
    wanted = {values} if isinstance(values, str) else set(values)
    known = {one for own in column for one in own}
    unknown = sorted(wanted - known)
    if unknown:
        hint = did_you_mean(
            unknown[0], sorted(known)[:1000], otherwise=f"values are: {examples(sorted(known))}"
        )
        raise GenrecError(f"no item has the value `{unknown[0]}` in the field `{field}`", hint=hint)
    return np.asarray([not wanted.isdisjoint(own) for own in column], dtype=np.bool_)
