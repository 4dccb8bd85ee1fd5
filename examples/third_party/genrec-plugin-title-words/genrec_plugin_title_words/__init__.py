"""Readable identifiers: the first words of a title, numbered where items would share them (`red tent 2`)."""

import itertools
from collections.abc import Iterable, Iterator

from genrec_core import Context, Identifiers, Items, Registry, Tokenizer, View, hookimpl


class TitleWords(Tokenizer):
    """Names an item by words that a language model already knows, so no vocabulary is added."""

    class Options(Tokenizer.Options):
        """Which words."""

        words: int = 4
        """How many words of the title."""

    def fit(self, items: Items, train: View, context: Context) -> Identifiers:
        """Name every item."""
        return Identifiers.of(self._names(items, taken=()), separator=" ")

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """Name new items around the names that are taken."""
        old = [identifiers.tokens(item) for item in range(len(identifiers))]
        return Identifiers.of([*old, *self._names(items, taken=old)], separator=" ")

    def _names(self, items: Items, taken: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
        used = set(taken)
        for item in range(len(items)):
            words = items.value(item, "title").lower().split()[: self.options.words] or ["item"]
            numbered = ((*words, *(() if n == 1 else (str(n),))) for n in itertools.count(1))
            used.add(name := next(name for name in numbered if name not in used))
            yield name


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `title-words/first`."""
    registry.tokenizer("first", TitleWords)
