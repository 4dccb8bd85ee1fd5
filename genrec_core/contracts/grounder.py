"""Grounder: what was written back to items.

Like a recommender it is opened once, which is when an index is built, and then asked for every answer:

    class Named(Grounder):
        def open(self, catalogue, context):
            return NamedSession(catalogue)

    class NamedSession(GrounderSession):
        def ground(self, candidates):
            ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from genrec_core.contracts.candidates import Candidates, Ranked
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.session import Session


class GrounderSession(Session, ABC):
    """An opened grounder; one thread at a time."""

    @abstractmethod
    def ground(self, candidates: Candidates) -> Ranked:
        """Distinct items in score order; what reaches no item is counted as invalid, never replaced.

        A candidate that carries the items it means (`Candidate.items`) reaches those.
        """


class Grounder(Component):
    """Maps what was written to items of the catalogue."""

    kind: ClassVar[str] = "grounder"
    seeded: ClassVar[bool] = False

    def allowed(self, catalogue: Catalogue) -> frozenset[int] | None:
        """The items that it ever gives; None, which is the default, for all.

        The search is restricted to them, so that as many come back as are asked for.
        """
        return None

    @abstractmethod
    def open(self, catalogue: Catalogue, context: Context) -> GrounderSession:
        """Get ready to ground answers in this catalogue."""
