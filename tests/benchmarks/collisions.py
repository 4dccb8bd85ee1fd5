"""Collision policies: what each costs in reconstruction, and how many items it moves.

    EMBEDDINGS=beauty.npy python -m tests.benchmarks.collisions --json collisions.json

`EMBEDDINGS` names a NumPy file of item vectors (float32 [N, d]); without it points are synthetic, as with
`--quick`. They are quantised with three levels of 256, plainly and balanced, and each policy then tells the
items apart. The last contestant is LC-Rec's re-assignment, as its public code and MiniOneRec's have it: for
each bucket a Sinkhorn plan over all codes of the last level, 20 rounds, the rest left as it is.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from genrec_plugin_sid.balanced import balanced_kmeans
from genrec_plugin_sid.collisions import POLICIES
from genrec_plugin_sid.kmeans import kmeans
from genrec_plugin_sid.paths import Coded, Paths, unranked
from genrec_plugin_sid.quantiser import entries
from genrec_plugin_sid.reassignment import EPSILON, ITERATIONS, ROUNDS
from genrec_plugin_sid.residual import fit_levels
from genrec_plugin_sid.sinkhorn import sinkhorn

from tests.benchmarks.measuring import arguments, machine, ratio, write
from tests.benchmarks.quantisers import K, blobs

UPDATES = 30


def as_published(coded: Coded) -> Paths:
    """Every bucket gets last codes by a plan over all of them; who is in the way is re-assigned next."""
    last = coded.codebooks[-1]
    for _ in range(ROUNDS):
        shared, (_, bucket) = np.flatnonzero(coded.shared()), coded.buckets()
        codes = coded.codes.copy()
        for one in np.unique(bucket[shared]):
            members = shared[bucket[shared] == one]
            mine = coded.codes[members]
            residuals = coded.latents[members] - entries(coded.codebooks, mine) + last[mine[:, -1]]
            costs = np.square(residuals[:, None] - last[None]).sum(axis=2)
            plan = sinkhorn(torch.from_numpy(costs), EPSILON, ITERATIONS)
            codes[members, -1] = plan.argmax(dim=1).numpy()
        coded = replace(coded, codes=codes)
    return unranked(coded.codes)


def quantised(points: np.ndarray[Any, np.dtype[np.float32]], balanced: bool) -> Coded:
    """The points with the codes of three levels."""
    centred = points - points.mean(axis=0)
    find = balanced_kmeans if balanced else kmeans
    codebooks, codes = fit_levels(
        centred, 3, lambda rest, level: find(rest, K, np.random.default_rng([0, level]), iterations=UPDATES)
    )
    return Coded(codes, np.zeros((0, 4), dtype=np.int32), centred, codebooks)


def main() -> None:
    """Print a line a policy."""
    options = arguments(__doc__ or "")
    rows: list[dict[str, Any]] = []
    ratios: dict[str, Any] = {}
    print(machine())
    named = os.environ.get("EMBEDDINGS")
    real = named is not None and not options.quick
    points = np.load(named, allow_pickle=False) if real else blobs(4_000, 64)
    for balance in ("none", "constrained"):
        coded = quantised(points, balance == "constrained")
        variance = float(np.square(coded.latents, dtype=np.float64).sum())
        left = {"before": float(coded.gaps().sum()) / variance}
        for name, policy in [*POLICIES.items(), ("as published", as_published)]:
            paths = policy(coded)
            after = replace(coded, codes=np.ascontiguousarray(paths[:, :-1]))
            left[name] = float(after.gaps().sum()) / variance
            moved = int((after.codes != coded.codes).any(axis=1).sum())
            still = len(paths) - len(np.unique(paths, axis=0))
            row = {"balance": balance, "policy": name, "items": len(points)}
            row |= {"sharing before": int(coded.shared().sum()), "moved": moved, "identifiers short": still}
            rows.append(row | {"unexplained before": left["before"], "unexplained": left[name]})
            print(rows[-1], flush=True)
        for name in ("next-nearest", "sinkhorn"):
            lost = (left[name] - left["before"]) / max(left["as published"] - left["before"], 1e-12)
            ratios[f"{balance}, {name}: error added"] = ratio(lost, "LC-Rec's re-assignment", 1.0)
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
