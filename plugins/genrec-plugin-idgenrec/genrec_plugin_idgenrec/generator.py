"""The ID generator φ at work: a language model that reads items and writes texts.

It wraps a model, a catalogue and the settings of writing. Prompts come from the engine's renderer, texts
from its diverse beams, and what tells two texts apart are their token ids when read back, because that is
all that a recommender with the same text tokenizer will see of them.

    generator = Generator(model, items, writing)
    generator.write([0, 1], attempt=0)      five texts for each
    generator.name_all(...)                 Algorithm 1 over the catalogue
    generator.profile((3, 1))               a user, from the items of a history
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from genrec_core import (
    Catalogue,
    Context,
    GenrecError,
    Identifiers,
    ItemRef,
    Items,
    LanguageModel,
    Sample,
    Text,
)
from genrec_core.contracts.samples import Segment
from genrec_plugin_idgenrec.unique import GeneratedText, UniqueTexts, attempt_at, name_uniquely
from genrec_plugin_idgenrec.writing import Writing

if TYPE_CHECKING:
    from genrec_core.engine import Model, Renderer

METADATA = "metadata"
"""The form in which the generator reads an item."""


class Generator:
    """An ID generator over one catalogue.

    Args:
        model: the language model φ.
        items: the catalogue.
        writing: what is read and written.
        tags: what the model is taught to write of each item, beside its metadata; several rows for
            several answers, none outside of teaching.
        batch_tokens: prompt and beam tokens of one batch.
    """

    def __init__(
        self,
        model: LanguageModel,
        items: Items,
        writing: Writing,
        *,
        tags: Sequence[Sequence[str]] = (),
        batch_tokens: int = 16384,
    ) -> None:
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine import Model, Renderer

        self.model: Model = Model.of(model)
        self.writing, self.batch_tokens = writing, batch_tokens
        texts = self._cut([writing.metadata(items, item) for item in range(len(items))])
        fields = {METADATA: texts, **{tags_form(draw): list(row) for draw, row in enumerate(tags)}}
        self.tag_forms = tuple(map(tags_form, range(len(tags))))
        # Nothing here is written as an identifier; the renderer only wants a catalogue that has some.
        self.catalogue = Catalogue(Items(items.ids, fields), Identifiers.of([("-",)] * len(items)))
        self.renderer: Renderer = Renderer(self.model, self.catalogue)
        self._users = Renderer(
            self.model, self.catalogue, max_length=min(writing.text_tokens, self.model.max_length)
        )

    def _cut(self, texts: list[str]) -> list[str]:
        """Texts of at most `text_tokens` tokens, what stands around them counted."""
        model, writing = self.model, self.writing
        around = sum(map(len, model.tokenise([writing.before or " ", writing.behind or " "])))
        most = writing.text_tokens - around - sum(map(len, model.frame))
        if most < 1:
            raise GenrecError(
                f"`text_tokens: {writing.text_tokens}` leaves no room for an item: `before` and `behind` "
                f"take {around} tokens",
                hint="raise text_tokens, or shorten what stands around an item",
            )
        ids = model.tokenise(texts)
        return [
            text if len(row) <= most else self._text(row[:most]) for text, row in zip(texts, ids, strict=True)
        ]

    def _text(self, ids: Sequence[int]) -> str:
        decoded: str = self.model.text_tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return decoded.replace("\ufffd", "")

    def asked(self, items: Iterable[int]) -> tuple[Segment, ...]:
        """What is asked about an item, or about the items of a history, newest first."""
        writing, segments = self.writing, list[Segment]()
        for place, item in enumerate(items):
            segments += [Text("; ")] if place else []
            segments.append(ItemRef(item, form=METADATA))
        around = [Text(text) if text else None for text in (writing.before, writing.behind)]
        return tuple(part for part in (around[0], *segments, around[1]) if part is not None)

    def prompt(self, item: int) -> list[int]:
        """Token ids of what is asked about one item."""
        return self.renderer.prompt(Sample(self.asked([item]), answer_form="", task="identify"))

    def write(self, items: Sequence[int], number: int) -> list[list[GeneratedText]]:
        """What attempt `number` writes of some items: `groups` texts each, the first group first."""
        attempt = attempt_at(number, self.writing.window)
        prompts = [self.prompt(item) for item in items]
        return self._written(prompts, self.writing.groups, attempt.tenths, attempt.shortest, attempt.below)

    def _written(
        self, prompts: list[list[int]], groups: int, tenths: int, shortest: int, below: int
    ) -> list[list[GeneratedText]]:
        from genrec_core.engine import DiverseSettings, write_diversely

        settings = DiverseSettings(
            beams=groups,
            groups=groups,
            penalty=tenths / 10,
            end_id=self.model.end_id,
            max_tokens=below - 1,
            min_tokens=shortest,
        )
        rows = write_diversely(self.model, prompts, settings, self.batch_tokens)
        texts = [[self.writing.tidied(self._text(text.tokens)) for text in row] for row in rows]
        keys = iter(self.keys([text for row in texts for text in row]))
        return [[GeneratedText(text, next(keys)) for text in row] for row in texts]

    def keys(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Token ids of texts as a recommender reads them; empty for one that it cannot write."""
        unknown = self.model.text_tokenizer.unk_token_id
        found = (tuple(ids) for ids in self.model.tokenise(texts))
        return [() if not text or unknown in ids else ids for text, ids in zip(texts, found, strict=True)]

    def name_all(
        self, items: Sequence[int], context: Context, *, taken: Iterable[str] = (), at_once: int | None = None
    ) -> UniqueTexts:
        """Unique texts for some items of the catalogue (Algorithm 1), beside the texts that are taken.

        Raises:
            GenrecError: an item got none of its own.
        """
        with context.progress("identifiers", len(items)) as advance:

            def write(places: Sequence[int], number: int) -> list[list[GeneratedText]]:
                if number == 0:
                    advance(len(places))
                return self.write([items[place] for place in places], number)

            return name_uniquely(
                len(items),
                write,
                taken=self.keys(list(taken)),
                attempts=self.writing.attempts,
                reset=self.writing.reset,
                at_once=at_once,
            )

    def profiles(self, histories: Sequence[tuple[int, ...]]) -> list[str]:
        """A user's identifier for each history: what the generator writes of its items' texts, greedily.

        The newest items are read first and all are cut alike, so that `text_tokens` suffice. Users need no
        identifier of their own, so nothing is asked twice; a user without a history has the empty one.
        """
        distinct = list(dict.fromkeys(history for history in histories if history))
        prompts = [
            self._users.prompt(Sample(self.asked(history[::-1]), answer_form="", task="profile"))
            for history in distinct
        ]
        rows = self._written(prompts, 1, 0, 1, self.writing.window) if prompts else []
        texts = {history: row[0].text if row else "" for history, row in zip(distinct, rows, strict=True)}
        return [texts.get(history, "") for history in histories]

    @cached_property
    def everything(self) -> range:
        """Every item."""
        return range(len(self.catalogue.items))


def tags_form(draw: int) -> str:
    """The form that teaching shows the generator as one of its answers."""
    return f"tags {draw}"
