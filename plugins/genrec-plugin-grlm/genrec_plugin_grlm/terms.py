"""`grlm/terms`: items named by N plain words in a fixed order (GRLM §3.1, context-aware term generation).

Where the words come from is one option: a teacher that is shown each item beside its nearest neighbours (by
default `grlm/extractive`, which is no model), or terms that exist already, in a field or a file. No word
becomes a new token: a language model spells them as it knows them, `separator` between two.

    tokenizer: {use: grlm/terms, teacher: {use: teachers/openai, model: Qwen/Qwen3-4B-Instruct-2507}}
    tokenizer: {use: grlm/terms, context: false}                 the paper's `w/o CTG`
    tokenizer: {use: grlm/terms, field: terms, malformed: extract}

What cannot be used as it is (four words, a sentence, nothing) is counted by reason and refused, or, where
`malformed: extract` says so, replaced by extracted terms. It is never padded.

New items are named with the catalogue's word counts and by themselves: of the old items only the terms are
kept, so these stand for the neighbours, and words that are terms already are preferred.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from genrec_core import Context, Encoder, GenrecError, Identifiers, Items, Teacher, Tokenizer, View
from genrec_core.contracts.identifiers import Tokens
from genrec_plugin_grlm.answer import Malformed
from genrec_plugin_grlm.asking import asked_terms
from genrec_plugin_grlm.extractive import Extractive
from genrec_plugin_grlm.given_terms import given_terms
from genrec_plugin_grlm.neighbours import nearest_items
from genrec_plugin_grlm.picking import spare_words
from genrec_plugin_grlm.prompt import MOST_TERMS, Style, TermQuestions, check_wording
from genrec_plugin_grlm.repair import told_apart
from genrec_plugin_grlm.usable import log_picked, log_terms, refuse
from genrec_plugin_grlm.wordbook import Bag, Wordbook, chosen_fields, item_texts

MAKER = "genrec_plugin_grlm.terms.TermIDs"
"""Stands in the settings of identifiers made here."""


@dataclass(frozen=True)
class _Words:
    """Items to name, their words, and the catalogue's counts of words."""

    items: Items
    fields: tuple[str, ...]
    bags: list[Bag]
    book: Wordbook


class TermIDs(Tokenizer):
    """Names items by ordered terms that a language model already knows."""

    seeded = False

    class Options(Tokenizer.Options):
        """How many terms, where they come from, and what happens to bad or equal ones."""

        terms: int = Field(default=5, ge=1, le=20)
        """Terms of an identifier; the paper tries 5, 7 and 10."""

        fields: tuple[str, ...] = ()
        """Item fields that teachers are shown and words are taken from, the most telling first; empty means
        every text field."""

        teacher: Teacher = Field(default={"use": "grlm/extractive"}, validate_default=True)
        """Who chooses the terms."""

        field: str = ""
        """Terms that exist already: the field that holds each item's list. No teacher is asked then. With
        `file` it may be left out where rows have one field beside `item_id`."""

        file: Path | None = None
        """Terms that exist already, as JSON lines with `item_id` and a list; without it, `field` is a field
        of the items."""

        context: bool = True
        """Whether the teacher sees the item's neighbours; without them it names every item by itself."""

        encoder: Encoder = Field(default={"use": "core/ngrams"}, validate_default=True)
        """Gives the embeddings in which neighbours are near."""

        neighbours: int = Field(default=5, ge=1)
        """How many neighbours are shown."""

        exact_below: int = Field(default=20_000, ge=0)
        """Smaller catalogues are searched exactly, larger ones through an HNSW graph of logged recall."""

        prompt: Style = "rules"
        """How the teacher is asked: `rules` for models that follow instructions; `examples` for models that
        only continue a text: they are shown three items with their terms, which are the nearest neighbours
        with what `grlm/extractive` picks for them, or without context made-up ones. Of what they write, the
        first different words count."""

        wording: str = ""
        """The question in other words, with the slots `{item}`, `{neighbours}` (with `context`) and, where
        wanted, `{count}`; by default the paper's guidelines in ours."""

        characters: int = Field(default=600, ge=1)
        """Characters of each field of the item that the teacher is shown."""

        neighbour_characters: int = Field(default=150, ge=1)
        """The same for each neighbour."""

        retries: int = Field(default=2, ge=0)
        """How many more times the teacher is asked about an item whose answer cannot be used."""

        malformed: Literal["refuse", "extract"] = "refuse"
        """What happens to items without usable terms: `refuse` stops, `extract` takes terms out of their own
        words as `grlm/extractive` does; either way they are counted."""

        unique: Literal["keep", "replace-last"] = "keep"
        """What happens to items that got the same terms: `keep` lets them share, as in the paper;
        `replace-last` gives all but the first another last term, where their words allow it."""

        separator: str = Field(default=", ", min_length=1)
        """Written between two terms."""

        @field_validator("separator")
        @classmethod
        def _never_inside_a_term(cls, separator: str) -> str:
            if not any(sign.isspace() or sign == "," for sign in separator):
                raise ValueError("`separator` needs a blank or a comma: these are what no term has inside")
            return separator

        @model_validator(mode="after")
        def _one_way_to_ask(self) -> TermIDs.Options:
            if isinstance(self.teacher, Extractive) and self.prompt != "rules":
                raise ValueError("`grlm/extractive` is no model that could learn from `prompt: examples`")
            if self.wording:
                if isinstance(self.teacher, Extractive) or self.prompt != "rules":
                    raise ValueError("`wording` is for a teacher that is a model, asked by `prompt: rules`")
                check_wording(self.wording, context=self.context)
            if self.prompt == "examples" and self.terms > MOST_TERMS:
                raise ValueError(f"`prompt: examples` has examples of at most {MOST_TERMS} terms")
            return self

    options: Options

    def writes_codes(self) -> bool:
        """Terms are words."""
        return False

    def fit(self, items: Items, train: View, context: Context) -> Identifiers:
        """Terms for every item.

        Raises:
            DataError: items have too few words, no such field, or unusable terms that `malformed` refuses.
            StageError: the teacher could not be asked, or left items without usable terms that `malformed`
                refuses.
        """
        options = self.options
        fields = chosen_fields(items, options.fields, left_out=options.field)
        book, bags = Wordbook.of(item_texts(items, fields))
        words = _Words(items, fields, bags, book)
        around: list[list[int]] = [[] for _ in range(len(items))]
        if options.context and not self._are_given():
            vectors = context.embed(options.encoder, items)
            found = nearest_items(vectors, options.neighbours, options.exact_below, context)
            around = found.nearest.tolist()
        named = self._named(words, around, [[bags[other] for other in near] for near in around], context)
        terms = self._settled(words, named, (), context)
        arrays, known = book.kept()
        state = {f"words.{name}": array for name, array in arrays.items()}
        settings = {"tokenizer": MAKER, "terms": options.terms, "fields": list(fields), "words": known}
        return Identifiers.of(terms, separator=options.separator, state=state, settings=settings)

    def extend(self, identifiers: Identifiers, items: Items, context: Context) -> Identifiers:
        """The old identifiers, then terms for the new items.

        Raises:
            GenrecError: other options or another tokenizer made the identifiers; else as for `fit`.
        """
        options, settings = self.options, identifiers.settings
        if settings.get("tokenizer") != MAKER or settings["terms"] != options.terms:
            raise GenrecError(
                f"`{self.name}` with `terms: {options.terms}` did not make these identifiers",
                hint="use the tokenizer, with the options, that made them",
            )
        book = Wordbook.of_kept(identifiers.learnt("words"), settings["words"])
        fields = tuple(settings["fields"])
        words = _Words(items, fields, book.bags(item_texts(items, fields)), book)
        in_use = [frozenset(identifiers.vocabulary)] if options.context else []
        alone: list[list[int]] = [[] for _ in range(len(items))]
        named = self._named(words, alone, [in_use] * len(items), context)
        old = [identifiers.tokens(item) for item in range(len(identifiers))]
        return Identifiers.of(
            old + self._settled(words, named, old, context),
            separator=identifiers.separator,
            state=identifiers.state,
            settings=settings,
        )

    def _are_given(self) -> bool:
        return bool(self.options.field or self.options.file)

    def _named(
        self,
        words: _Words,
        around: Sequence[Sequence[int]],
        said: Sequence[Sequence[Bag | frozenset[str]]],
        context: Context,
    ) -> list[Tokens | Malformed]:
        """Terms or what stands in their place: given, picked out of words, or from a teacher.

        Args:
            words: the items.
            around: each item's neighbours, for a teacher.
            said: the words of these, for the extractor.
            context: asks.
        """
        options = self.options
        if self._are_given():
            return given_terms(words.items, options.field, options.file, options.terms)
        if isinstance(options.teacher, Extractive):
            return list(self._picked(words, range(len(words.items)), said, context))
        shown = (options.characters, options.neighbour_characters)
        drafts = (
            self._picked(words, range(len(around)), said, context) if options.prompt == "examples" else []
        )
        asker = TermQuestions(
            words.items, words.fields, options.terms, shown, options.prompt, drafts, options.wording
        )
        return asked_terms(options.teacher, asker, around, options.retries, context)

    def _picked(
        self,
        words: _Words,
        which: Iterable[int],
        said: Sequence[Sequence[Bag | frozenset[str]]],
        context: Context,
        event: str = "terms-extracted",
    ) -> list[Tokens]:
        teacher = self.options.teacher
        extractor = teacher if isinstance(teacher, Extractive) else Extractive()
        picked = [
            extractor.terms_of(words.bags[item], near, words.book, self.options.terms)
            for item, near in zip(which, said, strict=True)
        ]
        log_picked(picked, extractor.options.distinguishing, context, event)
        return [each.terms for each in picked]

    def _settled(
        self, words: _Words, named: list[Tokens | Malformed], old: Sequence[Tokens], context: Context
    ) -> list[Tokens]:
        """Every item's terms: the malformed replaced or refused, equal ones made distinct, all counted."""
        bad = {item: terms for item, terms in enumerate(named) if isinstance(terms, Malformed)}
        if bad and self.options.malformed == "refuse":
            refuse(bad, words.items, asked=not self._are_given())
        good = {item: terms for item, terms in enumerate(named) if not isinstance(terms, Malformed)}
        if bad:
            in_use = frozenset(term for terms in (*old, *good.values()) for term in terms)
            good |= zip(bad, self._picked(words, bad, [[in_use]] * len(bad), context), strict=True)
        terms = [good[item] for item in range(len(named))]
        moved = left = 0
        if self.options.unique == "replace-last":
            repaired = told_apart(terms, lambda item: spare_words(words.bags[item], (), words.book), old)
            terms, moved, left = repaired.terms, repaired.moved, repaired.left
        log_terms(terms, context, malformed=len(bad), told_apart=moved, not_told_apart=left)
        return terms
