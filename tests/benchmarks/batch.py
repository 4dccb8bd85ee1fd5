"""Recommending to all users of Amazon Beauty from an open run, against one call a user and against RecTools.

    python -m tests.benchmarks.batch --quick              # 2,000 users
    python -m tests.benchmarks.batch --json batch.json    # all 22,363

Contestants, ten items for each user without what the user has had:

- `recommend_users`: one call, written to a Parquet file in batches of 1,024;
- `one call a user`: `run.recommend(users=[user])`, the same run open all the while, on a sample of users;
- `RecTools SASRec`: `SASRecModel.recommend` for the same users in the same minutes, where `RECTOOLS_PYTHON`
  names an interpreter that has `rectools[torch]`; 128 factors and 2 blocks like ours. It scores every item
  by one vector, where ours writes identifiers of four tokens by 20 beams.

The model is `core/tiny-causal` of default size over identifiers of three levels of 256 codes and a suffix,
trained for a few steps: speed does not depend on weights. `memory` is the highest resident set of a fresh
process that does nothing else than open the run and write that many users' recommendations.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import genrec_core as genrec
from tests.benchmarks.measuring import argument_parser, machine, ratio, write

BEAUTY = Path(__file__).resolve().parents[3] / "shared" / "data" / "amazon-beauty"
K, SINGLE, QUICK, REPEATS = 10, 100, 2_000, 3
GOAL = 20.0


def pipeline() -> dict[str, Any]:
    """The run that is asked."""
    return {
        "genrec": 1,
        "name": "batch",
        "seed": 7,
        "data": {"source": {"use": "core/folder", "path": str(BEAUTY)}},
        "tokenizer": {"use": "sid/rq-kmeans", "encoder": "core/ngrams", "levels": 3, "codes": 256},
        "train": {
            "sft": {"use": "core/sft", "corpora": [{"use": "core/next-item", "each": "user"}], "max_steps": 5}
        },
        "recommend": {"use": "core/beam", "beams": 20},
        "evaluate": {"baselines": [], "valid": False, "resamples": 0},
    }


def measured(run: Any, users: list[str], home: Path) -> dict[str, Any]:
    """Users a second by one call and by one call a user, taking turns."""
    some = np.random.default_rng(1).permutation(len(users))[:SINGLE]
    run.recommend(users=users[:2], k=K, exclude_viewed=True)  # what is compiled at first is compiled now
    rates: dict[str, list[float]] = {"recommend_users": [], "one call a user": []}
    for repeat in range(REPEATS):
        begin = time.perf_counter()
        for user in some:
            run.recommend(users=[users[user]], k=K, exclude_viewed=True, fields=())
        rates["one call a user"].append(len(some) / (time.perf_counter() - begin))
        if repeat == 0 or len(users) <= QUICK:
            begin = time.perf_counter()
            out = home / f"recs-{repeat}.parquet"
            written = run.recommend_users(users, K, out=out, exclude_viewed=True)
            assert written.rows == K * len(users), written
            rates["recommend_users"].append(len(users) / (time.perf_counter() - begin))
    return {name: float(np.median(found)) for name, found in rates.items()}


def rectools(run: Any, users: list[str], home: Path) -> float | None:
    """Users a second of RecTools' SASRec, by an interpreter of its own."""
    python = os.environ.get("RECTOOLS_PYTHON")
    if not python:
        return None
    rows = [list(map(int, run._answering.histories.of(user))) for user in users]
    file = home / "rows.json"
    file.write_text(json.dumps(rows))
    script = Path(__file__).with_name("rectools_recommend.py")
    command = [python, str(script), str(file), str(K), "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:])
        return None
    return len(users) / float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def memory(folder: Path, users: int, home: Path) -> float:
    """Highest resident set in MB of a process that writes recommendations for so many users."""
    code = (
        "import sys, resource, genrec_core as g\n"
        "run = g.open(sys.argv[1]); users = list(run.users)[: int(sys.argv[2])]\n"
        f"run.recommend_users(users, {K}, out=sys.argv[3], exclude_viewed=True)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, str(folder), str(users), str(home / f"memory-{users}.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Measure, print, write."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--home", type=Path, help="keep run and store here, and use them again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = options.home or Path(scratch)
        changes = {"data.split": {"use": "core/leave-one-out"}}
        run = genrec.run(pipeline(), changes, store=home / "store", runs=home / "runs")
        users = list(run.users)[: QUICK if options.quick else None]
        with tempfile.TemporaryDirectory() as files:
            rates = measured(run, users, Path(files))
            theirs = rectools(run, users, Path(files))
            peaks = {count: memory(run.folder, count, Path(files)) for count in (1_024, len(users))}
    gain = rates["recommend_users"] / rates["one call a user"]
    ratios = {"recommend_users": ratio(gain, "one call a user", GOAL)}
    print(
        f"{len(users):,} users: {rates['recommend_users']:.1f} users a second in one call, "
        f"{rates['one call a user']:.2f} by one call a user: {gain:.1f}x (goal {GOAL:.0f}x)"
    )
    if theirs:
        ratios["against RecTools"] = ratio(rates["recommend_users"] / theirs, "RecTools SASRec recommend")
        print(f"RecTools' SASRec: {theirs:.1f} users a second")
    few, many = peaks.values()
    ratios["memory"] = ratio(many / few, "1,024 users", 1.05)
    print(f"memory: {few:.0f} MB for 1,024 users, {many:.0f} MB for {len(users):,}")
    print(machine(), f"this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    write(options.json, ratios, [{"users": len(users), **rates, "rectools": theirs, "memory": peaks}])


if __name__ == "__main__":
    main()
