"""`sidreasoner/item-enrichment`: paragraphs about items, each named by its SID alone (SIDReasoner §3.2.3).

A chain of two calls: an item's fields become a validated object of facts, and the facts become a paragraph
that calls the item by a mark, which is written as its SID. The paragraph is running text: no chat template
is put around it, and every token of it is learnt.

    <a_3><b_1> is a light tent for two … Hikers take <a_3><b_1> where every gram counts.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, Items, Sample, View
from genrec_plugin_sidreasoner.asking import AskingOptions, UnusableError, plan, usable_answers
from genrec_plugin_sidreasoner.facts import read_facts
from genrec_plugin_sidreasoner.marks import names_in, segments_of
from genrec_plugin_sidreasoner.questions import ITEM, facts_question, paragraph_question
from genrec_plugin_sidreasoner.thought_text import refuse_tags, spells


class ItemEnrichment(Corpus):
    """What a teacher knows about each item, with the SID in the place of its name."""

    version = "1"
    seeded = True
    rung = "enriched"

    class Options(AskingOptions, Corpus.Options):
        """Who is asked, about which items, and what it is shown."""

        fields: tuple[str, ...] = ()
        """Item fields that the teacher is shown; by default every text field."""
        title: str = Field("title", min_length=1)
        """Item field that no paragraph may write out."""
        characters: int = Field(600, ge=1)
        """Characters of each field that are shown."""
        most: int | None = Field(None, ge=1)
        """Most items that are asked about, drawn by the seed; all by default."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One paragraph an item, in catalogue order; a validation view has none."""
        if view.targets is not None:
            return
        for item, paragraph in self.paragraphs(catalogue.items, context).items():
            yield Sample(
                segments_of(paragraph, {ITEM: item}),
                answer_form="",
                task="item-enrichment",
                plain=True,
            )

    def paragraphs(self, items: Items, context: Context) -> dict[int, str]:
        """Item → its paragraph, with marks."""
        options = self.options
        chats = {
            item: facts_question(items, item, options.fields, options.characters)
            for item in self._chosen(items, context)
        }
        plan("product paragraph", chats, 2, context)
        facts = usable_answers("product facts", chats, lambda text, _: read_facts(text), options, context)
        second = {item: paragraph_question(found.model_dump_json()) for item, found in facts.items()}

        def read(text: str, item: int) -> str:
            return _paragraph(text, items.value(item, options.title))

        return usable_answers("product paragraph", second, read, options, context)

    def _chosen(self, items: Items, context: Context) -> list[int]:
        options = self.options
        shown = options.fields or items.text_fields
        known = [item for item in range(len(items)) if any(items.value(item, field) for field in shown)]
        if len(known) < len(items):
            context.log("skipped", form=", ".join(shown), items=len(items) - len(known))
        order = context.generator().permutation(len(known))[: options.most]
        return sorted(known[place] for place in order)


def _paragraph(text: str, title: str) -> str:
    refuse_tags(text)
    names = names_in(text)
    if ITEM not in names:
        raise UnusableError(f"it does not call the product [[{ITEM}]]")
    if set(names) != {ITEM}:
        raise UnusableError(f"it has another mark than [[{ITEM}]]")
    if spells(text, title):
        raise UnusableError("it writes out the product's title")
    return " ".join(text.split())
