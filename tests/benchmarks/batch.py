"""Recommending to all users of Amazon Beauty from an open run, against one call a user and against RecTools.

    python -m tests.benchmarks.batch --quick              # 2,000 users
    python -m tests.benchmarks.batch --json batch.json    # all 22,363

Contestants, ten items for each user without what the user has had:

- `recommend_users`: a quarter of them a call, written to Parquet in batches of 1,024;
- `one call a user`: `run.recommend(users=[user])` for a sample, in turn with those calls, on the same run;
- `opened for each user`: `genrec.open(run)` and one question, as a script that is called for a user does;
- `RecTools SASRec`: `SASRecModel.recommend` for the same users in the same minutes, where `RECTOOLS_PYTHON`
  names an interpreter that has `rectools[torch]`; 128 factors and 2 blocks like ours. It scores every item
  by one vector, where ours writes identifiers of four tokens by 20 beams.

The model is `core/tiny-causal` of default size over identifiers of three levels of 256 codes and a suffix,
trained for a few steps: speed does not depend on weights. `memory` is the resident set of the process
after the first 1,024 users and after all, and the highest until then.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import genrec_core as genrec
from genrec_core.api.histories import Histories
from tests.benchmarks.measuring import argument_parser, machine, ratio, write

BEAUTY = Path(__file__).resolve().parents[3] / "shared" / "data" / "amazon-beauty"
K, SINGLE, FEW, QUICK, TURNS, ANEW = 10, 25, 1_024, 2_000, 4, 3
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
    """Users a second by one call and by one call a user, taking turns; and the highest memory on the way."""
    some = np.random.default_rng(1).permutation(len(users))[:SINGLE].tolist()
    rates: dict[str, list[float]] = {"one call a user": [], "recommend_users": []}

    def singly() -> None:
        begin = time.perf_counter()
        for user in some:
            run.recommend(users=[users[user]], k=K, exclude_viewed=True, fields=())
        rates["one call a user"].append(len(some) / (time.perf_counter() - begin))

    singly()  # what is compiled at first is compiled now
    rates["one call a user"].clear()
    run.recommend_users(users[:FEW], K, out=home / "few.parquet", exclude_viewed=True)
    memory = {FEW: _memory()}
    share = -(-len(users) // TURNS)
    for turn in range(TURNS):
        singly()
        part = users[turn * share : (turn + 1) * share]
        begin = time.perf_counter()
        written = run.recommend_users(part, K, out=home / f"{turn}.parquet", exclude_viewed=True)
        rates["recommend_users"].append(len(part) / (time.perf_counter() - begin))
        assert written.rows == K * len(part), written
    memory[len(users)] = _memory()
    rates["opened for each user"] = [_opened(run.folder, user) for user in users[:ANEW]]
    return {**{name: float(np.median(found)) for name, found in rates.items()}, "memory": memory}


def _opened(folder: Path, user: str) -> float:
    """Users a second where the run is opened for one question."""
    begin = time.perf_counter()
    with genrec.open(folder) as run:
        run.recommend(users=[user], k=K, exclude_viewed=True, fields=())
    return 1 / (time.perf_counter() - begin)


def _memory() -> dict[str, float]:
    """Resident set of this process in MB: now, and the highest so far, which the longest histories make."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"now": pages * resource.getpagesize() / 2**20, "highest": highest}


def rectools(run: Any, users: list[str], home: Path) -> float | None:
    """Users a second of RecTools' SASRec, by an interpreter of its own."""
    python = os.environ.get("RECTOOLS_PYTHON")
    if not python:
        return None
    histories = Histories(run.reader.prepared.views)
    rows = [list(map(int, histories.of(user))) for user in users]
    file = home / "rows.json"
    file.write_text(json.dumps(rows))
    script = Path(__file__).with_name("rectools_recommend.py")
    command = [python, str(script), str(file), str(K), "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:])
        return None
    return len(users) / float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def main() -> None:
    """Measure, print, write."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--run", type=Path, help="a run of Beauty to ask, instead of making one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        if options.run:
            run = genrec.open(options.run)
        else:
            run = genrec.run(pipeline(), store=home / "store", runs=home / "runs")
        users = list(run.users)[: QUICK if options.quick else None]
        found = measured(run, users, home)
        theirs = rectools(run, users, home)
    many, singly = found["recommend_users"], found["one call a user"]
    few, all_users = found["memory"].values()
    ratios = {
        "recommend_users": ratio(many / singly, "one call a user", GOAL),
        "from an open run": ratio(many / found["opened for each user"], "a run opened for each user"),
        "memory": ratio(all_users["now"] / few["now"], f"{FEW:,} users"),
    }
    print(
        f"{len(users):,} users: {many:.1f} users a second by recommend_users, {singly:.2f} one by one: "
        f"{many / singly:.1f}x (goal {GOAL:.0f}x)"
    )
    print(f"a run opened for each user: {found['opened for each user']:.2f} users a second")
    if theirs:
        ratios["against RecTools"] = ratio(many / theirs, "RecTools SASRec recommend")
        print(f"RecTools' SASRec: {theirs:.1f} users a second; ours {many / theirs:.3f}x")
    for count, one in found["memory"].items():
        print(
            f"memory after {count:,} users: {one['now']:.0f} MB, at most {one['highest']:.0f} MB on the way"
        )
    print(machine())
    write(options.json, ratios, [{"users": len(users), **found, "rectools": theirs}])


if __name__ == "__main__":
    main()
