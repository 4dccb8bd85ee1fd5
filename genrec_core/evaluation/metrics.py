"""Metrics: means over every test example, none left out.

With one true item per example, all accuracy metrics are functions of its rank (0 = not found):

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

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.candidates import How
from genrec_core.evaluation.rankings import Rankings
from genrec_core.evaluation.ranks import Ranks

Weights = NDArray[np.float64]
"""What a rank is worth, float64 [depth + 1]; entry 0 is the worth of a target that was not found."""


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
