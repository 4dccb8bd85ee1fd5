"""Grounder: identifiers back to items."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from genrec_core.contracts.candidates import Candidates, Ranked
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component


class Grounder(Component):
    """Maps what was written to items of the catalogue."""

    kind: ClassVar[str] = "grounder"
    seeded: ClassVar[bool] = False

    @abstractmethod
    def ground(self, candidates: Candidates, catalogue: Catalogue) -> Ranked:
        """Distinct items in score order; what reaches no item is counted as invalid, never replaced."""
