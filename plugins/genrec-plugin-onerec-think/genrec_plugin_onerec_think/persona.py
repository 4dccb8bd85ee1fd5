"""`onerec-think/persona`: interleaved user persona grounding (OneRec-Think §4.1, appendix A.3.1).

What is known of a user becomes one running text in which items stand by their tokens beside what they are
called, so that a token is learnt from the words around it, on both sides:

    The user: age: 24, occupation: technician. Searched for: space opera; latest discoveries.
    Chose <|item_begin|><item_a_3>…<|item_end|>, called Red tent; <|item_begin|>… Likes: Camping, Drama.

Attributes and searches are fields of the user; what the data lacks is left out. Interests are the values of
an item field that are most frequent in what the user chose. All of it is learnt, except the first item of a
text. A long history gives several texts, because each should fit into a model's context; the profile stands
in each. The text is read off the visible history alone: no held-out item is in it.

This is the task of token warm-up (`core/sft` with `trainable: new-rows`: only the rows of item tokens
move), and one of those of multi-task integration.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from pydantic import Field

from genrec_core import Catalogue, Context, Corpus, GenrecError, History, Sample, Text, View
from genrec_core.contracts.samples import Segment
from genrec_plugin_onerec_think.next_item import described, values_of


class Persona(Corpus):
    """Users as texts with items in them."""

    version = "1"

    class Options(Corpus.Options):
        """What is told of a user, and in which words."""

        attributes: tuple[str, ...] = ()
        """Fields of the user."""
        searches: str = ""
        """Field of the user that lists what was searched for."""
        caption: str = Field("title", min_length=1)
        """Item field that stands beside each item."""
        interests: str = ""
        """Item field whose most frequent values are the user's interests; none by default."""
        most_interests: int = Field(3, gt=0)
        """How many of them."""
        items: int = Field(10, gt=1)
        """Most items of one text; a longer history gives several texts."""
        texts: int | None = Field(None, gt=0)
        """Most texts of one user, the newest; all by default."""
        who: str = "The user: "
        """Text before attributes."""
        searched: str = "Searched for: "
        """Text before searches."""
        chose: str = "Chose "
        """Text before items."""
        called: str = ", called "
        """Text between an item and its caption."""
        likes: str = "Likes: "
        """Text before interests."""

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """Users in row order, oldest text first; users without an item give none.

        Raises:
            GenrecError: items have no such field, or no user has any of the attributes or searches.
        """
        options = self.options
        self._check(view, catalogue)
        for user, row in view.sequences():
            known = view.attributes.get(user, {})
            items = row.tolist()
            before, behind = self._before(known), self._behind(items, catalogue)
            for window in list(windows(items, options.items))[-(options.texts or len(items) or 1) :]:
                chosen = History(
                    window, separator="; ", learn=True, field=options.caption, between=options.called
                )
                parts: tuple[Segment, ...] = (_told(before + options.chose), chosen, _told(behind))
                yield Sample(parts, answer_form="", task="persona", plain=True)

    def _before(self, known: Mapping[str, object]) -> str:
        """Attributes and searches as sentences."""
        options = self.options
        attributes = described(known, options.attributes)
        told = f"{options.who}{attributes}. " if attributes else ""
        searched = known.get(options.searches) if options.searches else None
        if isinstance(searched, (list, tuple)):
            searched = "; ".join(map(str, searched))
        return told + (f"{options.searched}{searched}. " if searched else "")

    def _behind(self, items: list[int], catalogue: Catalogue) -> str:
        """Interests as a sentence."""
        options = self.options
        if not options.interests:
            return "."
        values = Counter(value for item in items for value in values_of(catalogue, item, options.interests))
        # Of equally frequent values the one met first stands first, as `most_common` has them.
        liked = ", ".join(value for value, _ in values.most_common(options.most_interests))
        return f". {options.likes}{liked}." if liked else "."

    def _check(self, view: View, catalogue: Catalogue) -> None:
        options = self.options
        for field in filter(None, (options.caption, options.interests)):
            if field not in catalogue.items.fields:
                raise GenrecError(
                    f"items have no field `{field}` to tell of users' items",
                    hint=f"fields are: {', '.join(catalogue.items.fields) or 'none'}",
                )
        there = {name for known in view.attributes.values() for name in known}
        asked = (*options.attributes, *filter(None, (options.searches,)))
        absent = [name for name in asked if name not in there]
        if absent and view.targets is None:
            raise GenrecError(
                f"no user has `{absent[0]}`",
                hint=f"users have: {', '.join(sorted(there)) or 'nothing'} (`users.jsonl`)",
            )


def windows(items: list[int], most: int) -> Iterator[tuple[int, ...]]:
    """A history in pieces of at most `most` items that end with the newest one, oldest piece first.

    >>> list(windows([1, 2, 3, 4, 5], 2))
    [(1,), (2, 3), (4, 5)]
    """
    first = len(items) % most or most
    for end in range(first, len(items) + 1, most):
        yield tuple(items[max(0, end - most) : end])


def _told(text: str) -> Text:
    return Text(text, learn=True)
