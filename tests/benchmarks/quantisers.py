"""Clustering for semantic IDs: balanced k-means against min-cost flow, plain and residual against libraries.

    python -m tests.benchmarks.quantisers --quick
    EMBEDDINGS=beauty.npy OMP_NUM_THREADS=2 python -m tests.benchmarks.quantisers --json quantisers.json

Contestants that are not installed (`pip install k-means-constrained faiss-cpu scikit-learn`) are named and
left out; they are no dependencies of ours. Points are synthetic, 12,101 of them unless `EMBEDDINGS` names a
NumPy file of real vectors (float32 [N, d]).

The flow makes at most `FLOW_UPDATES` updates; ours 2, 4, and as many as it wants up to the same number.
Ratios are of processor time, which neighbours on a shared machine stretch less than time by the wall. Scaling
is ours alone.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import torch
from genrec_plugin_sid.balanced import balanced_kmeans
from genrec_plugin_sid.kmeans import kmeans
from genrec_plugin_sid.quantiser import unexplained
from genrec_plugin_sid.residual import fit_levels
from numpy.typing import NDArray

from tests.benchmarks.measuring import arguments, machine, ratio, write

K, UPDATES, FLOW_UPDATES = 256, 20, 100
BALANCED = {"2 updates": 2, "4 updates": 4, "to the end": FLOW_UPDATES}
"""How long ours may improve balanced clusters."""
Points = NDArray[np.float32]
Rows = list[dict[str, Any]]


def blobs(count: int, width: int, seed: int = 0) -> Points:
    """Points around 80 centres, a tenth of them nowhere in particular: float32 [count, width]."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(80, width)).astype(np.float32)
    points = np.empty((count, width), dtype=np.float32)
    for start in range(0, count, 65_536):
        part = points[start : start + 65_536]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= np.float32(0.7)
        part += centres[rng.integers(0, 80, len(part))] * (rng.random((len(part), 1)) < 0.9)
    return points


def timed(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a call gives, its seconds by the wall, and its processor seconds."""
    wall, busy = time.perf_counter(), time.process_time()
    return run(), time.perf_counter() - wall, time.process_time() - busy


def found(package: str) -> bool:
    """Whether a contestant is installed; says so if not."""
    there = importlib.util.find_spec(package) is not None
    if not there:
        print(f"{package} is not installed: left out")
    return there


def sizes(codes: NDArray[Any]) -> list[int]:
    """The different sizes of clusters."""
    return sorted(set(np.bincount(codes, minlength=K).tolist()))


def against_flow(label: str, points: Points, updates: int, rows: Rows) -> dict[str, Any]:
    """Balanced k-means, after a few updates and to its end, and k-means-constrained on the same points."""
    name = f"balanced {label} {len(points):,} × {points.shape[1]}"

    def row(who: str, error: float, made: int, codes: NDArray[Any], wall: float, busy: float) -> float:
        rows.append({"what": name, "who": who, "error": error, "updates": made, "sizes": sizes(codes)})
        rows[-1] |= {"seconds": wall, "busy": busy}
        print(rows[-1], flush=True)
        return busy

    ours = {}
    for who, most in BALANCED.items():
        fit = partial(balanced_kmeans, torch.from_numpy(points), K, np.random.default_rng(1), iterations=most)
        clusters, wall, busy = timed(fit)
        ours[who] = (
            clusters.error,
            row(who, clusters.error, clusters.iterations, clusters.codes.numpy(), wall, busy),
        )
    if not found("k_means_constrained"):
        return {}
    from k_means_constrained import KMeansConstrained

    least, most = len(points) // K, -(-len(points) // K)
    flow = KMeansConstrained(K, least, most, n_init=1, max_iter=updates, tol=1e-7, random_state=0, n_jobs=1)
    theirs, wall, spent = timed(lambda: flow.fit(points))
    row("k-means-constrained", float(theirs.inertia_), int(theirs.n_iter_), theirs.labels_, wall, spent)
    against = f"k-means-constrained, {theirs.n_iter_} updates"
    ratios = {}
    for who, (error, busy) in ours.items():
        ratios[f"{name}, {who}: error"] = ratio(error / theirs.inertia_, against, 1.02)
        ratios[f"{name}, {who}: speed"] = ratio(spent / busy, against, 20.0)
    return ratios


def plain_contestants(points: Points) -> dict[str, Callable[[], float]]:
    """K-means with the same number of updates; each call gives the error."""
    tensor = torch.from_numpy(points)
    ran: dict[str, Callable[[], float]] = {
        "ours": lambda: kmeans(tensor, K, np.random.default_rng(1), iterations=UPDATES, tolerance=0).error
    }
    if found("faiss"):
        import faiss

        def with_faiss() -> float:
            plain = faiss.Kmeans(points.shape[1], K, niter=UPDATES, seed=1, max_points_per_centroid=10**9)
            plain.train(points)
            return float(plain.index.search(points, 1)[0].sum())

        ran["faiss.Kmeans"] = with_faiss
    if found("sklearn"):
        from sklearn.cluster import KMeans

        ran["scikit-learn KMeans"] = lambda: float(
            KMeans(K, n_init=1, max_iter=UPDATES, tol=0, random_state=1).fit(points).inertia_
        )
    return ran


def residual_contestants(points: Points) -> dict[str, Callable[[], float]]:
    """Three levels of residual codes; each call gives the share of the variance left unexplained."""
    centred = points - points.mean(axis=0)

    def ours() -> float:
        codebooks, codes = fit_levels(
            centred,
            3,
            lambda residuals, level: kmeans(residuals, K, np.random.default_rng(level), iterations=UPDATES),
        )
        return float(unexplained(centred, codebooks, codes)[-1])

    ran: dict[str, Callable[[], float]] = {"ours": ours}
    if found("faiss"):
        import faiss

        def with_faiss(beam: int) -> float:
            quantiser = faiss.ResidualQuantizer(points.shape[1], 3, 8)
            quantiser.max_beam_size = beam
            quantiser.cp.niter = UPDATES
            quantiser.train(centred)
            rest = centred - quantiser.decode(quantiser.compute_codes(centred))
            return float(np.square(rest, dtype=np.float64).sum() / np.square(centred, dtype=np.float64).sum())

        ran["faiss ResidualQuantizer, greedy"] = lambda: with_faiss(1)
        ran["faiss ResidualQuantizer, beam 5"] = lambda: with_faiss(5)
    return ran


def compare(
    name: str, contestants: dict[str, Callable[[], float]], repeats: int, rows: Rows
) -> dict[str, Any]:
    """Processor seconds and distortion of contestants that take turns; ours is the first."""
    errors: dict[str, float] = {}
    spent: dict[str, list[float]] = {who: [] for who in contestants}
    for _ in range(repeats):
        for who, run in contestants.items():
            errors[who], _, busy = timed(run)
            spent[who].append(busy)
    seconds = {who: statistics.median(times) for who, times in spent.items()}
    for who in contestants:
        rows.append({"what": name, "who": who, "busy": seconds[who], "distortion": errors[who]})
        print(rows[-1], flush=True)
    ratios = {}
    for who in list(contestants)[1:]:
        ratios[f"{name} distortion, {who}"] = ratio(errors["ours"] / errors[who], who)
        ratios[f"{name} speed, {who}"] = ratio(seconds[who] / seconds["ours"], who)
    return ratios


def scaling(counts: list[int], updates: int, rows: Rows) -> dict[str, Any]:
    """Time of the balanced form as points grow, updates being the same, and the process's peak memory."""
    per_point = []
    for count in counts:
        points = torch.from_numpy(blobs(count, 384))
        fit = partial(balanced_kmeans, points, K, np.random.default_rng(1), iterations=updates)
        clusters, wall, busy = timed(fit)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        row = {"what": f"balanced {count:,} × 384", "updates": clusters.iterations, "seconds": wall}
        row |= {"busy": busy, "sizes": sizes(clusters.codes.numpy())}
        rows.append(row | {"peak GB": peak, "of which points GB": points.numel() * 4 / 1e9})
        per_point.append(busy / count)
        print(rows[-1], flush=True)
    name = f"growth {counts[0]:,} → {counts[-1]:,}"
    return {name: ratio(per_point[-1] / per_point[0], "linear growth", 1.2)}


def main() -> None:
    """Print a line a measurement."""
    options = arguments(__doc__ or "")
    rows: Rows = []
    print(machine())
    count, width, repeats = (3_685, 64, 1) if options.quick else (12_101, 384, 3)
    label, points = "blobs", blobs(count, width)
    if "EMBEDDINGS" in os.environ and not options.quick:
        label, points = "embeddings", np.load(os.environ["EMBEDDINGS"], allow_pickle=False)
    ratios = against_flow("blobs", blobs(3_685, width), 5 if options.quick else FLOW_UPDATES, rows)
    if not options.quick:
        ratios |= against_flow(label, points, FLOW_UPDATES, rows)
    ratios |= compare(f"plain {label}", plain_contestants(points), repeats, rows)
    ratios |= compare(f"residual {label}", residual_contestants(points), 1, rows)
    ratios |= scaling([20_000, 50_000] if options.quick else [100_000, 1_000_000], 2, rows)
    for name, value in ratios.items():
        print(f"{name}: {value['value']} against {value['against']} (goal {value['goal']})")
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
