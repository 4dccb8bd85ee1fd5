"""Assignment of points to clusters within bounds on sizes, nearly the cheapest.

The exact assignment is a min-cost flow, which takes seconds at ten thousand points and does not scale. Here
it is solved as a market:

1. *Prices.* Each cluster asks a price, each point goes where distance plus price is least, prices of crowded
   clusters rise and those of empty ones fall. At the right prices the cheapest choice is balanced, which
   is the dual of the flow problem.
2. *Rounding.* What is still over its bound gives up the points that lose least by moving, to clusters with
   room; what is still under takes the points that lose least by coming.
3. *Exchange.* As long as two clusters gain by swapping a point each, they do.

A point looks at its nearest `CANDIDATES` clusters only, so a step costs N × m, not N × K; the few points
that none of those can take look at all of them.

    points 0, 1, 2, 9, centroids 1 and 9, sizes 2 and 2 → {0, 1} and {2, 9}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from genrec_plugin_sid.clusters import CHUNK

CANDIDATES = 32
"""Nearest clusters that a point considers."""

PRICE_STEPS = 16
"""Price changes an assignment; a caller that iterates hands prices on, so that each refines the last."""

EXCHANGES = 60
"""Most rounds of swaps an assignment."""


@dataclass(frozen=True)
class Bounds:
    """Sizes a clustering must have: each cluster `least` points or one more, `larger` of them one more."""

    least: int
    larger: int

    @classmethod
    def even(cls, points: int, k: int) -> Bounds:
        """As even as it can be."""
        return cls(points // k, points % k)

    @property
    def most(self) -> int:
        """The largest size a cluster may have."""
        return self.least + (1 if self.larger else 0)


@dataclass(frozen=True)
class Market:
    """What every point pays at its candidate clusters.

    Attributes:
        clusters: int64 [N, m], candidate clusters of each point, nearest first.
        costs: float32 [N, m], squared distance to each, without the point's own norm.
        all_costs: the same for any points and any clusters: (int64 [n], int64 [c]) → float32 [n, c].
        size: K.
    """

    clusters: Tensor
    costs: Tensor
    all_costs: Callable[[Tensor, Tensor], Tensor]
    size: int

    @classmethod
    def of(cls, points: Tensor, centroids: Tensor) -> Market:
        """The market of these centroids."""
        norms = centroids.square().sum(1)

        def all_costs(which: Tensor, clusters: Tensor) -> Tensor:
            return torch.addmm(norms[clusters], points[which], centroids[clusters].T, alpha=-2)

        width, every = min(CANDIDATES, len(centroids)), torch.arange(len(centroids), device=points.device)
        costs, clusters = [], []
        for start in range(0, len(points), CHUNK):
            chunk = torch.arange(start, min(start + CHUNK, len(points)), device=points.device)
            nearest = all_costs(chunk, every).topk(width, dim=1, largest=False)
            costs.append(nearest.values)
            clusters.append(nearest.indices)
        return cls(torch.cat(clusters), torch.cat(costs), all_costs, len(centroids))


def assign(market: Market, bounds: Bounds, prices: Tensor) -> tuple[Tensor, Tensor]:
    """Codes int64 [N] within the bounds, nearly the cheapest, and the prices found on the way."""
    prices = _balancing_prices(market, bounds, prices)
    codes = market.clusters.gather(1, (market.costs + prices[market.clusters]).argmin(1, keepdim=True))[:, 0]
    for _ in range(market.size):
        if not _relieve_one_round(codes, market, bounds, prices):
            break
    while _fill_one_round(codes, market, bounds):
        pass
    for _ in range(EXCHANGES):
        if not _exchange(codes, market, bounds):
            break
    return codes, prices


def _balancing_prices(market: Market, bounds: Bounds, prices: Tensor) -> Tensor:
    """Prices at which demand nearly meets supply; of all tried, those with the least overflow."""
    scale = float((market.costs[:, -1] - market.costs[:, 0]).mean()) / 4 or 1.0
    target = len(market.costs) / market.size
    least, kept = len(market.costs) + 1, prices
    for step in range(PRICE_STEPS):
        choice = market.clusters.gather(1, (market.costs + prices[market.clusters]).argmin(1, keepdim=True))
        sizes = torch.bincount(choice[:, 0], minlength=market.size)
        over = int((sizes - bounds.most).clamp(min=0).sum())
        if over < least:
            least, kept = over, prices
        if not over:
            break
        change = (sizes / target - 1).clamp(-1, 2)
        prices = prices + scale * change / (1 + step / 8)
    return kept


def _relieve_one_round(codes: Tensor, market: Market, bounds: Bounds, prices: Tensor) -> bool:
    """Move points out of clusters above their bound, in place; whether any still is."""
    sizes = torch.bincount(codes, minlength=market.size)
    if not bool((sizes > bounds.most).any()):
        return False
    crowded = (sizes > bounds.most)[codes].nonzero()[:, 0]
    room = sizes < bounds.most
    costs = torch.where(room[market.clusters[crowded]], market.costs[crowded], torch.inf)
    best, place = costs.min(1)
    goal = market.clusters[crowded].gather(1, place[:, None])[:, 0]
    stuck = best.isinf()
    if bool(stuck.all()):
        roomy = room.nonzero()[:, 0]
        best, place = market.all_costs(crowded, roomy).min(1)
        goal, stuck = roomy[place], torch.zeros_like(stuck)
    loss = best - _current(codes, crowded, market)
    order = torch.argsort(loss.masked_fill(stuck, torch.inf), stable=True)
    order = order[: int((~stuck).sum())]
    # The cheapest movers go first, as many as their cluster must lose and their goal can take.
    leaving = _rank_within(codes[crowded[order]]) < (sizes - bounds.most)[codes[crowded[order]]]
    order = order[leaving]
    taken = _rank_within(goal[order]) < (bounds.most - sizes)[goal[order]]
    codes[crowded[order[taken]]] = goal[order[taken]]
    return True


def _fill_one_round(codes: Tensor, market: Market, bounds: Bounds) -> bool:
    """Bring points to clusters below their bound, in place; whether any still is."""
    sizes = torch.bincount(codes, minlength=market.size)
    short = (sizes < bounds.least).nonzero()[:, 0]
    if not len(short):
        return False
    givers = (sizes > bounds.least)[codes].nonzero()[:, 0]
    losses = market.all_costs(givers, short) - _current(codes, givers, market)[:, None]
    loss, goal = losses.min(1)
    order = torch.argsort(loss, stable=True)
    order = order[_rank_within(codes[givers[order]]) < (sizes - bounds.least)[codes[givers[order]]]]
    taken = _rank_within(goal[order]) < (bounds.least - sizes)[short][goal[order]]
    codes[givers[order[taken]]] = short[goal[order[taken]]]
    return True


def _exchange(codes: Tensor, market: Market, bounds: Bounds) -> bool:
    """Swap points between clusters, or move one where sizes allow, in place; whether any did."""
    size, everyone = market.size, torch.arange(len(codes), device=codes.device)
    gains = (market.costs - _current(codes, everyone, market)[:, None]).reshape(-1)
    lanes = (codes[:, None] * size + market.clusters).reshape(-1)
    cheapest = torch.full((size**2,), torch.inf, device=codes.device, dtype=gains.dtype)
    cheapest.scatter_reduce_(0, lanes, gains, "amin")
    along = _disjoint_lanes(
        cheapest.reshape(size, size), torch.bincount(codes, minlength=size), bounds, market
    )
    if not len(along):
        return False
    on_lane = (gains == cheapest[lanes]).nonzero()[:, 0]
    mover = torch.full((size**2,), len(codes), dtype=torch.long, device=codes.device)
    # The lowest point wins a tie, in whatever order a device writes.
    mover.scatter_reduce_(0, lanes[on_lane], on_lane // market.clusters.shape[1], "amin")
    codes[mover[along]] = along % size
    return True


def _disjoint_lanes(gains: Tensor, sizes: Tensor, bounds: Bounds, market: Market) -> Tensor:
    """The best swaps and moves that touch no cluster twice, as lanes from × K + to; int64 [n].

    `gains` [K, K] is what the best point of each cluster changes in cost by going to each other cluster. A
    move alone is allowed from a larger cluster to a smaller one: it exchanges their sizes.
    """
    worthwhile = -1e-6 * float(market.costs.abs().mean())
    swaps = (gains + gains.T).triu(1)
    free = (sizes > bounds.least)[:, None] & (sizes < bounds.most)[None]
    moves = torch.where(free, gains, 0.0).fill_diagonal_(0.0)
    where_swap, where_move = (swaps < worthwhile).nonzero(), (moves < worthwhile).nonzero()
    values = torch.cat([swaps[tuple(where_swap.T)], moves[tuple(where_move.T)]])
    order = torch.argsort(values, stable=True)
    ends = torch.cat([where_swap, where_move])[order].tolist()
    alone = (order >= len(where_swap)).tolist()
    used: set[int] = set()
    chosen = []
    for (first, second), single in zip(ends, alone, strict=True):
        if first in used or second in used:
            continue
        used |= {first, second}
        chosen += [first * market.size + second] + ([] if single else [second * market.size + first])
    return torch.tensor(chosen, dtype=torch.long, device=gains.device)


def _current(codes: Tensor, which: Tensor, market: Market) -> Tensor:
    """What each of `which` pays where it is."""
    here = market.clusters[which] == codes[which][:, None]
    costs = torch.where(here, market.costs[which], torch.inf).min(1).values
    far = costs.isinf().nonzero()[:, 0]
    if len(far):
        homes, place = torch.unique(codes[which[far]], return_inverse=True)
        costs[far] = market.all_costs(which[far], homes).gather(1, place[:, None])[:, 0]
    return costs


def _rank_within(groups: Tensor) -> Tensor:
    """For each entry, how many earlier ones belong to the same group."""
    order = torch.argsort(groups, stable=True)
    ordered = groups[order]
    starts = torch.searchsorted(ordered, ordered)
    ranks = torch.empty_like(groups)
    ranks[order] = torch.arange(len(groups), device=groups.device) - starts
    return ranks
