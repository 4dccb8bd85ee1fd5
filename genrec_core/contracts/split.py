"""Split: who may see what."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.dataset import Dataset
from genrec_core.contracts.views import Views


class Split(Component):
    """Cuts a dataset into views that own only what they may show."""

    kind: ClassVar[str] = "split"
    seeded: ClassVar[bool] = False

    @abstractmethod
    def split(self, dataset: Dataset, max_history: int) -> Views:
        """Training, validation and test views.

        Args:
            dataset: everything.
            max_history: how many of the newest items before a target may be used.

        Raises:
            DataError: the data does not allow this split (no timestamps, users too short …).
        """
