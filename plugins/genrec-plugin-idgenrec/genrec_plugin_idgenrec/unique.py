"""Algorithm 1 of IDGenRec: every item a text of its own, as short as can be had.

Each *attempt* at an item asks the generator for k texts. The first attempts write between 1 and 9 tokens,
with a diversity penalty that rises from 0.1 to 1.0; the eleventh begins again at 0.1 with 10 to 19 tokens,
and so on. Of each attempt the first text that nobody has is the item's. Penalties are counted in tenths:
ten additions of 0.1 to a float give 0.9999….

    attempt   0    1   …  9    10   11  …
    penalty   0.1  0.2    1.0  0.1  0.2
    tokens    [1, 10)          [10, 20)

*One item at a time* is what the paper writes down, and slow. Here many items are asked for at once, as if
none would clash, and conflicts are settled in catalogue order. What an attempt gives depends on the item
alone, so settling again from the first item, with every answer so far at hand, ends in the very map that
one item at a time gives: an item is only asked for more where it is known, or likely, to need it.

    items a a b    asked for all three    a → "red tent", a → taken, b → "lamp"
                   asked again for the second alone    a → "red shelter"

`reset: never` is the pseudo-code to the letter: it sets penalty and length before the loop over items, so
each item goes on where the one before it stopped. The paper's prose, and the code that it was measured
with, start anew for every item."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from genrec_core import GenrecError

PENALTIES = 10
"""Diversity penalties of one length window: 0.1, 0.2 … 1.0."""

Reset = Literal["item", "never"]


class Attempt(NamedTuple):
    """What one attempt asks of the generator.

    Attributes:
        tenths: the diversity penalty λ in tenths, 1 to 10.
        shortest: least tokens of a text.
        below: one more than the most tokens.
    """

    tenths: int
    shortest: int
    below: int


def attempt_at(number: int, window: int = 10) -> Attempt:
    """Attempt `number`, counted from 0, with length windows of `window` tokens."""
    length, tenths = divmod(number, PENALTIES)
    return Attempt(tenths + 1, max(1, length * window), (length + 1) * window)


class GeneratedText(NamedTuple):
    """One text that the generator wrote.

    Attributes:
        text: as it would stand in a prompt.
        key: what tells it from others: its token ids as the recommender reads it; empty for no usable text.
    """

    text: str
    key: Hashable


Write = Callable[[Sequence[int], int], list[list[GeneratedText]]]
"""Items and the number of an attempt → the texts of each, best first."""


@dataclass(frozen=True)
class UniqueTexts:
    """A unique text for every item.

    Attributes:
        texts: of N items.
        attempts: which attempt gave each, from 0; `PENALTIES` and more wrote in a longer window.
        asked: attempts made over all items, with those that speculation made in vain.
    """

    texts: tuple[str, ...]
    attempts: tuple[int, ...]
    asked: int

    def share_beyond(self, attempt: int) -> float:
        """Share of the items whose text came after this attempt: 0 for a second penalty."""
        return sum(number > attempt for number in self.attempts) / max(len(self.attempts), 1)


class _Settled(NamedTuple):
    """One pass over some items: who got which text at which attempt, and what has to be asked."""

    picks: list[GeneratedText]
    attempts: list[int]
    missing: dict[int, list[int]]


def name_uniquely(
    items: int,
    write: Write,
    *,
    taken: Iterable[Hashable] = (),
    attempts: int = 30,
    reset: Reset = "item",
    at_once: int | None = None,
) -> UniqueTexts:
    """A text for each of `items` items that no other item has (Algorithm 1).

    Args:
        items: N; they are called 0 to N − 1.
        write: the generator; what it gives for an item and an attempt must not depend on the other items.
        taken: keys that are in use already.
        attempts: of one item, at most: ten for each length window.
        reset: `item`: every item starts at the first attempt; `never`: where the item before it stopped.
        at_once: items asked for before conflicts are settled; all by default, 1 for one at a time.

    Raises:
        GenrecError: an item got no text of its own in all attempts.
    """
    used, asked = set(taken), 0
    picks, numbers = list[GeneratedText](), list[int]()
    while (begin := len(picks)) < items:
        some = range(begin, min(items, begin + (at_once or items)))
        first = numbers[-1] if numbers and reset == "never" else 0
        answers = dict[tuple[int, int], list[GeneratedText]]()
        while (settled := _settle(some, first, answers, used, attempts, reset)).missing:
            for number, places in sorted(settled.missing.items()):
                asked += len(places)
                found = write(places, number)
                answers.update(((item, number), row) for item, row in zip(places, found, strict=True))
        picks += settled.picks
        numbers += settled.attempts
        used.update(pick.key for pick in settled.picks)
    return UniqueTexts(tuple(pick.text for pick in picks), tuple(numbers), asked)


def _settle(
    items: Sequence[int],
    first: int,
    answers: dict[tuple[int, int], list[GeneratedText]],
    used: set[Hashable],
    attempts: int,
    reset: Reset,
) -> _Settled:
    """Go through some items in order with the answers at hand, from attempt `first`.

    Where an answer is missing, the item is asked for it and the pass goes on as if it had settled there. What
    comes behind the first missing answer is a guess; a pass without one is the sequential result.
    """
    own, number = set[Hashable](), first
    settled = _Settled([], [], {})
    for item in items:
        number = first if reset == "item" else number
        pick = None
        while pick is None and number < attempts:
            row = answers.get((item, number))
            if row is None:
                settled.missing.setdefault(number, []).append(item)
                break
            pick = next((one for one in row if _free(one, used, own)), None)
            number += pick is None
        if pick is None and number == attempts:
            if not settled.missing:
                raise _exhausted(item, attempts, answers)
            number = attempts - 1
        if pick is not None:
            own.add(pick.key)
            settled.picks.append(pick)
            settled.attempts.append(number)
    return settled


def _free(written: GeneratedText, used: set[Hashable], own: set[Hashable]) -> bool:
    return bool(written.key) and written.key not in used and written.key not in own


def _exhausted(item: int, attempts: int, answers: dict[tuple[int, int], list[GeneratedText]]) -> GenrecError:
    last = answers.get((item, attempts - 1), [])
    wrote = ", ".join(f"`{one.text}`" for one in last[:3]) or "nothing"
    return GenrecError(
        f"item number {item} got no identifier of its own in {attempts} attempts; the last wrote {wrote}, "
        "empty or taken",
        hint="raise `extensions` (longer texts) or `groups` (more texts an attempt), or look whether many "
        "items have no text at all",
    )
