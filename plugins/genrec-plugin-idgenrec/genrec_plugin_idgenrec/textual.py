"""`idgenrec/textual`: identifiers in plain words, written by a language model that the pipeline then
trains.

The tokenizer owns a model, the ID generator φ (slot `generator`). It reads an item's metadata and writes a
few words; Algorithm 1 sees to it that no two items get the same (`unique`). A generator that starts from
nothing is taught to write tags first (`teaching`); one that was trained for it before is taken as it is
(`teach: null`).

    tokenizer: {use: idgenrec/textual, generator: {use: core/tiny-seq2seq, hidden: 64, layers: 2}}

`idgenrec/alternate` trains φ together with the recommender and writes the identifiers anew between its
rounds. Identifiers that were published, or that items have in a field, are phase 0 with `identifiers:
given`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from genrec_core import (
    Backbone,
    Catalogue,
    Context,
    FittedTokenizer,
    GenrecError,
    Identifiers,
    Items,
    LanguageModel,
    Tokenizer,
    View,
)
from genrec_core.contracts.options import operational
from genrec_core.engine import SFTSettings
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.tags import drawn_tags, item_tags, tag_fields
from genrec_plugin_idgenrec.unique import PENALTIES, UniqueTexts
from genrec_plugin_idgenrec.writing import Writing

_DRAWN = 1
"""Purpose of the generator that draws words for teaching."""


class Textual(Tokenizer):
    """Names items by words that its own language model writes, each item by words of its own."""

    needs = ("torch", "transformers", "accelerate")
    slot = "generator"

    class Options(Writing, Tokenizer.Options):
        """The generator, what it is taught first, and how it writes."""

        generator: Backbone
        """The language model that writes identifiers. Soft identifiers need it to have the recommender's own
        vocabulary: the same `core/tiny-seq2seq` or checkpoint family for both."""
        teach: SFTSettings | None = Field(
            default_factory=lambda: SFTSettings(epochs=20, learning_rate=2e-3, keep="last", patience=None)
        )
        """Fine-tuning on tags made from the items' own fields; null for a model that can write tags."""
        tag_fields: tuple[str, ...] = ()
        """Fields that tags are made of; by default title, brand, categories and the like."""
        tags: int = Field(5, ge=1, le=100)
        """Most words of an item's tags."""
        tag_words: Literal["telling", "drawn"] = "telling"
        """Which words tags are: the most telling ones by TF-IDF, or any of the item's, `drawn` by the seed. A
        generator that was taught drawn words can point at every word of an item and prefers none yet; which
        to write is then left to alternate training."""
        tag_draws: int = Field(1, ge=1, le=1_000)
        """Tags of each item that are drawn and taught (`tag_words: drawn`)."""
        identifiers: Literal["written", "given"] = "written"
        """`written` by the generator, or `given` by an item field; the generator then names only items whose
        text is empty or taken, and is taught to write what is given."""
        given: str = ""
        """The item field that holds given identifiers."""
        at_once: int | None = operational(
            None, "Items asked for together; all by default, 1: one at a time.", ge=1
        )
        batch_tokens: int = operational(16384, "Prompt and beam tokens computed together.", ge=1)

        @model_validator(mode="after")
        def _a_field(self) -> Self:
            if (self.identifiers == "given") != bool(self.given):
                raise ValueError("`identifiers: given` and `given: FIELD` go together")
            return self

    options: Options

    def fit(self, items: Items, train: View, context: Context) -> FittedTokenizer:
        """Identifiers of all items, and the generator that wrote them.

        Raises:
            GenrecError: an item got no identifier of its own, or items lack a field that is named.
        """
        options = self.options
        placeholder = Catalogue(items, Identifiers.of([("-",)] * len(items)))
        model = options.generator.build(placeholder, context)
        if options.teach is not None:
            from genrec_plugin_idgenrec.teaching import teach

            taught = self._generator(model, items, self._taught(model, items, context))
            teach(taught, options.teach, context)
        generator = self._generator(model, items)
        given = self._given(generator, items, ())
        names, named = self._named(generator, given, (), context)
        self._log(named, given, context)
        return FittedTokenizer(identifiers_of(names, self._writing()), model)

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """The old identifiers, then those that the generator, as it was left last, writes of new items.

        Raises:
            GenrecError: the context lends no generator, or an item got no identifier of its own.
        """
        if self.slot not in context.models:
            raise GenrecError(
                f"`{self.name}` names new items with the model in the slot `{self.slot}`, which is not here",
                hint="open the run that trained it: genrec items add RUN items.jsonl",
            )
        old = [identifiers.tokens(item) for item in range(len(identifiers))]
        taken = [" ".join(tokens) for tokens in old]
        generator = self._generator(context.models[self.slot], items)
        given = self._given(generator, items, taken)
        names, named = self._named(generator, given, taken, context)
        self._log(named, given, context)
        return identifiers_of([*taken, *names], self._writing(), like=identifiers)

    def _writing(self) -> Writing:
        return Writing(**{name: getattr(self.options, name) for name in Writing.model_fields})

    def _generator(self, model: LanguageModel, items: Items, tags: Sequence[Sequence[str]] = ()) -> Generator:
        writing, options = self._writing(), self.options
        return Generator(model, items, writing, tags=tags, batch_tokens=options.batch_tokens)

    def _taught(self, model: LanguageModel, items: Items, context: Context) -> list[list[str]]:
        """What the generator is taught to write of each item: one row of texts, or several."""
        options, writing = self.options, self._writing()
        if options.identifiers == "given":
            return [[writing.tidied(items.value(item, options.given)) for item in range(len(items))]]

        def fits(text: str) -> bool:
            return len(model.tokenise([text])[0]) < options.window

        fields = tag_fields(items, options.tag_fields)
        if options.tag_words == "telling":
            return [item_tags(items, fields, options.tags, fits)]
        draws = context.generator(_DRAWN)
        return [drawn_tags(items, fields, options.tags, fits, draws) for _ in range(options.tag_draws)]

    def _given(self, generator: Generator, items: Items, taken: Sequence[str]) -> list[str]:
        """The given text of each item; "" where there is none, or another item has it."""
        options = self.options
        if options.identifiers == "written":
            return [""] * len(items)
        used = set(generator.keys(list(taken)))
        texts = [generator.writing.tidied(items.value(item, options.given)) for item in range(len(items))]
        kept = []
        for text, key in zip(texts, generator.keys(texts), strict=True):
            free = bool(key) and key not in used
            used.add(key)
            kept.append(text if free else "")
        return kept

    def _named(
        self, generator: Generator, given: list[str], taken: Sequence[str], context: Context
    ) -> tuple[list[str], UniqueTexts]:
        """Given texts, and written ones for the items that have none."""
        nameless = [item for item, text in enumerate(given) if not text]
        in_use = [*taken, *(text for text in given if text)]
        named = generator.name_all(nameless, context, taken=in_use, at_once=self.options.at_once)
        names = list(given)
        for item, text in zip(nameless, named.texts, strict=True):
            names[item] = text
        return names, named

    def _log(self, named: UniqueTexts, given: list[str], context: Context) -> None:
        log_writing(named, context, given=sum(map(bool, given)))


def log_writing(named: UniqueTexts, context: Context, **more: float) -> None:
    """One line on how hard it was to find unique identifiers."""
    context.log(
        "identifiers written",
        items=len(named.texts),
        second_penalty=round(named.share_beyond(0), 4),
        longer=round(named.share_beyond(PENALTIES - 1), 4),
        attempts=named.asked,
        **more,
    )


def identifiers_of(names: Sequence[str], writing: Writing, like: Identifiers | None = None) -> Identifiers:
    """Texts as identifiers of words, with the settings that they were written by.

    Args:
        names: one text an item.
        writing: kept in `Identifiers.settings`.
        like: identifiers that these continue, whose version and new tokens they keep.
    """
    from dataclasses import replace

    rows = [tuple(name.split(" ")) for name in names]
    new_tokens = () if like is None else like.new_tokens
    made = Identifiers.of(rows, separator=" ", new_tokens=new_tokens, settings=writing.kept())
    return made if like is None else replace(made, version=like.version, users=like.users)
