"""`sidreasoner/user-enrichment`: histories told as stories in which items are SIDs (SIDReasoner §3.2.3).

A chain of two calls: a history becomes a monologue in the first person that names no product, and history
and monologue become a story that calls every product by its mark, which is written as its SID. The story is
running text, learnt whole. The monologues are also the thoughts of reasoning activation (§3.3.1), which asks
the same questions and so finds the answers kept.

No question shows the item that was bought next, unless the history holds it already; `repeats: skip` leaves
such histories out, which also keeps repeated purchases from whoever learns from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, Example, Items, Sample, View
from genrec_plugin_sidreasoner.asking import AskingOptions, UnusableError, plan, usable_answers
from genrec_plugin_sidreasoner.marks import names_in, segments_of
from genrec_plugin_sidreasoner.questions import monologue_question, story_question
from genrec_plugin_sidreasoner.thought_text import refuse_tags, spells


class ChainOptions(AskingOptions):
    """Who is asked, about which histories, and what it is shown of an item."""

    fields: tuple[str, ...] = ("title",)
    """Item fields that the teacher is shown of each item of a history, the title first."""
    characters: int = Field(160, ge=1)
    """Characters of each field that are shown."""
    per_user: int = Field(1, ge=1)
    """Examples of each user, those with the newest targets."""
    most: int | None = Field(None, ge=1)
    """Most examples, drawn by the seed; all by default."""
    repeats: Literal["keep", "skip"] = "keep"
    """Whether histories that hold the item which was bought next are told. A teacher is then shown it, as one
    of the past. Without them (`skip`) a model may learn that nothing is bought twice."""


@dataclass(frozen=True)
class Chains:
    """The calls about some histories.

    Attributes:
        options: who is asked, and what it is shown.
        items: the catalogue.
        context: keeps the answers.
    """

    options: ChainOptions
    items: Items
    context: Context

    def chosen(self, view: View) -> dict[int, Example]:
        """Examples of a training view by their number, in order; the draw depends on the seed alone."""
        options = self.options
        examples = [
            (number, example)
            for number, example in enumerate(view.examples(newest=options.per_user))
            if example.history and (options.repeats == "keep" or example.target not in example.history)
        ]
        order = self.context.generator().permutation(len(examples))[: options.most]
        return dict(examples[place] for place in sorted(order.tolist()))

    def lines(self, example: Example) -> list[str]:
        """What a teacher is shown of each item of a history."""
        return [self._line(item) for item in example.history]

    def monologues(self, examples: Mapping[int, Example], calls: int) -> dict[int, str]:
        """The first calls; `calls` is how many the whole chain has."""
        chats = {number: monologue_question(self.lines(one)) for number, one in examples.items()}
        plan("customer monologue", chats, calls, self.context)

        def read(text: str, number: int) -> str:
            return self._monologue(text, examples[number])

        return usable_answers("customer monologue", chats, read, self.options, self.context)

    def stories(self, examples: Mapping[int, Example], monologues: Mapping[int, str]) -> dict[int, str]:
        """The second calls: prose with the marks `1` to `n`."""
        chats = {
            number: story_question(self.lines(examples[number]), monologue)
            for number, monologue in monologues.items()
        }

        def read(text: str, number: int) -> str:
            return self._story(text, examples[number])

        return usable_answers("customer story", chats, read, self.options, self.context)

    def _line(self, item: int) -> str:
        values = (" ".join(self.items.value(item, field).split()) for field in self.options.fields)
        parts = [value[: self.options.characters].strip() for value in values if value]
        return " | ".join(parts) or "(nothing is known about this product)"

    def _monologue(self, text: str, example: Example) -> str:
        refuse_tags(text)
        if names_in(text):
            raise UnusableError("it has a mark such as [[1]]")
        self._nameless(text, (*example.history, example.target))
        return " ".join(text.split())

    def _story(self, text: str, example: Example) -> str:
        refuse_tags(text)
        wanted = {str(place) for place in range(1, len(example.history) + 1)}
        names = set(names_in(text))
        if missing := sorted(wanted - names, key=int):
            raise UnusableError(f"it leaves out [[{missing[0]}]]")
        if names - wanted:
            raise UnusableError("it has a mark that no product has")
        self._nameless(text, (*example.history, example.target))
        return " ".join(text.split())

    def _nameless(self, text: str, items: tuple[int, ...]) -> None:
        title = self.options.fields[0] if self.options.fields else ""
        if title and any(spells(text, self.items.value(item, title)) for item in items):
            raise UnusableError("it writes out a product's title")


class UserEnrichment(Corpus):
    """Stories of histories."""

    version = "1"
    rung = "enriched"

    class Options(ChainOptions, Corpus.Options):
        """Options of the chains, and of every corpus."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One story an example, in the view's order; a validation view has none."""
        if view.targets is not None:
            return
        chains = Chains(self.options, catalogue.items, context)
        examples = chains.chosen(view)
        stories = chains.stories(examples, chains.monologues(examples, calls=2))
        for number, story in stories.items():
            history = examples[number].history
            named = {str(place): item for place, item in enumerate(history, 1)}
            yield Sample(segments_of(story, named), answer_form="", task="user-enrichment", plain=True)
