"""Suggestions: what to change, in plain words, with the numbers that say so.

Each rule looks at one thing and is silent when it is well. Thresholds are rules of thumb, named below so that
one can disagree with them; the numbers that crossed them stand in the suggestion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from genrec_core.identifiers.diagnosis.diagnosis import Diagnosis
from genrec_core.identifiers.health import Level
from genrec_core.identifiers.prefixes import ROLLOUTS, UnderPrefixes

COLLIDING = 0.01
"""Share of colliding items that is worth a word."""

RANKED = 0.05
"""Share of items that only a rank tells apart."""

EXPLAINED = 0.5
"""From this share of the collisions on, near-duplicates are the cause."""

DUPLICATED = 0.01
"""Share of surplus near-duplicates."""

UNUSED = 0.75
"""A level that uses less of its code book than this wastes it."""

UNEVEN = 0.5
"""A level whose perplexity is less than this share of its codes is uneven."""

FEWEST_CODES = 8
"""Levels with fewer codes are not examined for evenness."""

DECIDED = 0.95
"""Share of items decided by a prefix that makes the levels behind it idle."""

THIN = 0.5
"""Share of items under thin prefixes (fewer leaves than rollouts) before the last level of codes."""

SHORT_TEXTS = 0.1
"""Share of items with hardly any text."""

LOST = 0.6
"""Unexplained share of the variance that is a lot."""

BLIND = 5.0
"""Neighbour recall is poor when it is less than this many times chance."""


@dataclass(frozen=True)
class Suggestion:
    """One thing to change.

    Attributes:
        rule: a short name.
        finding: what was seen, with its numbers.
        advice: what to do.
    """

    rule: str
    finding: str
    advice: str


def suggestions(found: Diagnosis) -> list[Suggestion]:
    """What the diagnosis suggests, most urgent first; empty when all is well."""
    return [one for rule in ADVICE_RULES for one in rule(found)]


def _collisions(found: Diagnosis) -> Iterator[Suggestion]:
    rate, causes = found.health["collision_rate"], found.duplicates
    if rate <= COLLIDING:
        return
    most = found.health["largest_bucket"]
    seen = f"{rate:.1%} of the items share their identifier, up to {most:,} of them one"
    explained = causes.collisions_explained if causes else None
    if explained is not None and explained >= EXPLAINED:
        advice = "merge these items, or let grounding choose among them (`collisions: popularity`)"
        yield Suggestion(
            "collisions-by-duplicates",
            f"{seen}; {explained:.0%} of these have a near-duplicate there",
            advice,
        )
        return
    yield Suggestion(
        "collisions",
        seen,
        "use more codes or one more level, or a collision policy that tells them apart",
    )


def _ranks(found: Diagnosis) -> Iterator[Suggestion]:
    for level in found.levels:
        share = level.items / found.health["items"]
        if level.ranks and share > RANKED:
            yield Suggestion(
                "ranks",
                f"{share:.1%} of the items differ only by a number at position {level.level}, which "
                "means nothing to a model",
                "use more codes or one more level, or move such items to their next nearest code",
            )
            return


def _duplicates(found: Diagnosis) -> Iterator[Suggestion]:
    seen = found.duplicates
    if seen is None or seen.surplus <= DUPLICATED * found.health["items"]:
        return
    yield Suggestion(
        "duplicates",
        f"{seen.items:,} items are near-duplicates of another, in {seen.groups:,} groups (up to "
        f"{seen.largest:,} items in one)",
        f"merge them ({seen.surplus:,} items would go), or add the field that tells them apart",
    )


def _unused(found: Diagnosis) -> Iterator[Suggestion]:
    for level in _judged(found):
        if level.possible and level.codes < UNUSED * level.possible:
            yield Suggestion(
                "unused-codes",
                f"level {level.level} uses {level.codes:,} of its {level.possible:,} codes",
                "use fewer codes there, or train so that none dies (k-means start, dead-code reset)",
            )


def _uneven(found: Diagnosis) -> Iterator[Suggestion]:
    for level in _judged(found):
        if level.codes >= FEWEST_CODES and level.perplexity < UNEVEN * level.codes:
            yield Suggestion(
                "uneven",
                f"level {level.level} uses {level.codes:,} codes, no more varied than {level.perplexity:.1f} "
                f"even ones (the most used has {level.largest_share:.1%} of the items)",
                "balance it: `balance: constrained` for k-means, Sinkhorn assignment for an RQ-VAE",
            )


def _idle(found: Diagnosis) -> Iterator[Suggestion]:
    last = _last_codes(found)
    for under in found.prefixes[: max(last - 1, 0)]:
        if under.items == found.health["items"] and under.decided >= DECIDED:
            yield Suggestion(
                "fewer-levels",
                f"{under.decided:.1%} of the items are decided by their first {under.length} tokens; the "
                f"{_levels(last - under.length)} behind hardly tell anything apart",
                "use fewer levels, or fewer codes a level",
            )
            return


def _thin(found: Diagnosis) -> Iterator[Suggestion]:
    """Prefixes that leave too little to choose from, for training that gives prefixes away."""
    last = _last_codes(found)
    if last < 2 or found.health["items"] < ROLLOUTS**2:
        return
    before: UnderPrefixes = found.prefixes[last - 2]
    if before.few > THIN:
        yield Suggestion(
            "thin-prefixes",
            f"{before.few:.1%} of the items have fewer than {ROLLOUTS} leaves under their first "
            f"{before.length} tokens, {before.decided:.1%} a single one",
            f"training that gives away {before.length} tokens learns little there: give away fewer (a least "
            "number of leaves), or use fewer codes a level",
        )


def _texts(found: Diagnosis) -> Iterator[Suggestion]:
    seen = found.texts
    if seen is None or seen.short <= SHORT_TEXTS:
        return
    yield Suggestion(
        "short-texts",
        f"{seen.short:.1%} of the items have fewer than three words of text ({seen.empty:,} none at all)",
        "give the encoder more fields; items without text get codes that say nothing",
    )


def _neighbours(found: Diagnosis) -> Iterator[Suggestion]:
    near = found.neighbours
    # Where a blind search finds a fifth of the neighbours, no search can be five times better.
    if near is None or BLIND * near.chance >= 1 or near.recall >= BLIND * near.chance:
        return
    yield Suggestion(
        "neighbours",
        f"neighbour recall@{near.k} is {near.recall:.3f}, chance is {near.chance:.3f}",
        "items that begin alike are not alike here: look at the encoder, its fields and the quantiser",
    )


def _lost(found: Diagnosis) -> Iterator[Suggestion]:
    if found.reconstruction and found.reconstruction.unexplained > LOST:
        yield Suggestion(
            "reconstruction",
            f"the codes lose {found.reconstruction.unexplained:.0%} of the embeddings' variance",
            "use more codes or levels, or an encoder with fewer dimensions",
        )


def _judged(found: Diagnosis) -> Iterator[Level]:
    """Levels of codes that every item has."""
    for level in found.levels:
        if level.coded and not level.ranks and level.items == found.health["items"]:
            yield level


def _last_codes(found: Diagnosis) -> int:
    """The last such level; 0 when there is none."""
    return max((level.level for level in _judged(found)), default=0)


def _levels(number: int) -> str:
    return "level" if number == 1 else f"{number} levels"


ADVICE_RULES: tuple[Callable[[Diagnosis], Iterator[Suggestion]], ...] = (
    _collisions,
    _ranks,
    _duplicates,
    _unused,
    _uneven,
    _idle,
    _thin,
    _texts,
    _neighbours,
    _lost,
)
