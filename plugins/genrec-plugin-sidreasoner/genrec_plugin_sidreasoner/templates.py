"""`sidreasoner/templates`: a teacher without a language model, which puts items' own fields into sentences.

It answers the four questions of enrichment and nothing else, the same every time, at no cost: the offline
default, and the paper's cheapest source of enrichment, metadata put together (§4.3). It knows no more than it
is shown, so what it writes teaches which words belong to which SID and little about the world.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from pydantic import Field

from genrec_core import Chat, Context, StageError, Teacher
from genrec_plugin_sidreasoner.facts import ItemFacts
from genrec_plugin_sidreasoner.marks import mark
from genrec_plugin_sidreasoner.questions import FACTS, ITEM, MONOLOGUE, PARAGRAPH, STORY, asked_about

_WORD = re.compile(r"[a-z][a-z-]{2,}")
_NOTHING_SAID = "this and that"
_EMPTY_WORDS = frozenset(
    [
        "about",
        "after",
        "again",
        "all",
        "also",
        "and",
        "any",
        "are",
        "because",
        "been",
        "but",
        "can",
        "comes",
        "for",
        "from",
        "has",
        "have",
        "her",
        "his",
        "how",
        "into",
        "its",
        "just",
        "like",
        "made",
        "make",
        "more",
        "most",
        "new",
        "not",
        "now",
        "off",
        "one",
        "only",
        "other",
        "our",
        "out",
        "over",
        "per",
        "set",
        "size",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "they",
        "this",
        "through",
        "too",
        "two",
        "use",
        "used",
        "very",
        "was",
        "were",
        "what",
        "when",
        "which",
        "with",
        "without",
        "you",
        "your",
        "pack",
        "inch",
        "inches",
        "piece",
        "pieces",
    ]
)


class Templates(Teacher):
    """Sentences made of the words that are shown."""

    version = "1"
    seeded = False

    class Options(Teacher.Options):
        """How much is said."""

        words: int = Field(6, ge=1, le=1_000)
        """Most words that a text is made of."""

    options: Options

    def complete(self, chats: Sequence[Chat], context: Context) -> list[str]:
        """One answer a chat.

        Raises:
            StageError: a chat is no question of enrichment.
        """
        return [self._answer(chat) for chat in chats]

    def _answer(self, chat: Chat) -> str:
        asked = asked_about(chat)
        if asked is None:
            raise StageError(
                f"teacher `{self.name}` is no language model: it answers only what enrichment asks",
                hint="use a model here, such as core/local-teacher or teachers/openai",
            )
        task, about = asked
        write = {FACTS: self._facts, PARAGRAPH: _paragraph, MONOLOGUE: self._monologue, STORY: _story}[task]
        # Asked again: some words of the answer before were a title (*Conditioner*), and it is not said which.
        refused = " ".join(message.text for message in chat[2:] if message.turn == "assistant")
        return write(about, frozenset(_WORD.findall(refused.lower())))

    def _facts(self, about: str, refused: frozenset[str]) -> str:
        rows = [line.partition(": ")[::2] for line in about.splitlines()]
        words = telling(about, self.options.words, refused) or ["things"]
        body = next((text for name, text in rows if name == "description"), "") or rows[-1][1]
        sentence = re.split(r"(?<=[.!?]) ", body)[0][:240].strip()
        kinds = [text for name, text in rows if name in ("category", "categories", "brand")] or words[:1]
        facts = ItemFacts(
            description=sentence or f"Something to do with {words[0]}.",
            use_cases=tuple(f"work with {word}" for word in words[:2]),
            audiences=(f"people who look for {words[0]}",),
            highlights=tuple(kind[:200] for kind in kinds[:3]),
            keywords=tuple(words),
        )
        return facts.model_dump_json()

    def _monologue(self, about: str, refused: frozenset[str]) -> str:
        lines = [line.partition(". ")[2] for line in about.splitlines()]
        early, late = lines[: len(lines) // 2] or lines, lines[len(lines) // 2 :]
        before = telling(" ".join(early), 2, refused) or [_NOTHING_SAID]
        now = telling(" ".join(late), 3, refused) or [_NOTHING_SAID]
        return (
            f"I began with {_and(before)}. Lately it has been more about {_and(now)}. "
            f"What draws me now has to do with {now[0]}."
        )


def telling(text: str, most: int, refused: frozenset[str] = frozenset()) -> list[str]:
    """The words that a text says most often, earlier ones first among equals; no empty or refused words.

    >>> telling("Red tent. A tent for two hikers", 2)
    ['tent', 'red']
    """
    words = [word for word in _WORD.findall(text.lower()) if word not in _EMPTY_WORDS | refused]
    return [word for word, _ in Counter(words).most_common(most)]


def _paragraph(about: str, refused: frozenset[str]) -> str:
    facts = ItemFacts.model_validate_json(about)
    item = mark(ITEM)

    def said(entries: Sequence[str]) -> str:
        kept = [entry for entry in entries if not refused.intersection(_WORD.findall(entry.lower()))]
        return _and(kept or [_NOTHING_SAID])

    return (
        f"{item} has to do with {said(facts.keywords)}. It is made for {said(facts.use_cases)}, and "
        f"{said(facts.audiences)} choose it. What stands out about {item}: {said(facts.highlights)}."
    )


def _story(about: str, refused: frozenset[str]) -> str:
    listed, _, thoughts = about.partition("\nTHOUGHTS\n")
    parts = []
    for place, line in enumerate(listed.splitlines(), 1):
        words = telling(line.partition("]] ")[2], 2, refused) or ["something else"]
        begun = "First came" if place == 1 else "Then came"
        parts.append(f"{begun} {mark(place)}, for {_and(words)}.")
    return f"{' '.join(parts)} The customer thought: {thoughts}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
