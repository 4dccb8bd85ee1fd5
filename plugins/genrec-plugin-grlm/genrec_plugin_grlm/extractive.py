"""`grlm/extractive`: a teacher without a language model, which takes terms out of the items' own words.

It follows the same two rules as the paper's prompt (`picking`), by counting. As the teacher of `grlm/terms`
it knows the word counts of the whole catalogue. Asked in a chat it knows only the item and the neighbours
shown there, and answers as a language model would: that makes it a stand-in for one, in tests and on
machines without any.

    ITEM title: Red silk scarf        SIMILAR title: Blue silk scarf; Green silk scarf
    → [silk, scarf, red, …]
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from genrec_core import Chat, Context, StageError, Teacher
from genrec_plugin_grlm.picking import Picked, pick
from genrec_plugin_grlm.prompt import shown_in
from genrec_plugin_grlm.wordbook import Bag, Wordbook


class Extractive(Teacher):
    """Picks terms by TF-IDF: what neighbours share first, then what tells an item apart."""

    seeded = False

    class Options(Teacher.Options):
        """How terms are shared out."""

        distinguishing: int = Field(default=2, ge=0)
        """How many terms of an item, at least, are words that the fewest of its neighbours say."""

    options: Options

    def terms_of(
        self, bag: Bag, neighbours: Sequence[Bag | frozenset[str]], book: Wordbook, count: int
    ) -> Picked:
        """`count` terms for an item whose words, neighbours' words and catalogue are known.

        Raises:
            DataError: all of them together have fewer words than that.
        """
        return pick(bag, neighbours, book, count, self.options.distinguishing)

    def complete(self, chats: Sequence[Chat], context: Context) -> list[str]:
        """One list in brackets a chat.

        Raises:
            StageError: a chat was not written by `grlm/terms` in the style `rules`.
            DataError: it shows fewer words than it asks for.
        """
        return [self._answer(chat) for chat in chats]

    def _answer(self, chat: Chat) -> str:
        shown = shown_in(chat)
        if shown is None:
            raise StageError(
                f"teacher `{self.name}` is no language model: it answers only what `grlm/terms` asks",
                hint="use another teacher here, or `prompt: rules` on `grlm/terms`",
            )
        book, (bag, *others) = Wordbook.of([shown.item, *shown.neighbours])
        return f"[{', '.join(self.terms_of(bag, others, book, shown.count).terms)}]"
