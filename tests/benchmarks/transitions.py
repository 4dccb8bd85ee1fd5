"""`core/transitions`: figures on real data, directed and symmetric, ties as filed and drawn; a million items.

    python -m tests.benchmarks.transitions                    # Amazon Beauty, validation and test
    python -m tests.benchmarks.transitions --data FOLDER      # another data folder
    python -m tests.benchmarks.transitions --million          # 1,000,000 items, 20,000,000 events
    python -m tests.benchmarks.transitions --json FILE

Recall@10 and NDCG@10 of every item as a candidate, viewed items kept and filtered (`without_viewed`). Choices
are made by the validation figures; test figures stand beside them with `--test` only.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genrec_core.builtin.explicit_rows import ExplicitRows
from genrec_core.builtin.folder import Folder
from genrec_core.builtin.item_knn import ItemKNN
from genrec_core.builtin.leave_one_out import LeaveOneOut
from genrec_core.builtin.popular import Popular
from genrec_core.builtin.transitions import Transitions
from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request, Training, View
from genrec_core.data.prepared import Prepared, prepare
from genrec_core.evaluation.metrics import accuracy, ranks_of
from genrec_core.evaluation.rankings import Rankings, depth_needed, without_viewed
from tests.benchmarks.measuring import machine, write

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
DEEPEST = 10
VARIANTS: dict[str, dict[str, Any]] = {
    "directed": {},
    "directed, counts alone": {"text": None},
    "symmetric share .1": {"symmetric": 0.1},
    "symmetric": {"symmetric": 1.0},
    "window 5": {"window": 5},
    "window 20": {"window": 20},
    "recency .4": {"recency": 0.4},
    "recency .5": {"recency": 0.5},
    "text recency .5": {"text": {"recency": 0.5}},
    "text weight .5": {"text": {"weight": 0.5}},
    "text weight 1": {"text": {"weight": 1.0}},
    "text weight 2": {"text": {"weight": 2.0}},
    "repeats counted": {"repeats": "counted"},
    "repeats counted, text weight 1": {"repeats": "counted", "text": {"weight": 1.0}},
    "recency .7": {"recency": 0.7},
    "recency .8, text .8": {"recency": 0.8, "text": {"recency": 0.8}},
    "recency .7, symmetric .25": {"recency": 0.7, "symmetric": 0.25},
}


def figures(session: Any, view: View) -> dict[str, float]:
    """Recall and NDCG at 10, kept and filtered, of an open baseline on the rows of a view."""
    width = depth_needed(DEEPEST, view.rows, filter_viewed=True)
    rankings = Rankings.of(session.rank(list(view.requests()), min(width, session.items)), width)
    found: dict[str, float] = {}
    for name, kept in (("kept", rankings), ("filtered", without_viewed(rankings, view.rows))):
        ranks = ranks_of(kept, view.targets).within(DEEPEST).honest
        found |= {f"{metric} {name}": value for metric, value in accuracy(ranks, (DEEPEST,)).items()}
    return found


def measured(name: str, baseline: Baseline, prepared: Prepared, views: tuple[str, ...]) -> dict[str, Any]:
    """Fit, and the figures of some views, in a row of the report."""
    begin = time.perf_counter()
    training = Training(prepared.views.train, prepared.views.valid)
    state = baseline.fit(prepared.items, training, Context())
    fitted = time.perf_counter() - begin
    row: dict[str, Any] = {"variant": name, "fit_seconds": fitted}
    with baseline.open(state, prepared.items, Context()) as session:
        for view in views:
            row[view] = figures(session, getattr(prepared.views, view))
    row["seconds"] = time.perf_counter() - begin
    shown = "  ".join(f"{view} {_shown(row[view])}" for view in views)
    print(f"{name:26} {shown}  fit {fitted:.1f} s, all {row['seconds']:.1f} s", flush=True)
    return row


def _shown(found: Mapping[str, float]) -> str:
    pairs = ((found[f"recall@10 {kind}"], found[f"ndcg@10 {kind}"]) for kind in ("kept", "filtered"))
    return " ".join(f"{recall:.4f}/{ndcg:.4f}" for recall, ndcg in pairs)


def million() -> dict[str, Any]:
    """Time and peak memory of a made-up catalogue: 1,000,000 items, 20,000,000 events, 2,000,000 users.

    Items are drawn by a Zipf-like popularity; half of all steps go to one of four successors of the item.
    """
    users, length, items = 2_000_000, 10, 1_000_000
    generator = np.random.default_rng(0)
    weight = np.cumsum(1.0 / (np.arange(items) + 100.0))
    walk = np.empty((users, length), dtype=np.int32)
    for step in range(length):
        fresh = np.searchsorted(weight, generator.random(users) * weight[-1]).astype(np.int32)
        following = (walk[:, step - 1] * 7 + generator.integers(1, 5, users)) % items if step else fresh
        walk[:, step] = np.where(generator.random(users) < 0.5, fresh, following)
    rows = Sequences(walk.reshape(-1), np.arange(0, users * length + 1, length, dtype=np.int64))
    words = generator.integers(0, 50_000, (items, 6))
    catalogue = Items(
        tuple(f"i{item}" for item in range(items)), {"title": [" ".join(map(str, row)) for row in words]}
    )
    train = View("train", tuple(map(str, range(users))), rows, None, 20)
    none = replace(train, name="valid", users=(), rows=Sequences.of([]), targets=np.zeros(0, dtype=np.int32))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    begin = time.perf_counter()
    baseline = Transitions()
    state = baseline.fit(catalogue, Training(train, none), Context())
    fitted = time.perf_counter() - begin
    asked = [Request(f"r{row}", tuple(walk[row].tolist())) for row in range(1000)]
    with baseline.open(state, catalogue, Context()) as session:
        opened = time.perf_counter()
        done = sum(1 for _ in session.rank(asked, 10))
        ranked = time.perf_counter() - opened
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    size = sum(array.nbytes for array in state.values()) / 2**30
    print(f"1,000,000 items, 20,000,000 events: fit {fitted:.0f} s, {done / ranked:.0f} requests a second")
    print(f"peak {peak:.1f} GB, of which the data {before:.1f} GB; what was learnt {size:.2f} GB")
    return {
        "variant": "million",
        "fit_seconds": fitted,
        "requests_per_second": done / ranked,
        "peak_gb": peak,
        "data_gb": before,
        "state_gb": size,
    }


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=SHARED / "amazon-beauty", help="data folder")
    parser.add_argument("--rows", action="store_true", help="the folder's own validation and test rows")
    parser.add_argument("--history", type=int, default=50, help="max_history")
    parser.add_argument("--test", action="store_true", help="test figures too")
    parser.add_argument("--only", default="", help="variants whose name contains this")
    parser.add_argument("--million", action="store_true", help="the large made-up catalogue instead")
    parser.add_argument("--quick", action="store_true", help="the first variant alone")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    print(machine())
    if options.million:
        write(options.json, {}, [million()])
        return
    split = ExplicitRows() if options.rows else LeaveOneOut()
    prepared = prepare(Folder(path=options.data), split, options.history, Context())
    names = [name for name in VARIANTS if options.only in name][: 1 if options.quick else None]
    views = ("valid", "test") if options.test else ("valid",)
    others = {"core/popular": Popular(), "core/item-knn": ItemKNN()}
    rows = [measured(name, one, prepared, views) for name, one in others.items() if not options.only]
    rows += [measured(name, Transitions(**VARIANTS[name]), prepared, views) for name in names]
    write(options.json, {}, rows)


if __name__ == "__main__":
    main()
