"""Clustering for semantic IDs: balanced k-means against min-cost flow, plain k-means against faiss.

    python -m tests.benchmarks.quantisers --quick
    python -m tests.benchmarks.quantisers --json quantisers.json

Contestants that are not installed (`pip install k-means-constrained faiss-cpu`) are named and left out; they
are no dependencies of ours. Balanced clusterings are compared by their error after the same number of
updates and by seconds an update, because the flow takes minutes to converge; scaling is ours alone.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import time
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from genrec_plugin_sid.balanced import balanced_kmeans
from genrec_plugin_sid.kmeans import kmeans

from tests.benchmarks.measuring import arguments, machine, ratio, write

K = 256


def blobs(count: int, width: int, seed: int = 0) -> torch.Tensor:
    """Points around 80 centres, a tenth of them nowhere in particular: float32 [count, width]."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(80, width)).astype(np.float32)
    points = rng.standard_normal((count, width), dtype=np.float32) * np.float32(0.7)
    points += centres[rng.integers(0, 80, count)] * (rng.random((count, 1)) < 0.9)
    return torch.from_numpy(points.astype(np.float32))


def timed(run: Any) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    begin = time.perf_counter()
    return run(), time.perf_counter() - begin


def against_flow(count: int, width: int, updates: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Ours and k-means-constrained on the same points."""
    points = blobs(count, width)
    ours, seconds = timed(lambda: balanced_kmeans(points, K, np.random.default_rng(1)))
    row: dict[str, Any] = {"points": count, "width": width, "error": ours.error, "seconds": seconds}
    ratios = {}
    if importlib.util.find_spec("k_means_constrained"):
        from k_means_constrained import KMeansConstrained

        flow = KMeansConstrained(
            K,
            size_min=count // K,
            size_max=-(-count // K),
            n_init=1,
            max_iter=updates,
            random_state=0,
            n_jobs=1,
        )
        theirs, flow_seconds = timed(lambda: flow.fit(points.numpy()))
        row |= {
            "flow error": float(theirs.inertia_),
            "flow seconds": flow_seconds,
            "flow updates": theirs.n_iter_,
        }
        name = f"balanced {count} × {width}"
        ratios[f"{name} error"] = ratio(ours.error / theirs.inertia_, "k-means-constrained", 1.02)
        ratios[f"{name} speed"] = ratio(
            flow_seconds / seconds, f"k-means-constrained stopped at {theirs.n_iter_} updates", 20.0
        )
    else:
        print("k-means-constrained is not installed: left out")
    rows.append(row)
    print(row)
    return ratios


def against_faiss(count: int, width: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Plain k-means beside faiss.Kmeans, the same number of updates."""
    points = blobs(count, width)
    ours, seconds = timed(lambda: kmeans(points, K, np.random.default_rng(1), iterations=20))
    row: dict[str, Any] = {"plain points": count, "error": ours.error, "seconds": seconds}
    ratios = {}
    if importlib.util.find_spec("faiss"):
        import faiss

        plain = faiss.Kmeans(width, K, niter=20, seed=1, max_points_per_centroid=10**9)
        _, faiss_seconds = timed(lambda: plain.train(points.numpy()))
        distances, _ = plain.index.search(points.numpy(), 1)
        row |= {"faiss error": float(distances.sum()), "faiss seconds": faiss_seconds}
        ratios[f"plain {count} error"] = ratio(
            ours.error / float(distances.sum()), "faiss.Kmeans, 20 updates"
        )
        ratios[f"plain {count} speed"] = ratio(faiss_seconds / seconds, "faiss.Kmeans, 20 updates")
    else:
        print("faiss is not installed: left out")
    rows.append(row)
    print(row)
    return ratios


def scaling(counts: list[int], updates: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds an update of the balanced form as points grow, and the process's peak memory."""
    per_point = []
    for count in counts:
        points = blobs(count, 384)
        found, seconds = timed(
            lambda points=points: balanced_kmeans(points, K, np.random.default_rng(1), iterations=updates)
        )
        sizes = sorted(set(torch.bincount(found.codes, minlength=K).tolist()))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        rows.append(
            {"points": count, "updates": updates, "seconds": seconds, "sizes": sizes, "peak GB": peak}
        )
        per_point.append(seconds / count)
        print(rows[-1])
    growth = per_point[-1] / per_point[0]
    name = f"growth {counts[0]:,} → {counts[-1]:,}"
    return {name: ratio(growth, "linear growth", 1.2)}


def main() -> None:
    """Print a line a measurement."""
    options = arguments(__doc__ or "")
    rows: list[dict[str, Any]] = []
    print(machine())
    ratios = against_flow(3_685, 64 if options.quick else 384, 5, rows)
    ratios |= against_faiss(12_101, 384, rows)
    if options.quick:
        ratios |= scaling([20_000, 50_000], 3, rows)
    else:
        ratios |= against_flow(12_101, 384, 3, rows)
        ratios |= scaling([100_000, 1_000_000], 3, rows)
    for name, value in ratios.items():
        print(f"{name}: {value['value']} against {value['against']} (goal {value['goal']})")
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
