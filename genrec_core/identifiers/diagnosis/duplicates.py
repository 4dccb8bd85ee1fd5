"""Near-duplicates: items whose texts are nearly the same, found with datasketch's MinHash LSH.

They are the usual cause of collisions: no quantiser can tell apart what has the same text, and a suffix that
does so is noise to the model. Two texts are near-duplicates when they have at least 80 % of their distinct
words in common (Jaccard similarity of word sets, lower case). The LSH only proposes pairs, generously; each
is then compared exactly, so nothing is called a duplicate by chance. Equal word sets are joined before that,
and items that are duplicates of duplicates form one group. The hashes are datasketch's; its index, a Python
dictionary for every band, took 9 KB an item, so bands are sorted here one after another instead.

    "Red tent, 2 persons"  "red tent 2 persons"  "red tent 3 persons"  →  the first two (3/5 for the others)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.identifiers.prefixes import Prefixes

ALIKE = 0.8
_PERMUTATIONS = 126
_BANDS = (21, 6)
"""Of 21 bands of 6 hashes one agrees with probability 99.8 % at a similarity of 0.8."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class NearDuplicates:
    """Near-duplicate entries of a catalogue.

    Attributes:
        items: items that have a near-duplicate.
        groups: how many groups they form.
        largest: items of the largest group.
        surplus: items that would go if each group were merged into one.
        identical: items whose word set another item has exactly.
        collisions_explained: share of the colliding items that have a near-duplicate in their own bucket;
            None when nothing collides.
        examples: ids of some groups, largest first.
    """

    items: int
    groups: int
    largest: int
    surplus: int
    identical: int
    collisions_explained: float | None
    examples: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Alike:
    """Which items are near-duplicates.

    Attributes:
        groups: int64 [N], near-duplicates share a number; an item without one is alone with its own.
        same: int64 [N], the same for equal word sets.
    """

    groups: NDArray[np.int64]
    same: NDArray[np.int64]


def words_of(text: str) -> list[str]:
    """The words of a text, lower case, in order."""
    return _WORD.findall(text.lower())


def alike(texts: Sequence[str]) -> Alike:
    """Near-duplicates among texts; a text without words is nobody's duplicate.

    Raises:
        ModuleNotFoundError: datasketch is not installed.
    """
    import datasketch  # noqa: F401 - said before any work, also for a catalogue without pairs

    kinds: dict[frozenset[str] | int, int] = {}
    same = np.empty(len(texts), dtype=np.int64)
    for item, text in enumerate(texts):
        same[item] = kinds.setdefault(frozenset(words_of(text)) or item, len(kinds))
    sets = [(number, kind) for kind, number in kinds.items() if isinstance(kind, frozenset)]
    parents = list(range(len(kinds)))
    _join_alike([kind for _, kind in sets], parents, [number for number, _ in sets])
    roots = np.asarray([_root(parents, number) for number in range(len(kinds))], dtype=np.int64)
    return Alike(roots[same], same)


def count_near_duplicates(found: Alike, prefixes: Prefixes, ids: Sequence[str]) -> NearDuplicates:
    """What the near-duplicates amount to, and how many of the collisions are theirs."""
    sizes = np.bincount(found.groups)
    crowded = np.flatnonzero(sizes > 1)
    largest = crowded[np.lexsort((crowded, -sizes[crowded]))][:3]
    same = np.bincount(found.same)
    return NearDuplicates(
        items=int(sizes[crowded].sum()),
        groups=len(crowded),
        largest=int(sizes[crowded].max(initial=0)),
        surplus=int(sizes[crowded].sum()) - len(crowded),
        identical=int(same[same > 1].sum()),
        collisions_explained=_explained(found.groups, prefixes.leaves),
        examples=tuple(
            tuple(ids[item] for item in np.flatnonzero(found.groups == group)[:3]) for group in largest
        ),
    )


def explained(found: Alike, prefixes: Prefixes) -> list[float | None]:
    """At each prefix length, of the items that share theirs, the share with a near-duplicate among those."""
    return [_explained(found.groups, group) for group in prefixes.groups]


def _explained(alike_as: NDArray[np.int64], buckets: NDArray[np.int64]) -> float | None:
    reach = buckets >= 0
    bucket, kind = buckets[reach], alike_as[reach]
    shared = np.bincount(bucket)[bucket] > 1
    if not shared.any():
        return None
    _, pair, counts = np.unique(
        bucket * (int(alike_as.max()) + 1) + kind, return_inverse=True, return_counts=True
    )
    twin = counts[pair.reshape(-1)] > 1
    return float(twin[shared].mean())


def _join_alike(sets: Sequence[frozenset[str]], parents: list[int], numbers: Sequence[int]) -> None:
    """Join, in `parents`, the numbers of word sets that are alike."""
    sketches = _sketches(sets)
    bands, width = _BANDS
    mixed = np.random.default_rng(0).integers(1 << 32, 1 << 64, width, dtype=np.uint64) | np.uint64(1)
    for band in range(bands):
        keys = (sketches[:, band * width : (band + 1) * width].astype(np.uint64) * mixed).sum(axis=1)
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
        ends = np.append(starts[1:], len(order))
        for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
            members = order[start:end].tolist()
            for place, one in enumerate(members):
                for other in members[:place]:
                    first, second = numbers[other], numbers[one]
                    if _root(parents, first) == _root(parents, second):
                        continue
                    common = len(sets[one] & sets[other])
                    if common >= ALIKE * (len(sets[one]) + len(sets[other]) - common):
                        _join(parents, first, second)


def _sketches(sets: Sequence[frozenset[str]]) -> NDArray[np.uint32]:
    """MinHash values of each word set, uint32 [sets, permutations]."""
    from datasketch import MinHash

    found = np.empty((len(sets), _PERMUTATIONS), dtype=np.uint32)
    # Sorted: the order of a set of strings differs from process to process.
    encoded = ([word.encode() for word in sorted(one)] for one in sets)
    for row, sketch in enumerate(MinHash.generator(encoded, num_perm=_PERMUTATIONS, seed=1)):
        found[row] = sketch.hashvalues
    return found


def _root(parents: list[int], node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


def _join(parents: list[int], first: int, second: int) -> None:
    low, high = sorted((_root(parents, first), _root(parents, second)))
    parents[high] = low
