"""Ranks and metrics: where the true item stands in each ranking, and means over every test example.

A rank counts from 1; 0 means *not found*, and such an example stays in every denominator. Two ranks are
computed beside each other:

- **honest**: the place of the target item itself.
- **inflated**: the place of the first beam that leads to the target's identifier, all items of one beam
  in one place. This is what comparing identifier strings measures, as much public code does: with
  items A and B on one identifier, a beam that writes it is a hit for both at once.

      A and B share an identifier, which the first beam writes; the target is B
      ranking [A, B, C]   honest rank 2, inflated rank 1

With one true item per example, all accuracy metrics are functions of its rank:

    recall@k   1 if 1 <= rank <= k
    ndcg@k     1 / log2(rank + 1) if 1 <= rank <= k     (one relevant item: the ideal sum is 1)
    mrr        1 / rank, counted down to the deepest k of `at`, so that systems of different depth compare

So a histogram of ranks holds all there is to know, and intervals (`intervals.py`) are drawn from it.

The other metrics describe the ranking itself: `coverage@k` is the share of the catalogue that any top k
contains; `vr@k` (valid rate) the share of the first k candidates that are some item's identifier; `dhr@k`
(direct-hit rate) the share of those that reached an item which did so directly, by being its identifier.
Their denominators differ, and `counts` gives them: with ten candidates of which nine reached an item, eight
directly, vr is 8/10 and dhr 8/9. A grounder that only looks up has a dhr of 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.candidates import How
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.evaluation.rankings import Rankings

_BLOCK = 8192
"""Rows handled at a time, so that temporary arrays stay small."""

Weights = NDArray[np.float64]
"""What a rank is worth, float64 [depth + 1]; entry 0 is the worth of a target that was not found."""


@dataclass(frozen=True)
class Ranks:
    """Ranks of U targets, 0 where the target was not found.

    Attributes:
        honest: int32 [U].
        inflated: int32 [U], at least as good as `honest` everywhere; None for a system whose items have no
            identifiers.
    """

    honest: NDArray[np.int32]
    inflated: NDArray[np.int32] | None = None

    def within(self, depth: int) -> Ranks:
        """The same ranks, with targets that stand deeper than `depth` counted as not found."""
        inflated = None if self.inflated is None else np.where(self.inflated > depth, 0, self.inflated)
        return Ranks(np.where(self.honest > depth, 0, self.honest), inflated)


def identifier_groups(identifiers: Identifiers) -> NDArray[np.int32]:
    """A number for each item, int32 [N], equal for items that share their identifier."""
    numbers: dict[bytes, int] = {}
    groups = np.empty(len(identifiers), dtype=np.int32)
    for item in range(len(identifiers)):
        codes = identifiers.codes[identifiers.offsets[item] : identifiers.offsets[item + 1]]
        groups[item] = numbers.setdefault(codes.tobytes(), len(numbers))
    return groups


def ranks_of(
    rankings: Rankings, targets: NDArray[np.int32], groups: NDArray[np.int32] | None = None
) -> Ranks:
    """Both ranks of every target.

    Args:
        rankings: U users, K items each.
        targets: int32 [U].
        groups: int32 [N], which identifier each item carries; None where items have none (baselines).
    """
    honest = _places(rankings.items, targets)
    if groups is None:
        return Ranks(honest)
    shared = _places(np.where(rankings.firsts < 0, -1, groups[rankings.firsts]), groups[targets])
    return Ranks(honest, np.where((shared == 0) | ((honest > 0) & (honest < shared)), honest, shared))


def _places(table: NDArray[np.int32], wanted: NDArray[np.int32]) -> NDArray[np.int32]:
    places = np.zeros(len(table), dtype=np.int32)
    for start in range(0, len(table), _BLOCK):
        found = table[start : start + _BLOCK] == wanted[start : start + _BLOCK, None]
        hit = found.any(axis=1)
        places[start : start + _BLOCK][hit] = found.argmax(axis=1)[hit] + 1
    return places


def worth(at: Sequence[int]) -> dict[str, Weights]:
    """Metric name → what each rank 0 … max(at) is worth."""
    ranks = np.arange(max(at) + 1)
    gain = np.zeros(len(ranks))
    gain[1:] = 1.0 / np.log2(ranks[1:] + 1)
    table: dict[str, Weights] = {}
    for k in at:
        inside = (ranks >= 1) & (ranks <= k)
        table[f"recall@{k}"] = inside.astype(np.float64)
        table[f"ndcg@{k}"] = np.where(inside, gain, 0.0)
    table["mrr"] = np.concatenate([[0.0], 1.0 / ranks[1:]])
    return table


def histogram(ranks: NDArray[np.int32], depth: int) -> NDArray[np.int64]:
    """How many examples have each rank, int64 [depth + 1]; ranks below `depth` count as not found."""
    return np.bincount(np.where(ranks > depth, 0, ranks), minlength=depth + 1)


def accuracy(ranks: NDArray[np.int32], at: Sequence[int]) -> dict[str, float]:
    """Recall, NDCG at each k and MRR; empty without examples."""
    if not len(ranks):
        return {}
    shares = histogram(ranks, max(at)) / len(ranks)
    return {name: float(shares @ weights) for name, weights in worth(at).items()}


def flat(rankings: Rankings, ranks: Ranks, at: Sequence[int], catalogue: int) -> dict[str, float]:
    """Every metric of one system under its name, as `metrics.json` holds them.

    Args:
        rankings: U users.
        ranks: of their targets.
        at: cut-offs.
        catalogue: how many items could have been recommended.
    """
    metrics = accuracy(ranks.honest, at)
    for k in at:
        metrics[f"coverage@{k}"] = coverage(rankings, k, catalogue)
    metrics.update(validity(rankings, at))
    if ranks.inflated is not None:
        inflated = accuracy(ranks.inflated, at)
        metrics.update({f"recall@{k}_inflated": inflated[f"recall@{k}"] for k in at if inflated})
    return metrics


def coverage(rankings: Rankings, k: int, catalogue: int) -> float:
    """Share of the catalogue's items that stand in the first k of any ranking."""
    seen = np.zeros(catalogue, dtype=bool)
    top = rankings.items[:, :k]
    seen[top[top >= 0]] = True
    return float(seen.mean()) if catalogue else 0.0


def validity(rankings: Rankings, at: Sequence[int]) -> dict[str, float]:
    """`vr@k` and `dhr@k`; nothing for a system that writes no candidates."""
    rates: dict[str, float] = {}
    for k, counted in validity_counts(rankings, at):
        if counted["candidates"]:
            rates[f"vr@{k}"] = counted["direct"] / counted["candidates"]
        if counted["grounded"]:
            rates[f"dhr@{k}"] = counted["direct"] / counted["grounded"]
    return rates


def validity_counts(rankings: Rankings, at: Sequence[int]) -> Iterator[tuple[int, dict[str, int]]]:
    """For each k the denominators and numerators of the rates, counted over the first k candidates."""
    for k in at:
        reached = rankings.reached[:, :k]
        yield (
            k,
            {
                "candidates": int(np.minimum(rankings.candidates, k).sum()),
                "grounded": int((reached != How.NONE).sum()),
                "direct": int((reached == How.DIRECT).sum()),
            },
        )


def short_rows(rankings: Rankings, k: int) -> int:
    """How many rankings hold fewer than k items: below their end nothing could be found."""
    return int((rankings.items[:, :k] < 0).any(axis=1).sum())


def counts(rankings: Rankings, ranks: Ranks, at: Sequence[int]) -> dict[str, int]:
    """What the metrics are shares of: examples, targets found, candidates and how they were reached."""
    total = {
        "examples": len(rankings),
        "found": int((ranks.honest > 0).sum()),
        "short": short_rows(rankings, max(at)),
    }
    if rankings.candidates.any():
        total["candidates"] = int(rankings.candidates.sum())
        total["invalid"] = int(rankings.invalid.sum())
        for k, counted in validity_counts(rankings, at):
            total.update({f"{name}@{k}": value for name, value in counted.items()})
    return total
