"""Source: where data comes from."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Dataset


class Source(Component):
    """Gives a dataset.

    A source refuses bad data with counts and examples; it never drops rows in silence. Files it reads are
    listed by `inputs()`, so that the plan notices when they change. One that makes data draws randomness
    only from its own `seed` option: several seeds of one pipeline must judge the same data.
    """

    kind: ClassVar[str] = "source"
    seeded: ClassVar[bool] = False
    has_oracle: ClassVar[bool] = False
    """Whether its datasets carry an `OracleDistribution`; the plan then adds the oracle's row."""

    @abstractmethod
    def load(self, context: Context) -> Dataset:
        """The dataset.

        Raises:
            DataError: with file, line, the value and what to do.
        """
