"""Encoder: items to vectors, by their texts or by whatever else names them to the encoder.

Some encoders must learn from a catalogue before they can embed anything (word frequencies, directions of
an SVD). Like every component an encoder holds nothing that it learnt: `fit` gives it away as arrays, and
`encode` is handed them again, so that an item which arrives a year later gets a vector in the same space.
Most encoders learn nothing and leave `fit` alone:

    class Lengths(Encoder):
        def encode(self, texts, state, context):
            return np.asarray([[len(text)] for text in texts], dtype=np.float32)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Arrays, Context
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import Options

State = Arrays
"""What an encoder has learnt; empty for most."""


class Encoder(Component):
    """Embeds items. Options of every encoder: `fields`, the item fields that make an item's text."""

    kind: ClassVar[str] = "encoder"

    class Options(Options):
        """Options of every encoder."""

        fields: tuple[str, ...] = ()
        """Item fields that make the text, in order; empty means every text field."""

    def texts(self, items: Items) -> list[str]:
        """What is embedded for each item: its text.

        An encoder that does not read texts overrides this and gives what it reads instead, a string an item:
        the ids by which it looks vectors up (`core/vectors`), the names of images. Two items with the same
        string get the same vector, and vectors in the store are used again while these strings stay.
        """
        return [items.text(index, self.options.fields) for index in range(len(items))]

    def fit(self, texts: Sequence[str], context: Context) -> State:
        """What has to be learnt from a catalogue's texts before any can be embedded; by default nothing."""
        return {}

    @abstractmethod
    def encode(self, texts: Sequence[str], state: State, context: Context) -> NDArray[np.float32]:
        """One finite vector a text, which depends on that text and on what was learnt, on no other text.

        Args:
            texts: what `texts` gave for some items, in any number and order.
            state: what `fit` gave, perhaps long ago.
            context: progress and the like.

        Returns:
            float32 [len(texts), d].
        """
