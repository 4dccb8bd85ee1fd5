"""Reading a teacher's answer: a list of exactly N words, or the reason why it is none.

Teachers write lists in many ways, and often think aloud before. What is read, the last one that will do
first: anything in square brackets (as JSON, else split at commas), a bare line of words with commas, a list
with dashes or numbers. Thoughts in `<think>` are skipped. A word is written in lower case, with hyphens for
blanks.

    [A b, "C", d, e, f]   →   a-b c d e f
    [a, b, c, d]          →   malformed: 4 terms, not 5

Nothing is ever added or cut off to reach N: an answer that is wrong is asked for again, and counted. So is
one that the token limit ended: the last list in it may be one that its writer was still considering. The
format of the question written back, `[word1, word2, word3]`, is no answer either.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from genrec_core.contracts.identifiers import Tokens

LONGEST, MOST_PARTS = 40, 4
"""Characters and hyphenated parts of a term; what is longer is a sentence."""

BRACKETS = re.compile(r"\[([^\[\]]*)\]")
BULLETS = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.+?)\s*$", re.MULTILINE)
THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
PLACEHOLDER = re.compile(r"(?:key)?(?:word|term)[-_]?\d{1,2}")
"""A word of the format that a question shows; one alone may be a product (`word-97`)."""
ENDS = " \t\r\n\"'`“”‘’«»*.;:!?"


@dataclass(frozen=True)
class Malformed:
    """An answer that cannot be used.

    Attributes:
        reason: `cut off`, `no list`, `number`, `empty`, `long`, `repeated` or `placeholder`; the log counts
            these.
        explanation: the same in words that a teacher can act on.
        answer: what it wrote.
    """

    reason: str
    explanation: str
    answer: str


def read_terms(answer: str, count: int, *, finished: bool = True) -> Tokens | Malformed:
    """The terms that an answer lists; one that is not finished is malformed."""
    if not finished:
        return Malformed("cut off", "it was too long and was cut off", answer)
    text = THOUGHT.sub(" ", answer)
    text = text.rpartition("</think>")[2]
    first: Malformed | None = None
    for words in _lists(text):
        read = _no_placeholder(checked_terms(words, count, answer), answer)
        if not isinstance(read, Malformed):
            return read
        first = first or read
    return first or Malformed("no list", "there is no list in it", answer)


def read_open_list(answer: str, count: int, *, finished: bool = True) -> Tokens | Malformed:
    """The first `count` different words of a list that the question began.

    A model that only continues a text does not know when five words are five: it goes on until it is stopped.
    What it wrote first counts, and a word that comes again does not. The last word of an answer that was cut
    off may be half a word, so it does not count either.
    """
    inside = answer.partition("]")[0].partition("\n\n")[0]
    listed = inside.split(",")
    if not finished and inside == answer:
        listed = listed[:-1]
    words = {normal_term(word): word for word in listed}
    different = [term for term in words if any(map(str.isalnum, term))]
    if len(different) < count:
        return Malformed("number", f"it has {len(different)} different words, not {count}", answer)
    return _no_placeholder(checked_terms(different[:count], count, answer), answer)


def checked_terms(
    words: Sequence[str], count: int, answer: str = "", *, repeats: bool = False
) -> Tokens | Malformed:
    """Words in the form of terms.

    Args:
        words: as they were written.
        count: how many there must be.
        answer: where they were found, for the report.
        repeats: whether a term may occur twice.
    """
    terms = tuple(normal_term(word) for word in words)
    if len(terms) != count:
        return Malformed("number", f"it has {len(terms)} words, not {count}", answer)
    if not all(any(map(str.isalnum, term)) for term in terms):
        return Malformed("empty", "one of the words is empty", answer)
    long = [term for term in terms if len(term) > LONGEST or len(term.split("-")) > MOST_PARTS]
    if long:
        return Malformed("long", f"`{long[0]}` is more than a word", answer)
    if len(set(terms)) < count and not repeats:
        twice = next(term for term in terms if terms.count(term) > 1)
        return Malformed("repeated", f"the word `{twice}` occurs twice", answer)
    return terms


def _no_placeholder(read: Tokens | Malformed, answer: str) -> Tokens | Malformed:
    """The terms, unless they are the format of the question, written back in whole or in part."""
    if isinstance(read, Malformed):
        return read
    echoed = [term for term in read if PLACEHOLDER.fullmatch(term)]
    if len(echoed) < min(2, len(read)):
        return read
    return Malformed("placeholder", f"`{echoed[0]}` stands for a word in the format, it is none", answer)


def normal_term(word: str) -> str:
    """A word in lower case without quotes and full stops, its blanks as hyphens; commas cannot be in it."""
    plain = unicodedata.normalize("NFC", word).strip(ENDS).lower().replace(",", " ")
    return "-".join(plain.split())


def _lists(text: str) -> Iterator[list[str]]:
    """Every list in a text, the most likely first."""
    for inside in reversed(BRACKETS.findall(text)):
        yield _separated(inside)
    if "[" not in text and "]" in text:  # the question ended with the opening bracket
        yield _separated(text.partition("]")[0])
    bullets = BULLETS.findall(text)
    if bullets:
        yield bullets
    lines = [line for line in text.splitlines() if "," in line and "[" not in line]
    for line in reversed(lines):
        yield _separated(line)


def _separated(inside: str) -> list[str]:
    try:
        words = json.loads(f"[{inside}]")
    except json.JSONDecodeError:
        return inside.split(",")
    return words if all(isinstance(word, str) for word in words) else inside.split(",")
