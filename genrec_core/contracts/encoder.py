"""Encoder: texts to vectors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import Options


class Encoder(Component):
    """Embeds texts. Options of every encoder: `fields`, the item fields that make an item's text."""

    kind: ClassVar[str] = "encoder"

    class Options(Options):
        """Options of every encoder."""

        fields: tuple[str, ...] = ()
        """Item fields that make the text, in order; empty means every text field."""

    def texts(self, items: Items) -> list[str]:
        """What is embedded for each item."""
        return [items.text(index, self.options.fields) for index in range(len(items))]

    @property
    def inductive(self) -> bool:
        """Whether a text's vector depends on that text alone, so that new items can be embedded later."""
        return True

    @abstractmethod
    def encode(self, texts: Sequence[str], context: Context) -> NDArray[np.float32]:
        """One finite vector a text: float32 [len(texts), d]."""
