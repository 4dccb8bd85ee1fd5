"""Recommending to all users of Amazon Beauty from an open run, against one call a user and against RecTools.

    python -m tests.benchmarks.batch --quick              # 2,000 users
    python -m tests.benchmarks.batch --json batch.json    # all 22,363

Contestants, ten items for each user without what the user has had:

- `recommend_users`: a quarter of them a call, written to Parquet in batches of 1,024;
- `one call a user`: `run.recommend(users=[user])` for a sample, in turn with those calls, on the same run;
- `a process a user`: `genrec recommend RUN --user ID`, as a script that is called for a user does;
- `RecTools SASRec`: `SASRecModel.recommend` for the same users in the same minutes, where `RECTOOLS_PYTHON`
  names an interpreter that has `rectools[torch]`; 128 factors and 2 blocks like ours. It scores every item
  by one vector, where ours writes identifiers by beams.

The models, each trained for a few steps because speed does not depend on weights: `token` is
`core/tiny-causal` of default size, reading histories token by token, with 20 beams over identifiers of three
levels of 256 codes and a suffix; `item` is that of examples/beauty.yaml, reading histories item by item, with
40 beams over three codes and an output row for every item.

Seconds are given twice, those of a clock and those of the processor: the second do not depend on who else
works on the machine. `memory` is the resident set of the process after the first 1,024 users and after each
quarter of all, and the highest until then.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import genrec_core as genrec
from genrec_core.api.histories import Histories
from tests.benchmarks.measuring import argument_parser, machine, ratio, write

ROOT = Path(__file__).resolve().parents[2]
BEAUTY = ROOT.parent / "shared" / "data" / "amazon-beauty"
GENREC = [sys.executable, "-c", "from genrec_core.cli import main; main()"]
K, SINGLE, FEW, QUICK, TURNS, ANEW = 10, 25, 1_024, 2_000, 4, 3
GOAL = 20.0
UNTRAINED = {
    "train.sft.max_steps": 5, "evaluate.baselines": [], "evaluate.valid": False, "evaluate.resamples": 0,
    "data.source.path": str(BEAUTY),
}  # fmt: skip
MODELS = ("token", "item")


def made(model: str, home: Path) -> Any:
    """The run that is asked."""
    places: dict[str, Any] = {"store": home / "store", "runs": home / "runs"}
    if model == "item":
        quick = {"train.sft.evaluate_every": 1000, "train.sft.valid_samples": 50, "train.sft.epochs": 1}
        return genrec.run(ROOT / "examples" / "beauty.yaml", UNTRAINED | quick | {"name": model}, **places)
    pipeline = {
        "genrec": 1,
        "name": model,
        "seed": 7,
        "data": {"source": {"use": "core/folder", "path": str(BEAUTY)}},
        "tokenizer": {"use": "sid/rq-kmeans", "encoder": "core/ngrams", "levels": 3, "codes": 256},
        "train": {"sft": {"use": "core/sft", "corpora": [{"use": "core/next-item", "each": "user"}]}},
        "recommend": {"use": "core/beam", "beams": 20},
        "evaluate": {},
    }
    return genrec.run(pipeline, UNTRAINED, **places)


class Rates:
    """Users a second of each contestant, by the clock and by the processor's time."""

    def __init__(self) -> None:
        self.found: dict[str, list[tuple[float, float]]] = {}

    @contextlib.contextmanager
    def of(self, name: str, users: int) -> Iterator[None]:
        """Time a block that recommends to some users."""
        begin = time.perf_counter(), sum(os.times()[:4])  # of this process and of those it waited for
        yield
        spent = time.perf_counter() - begin[0], max(1e-9, sum(os.times()[:4]) - begin[1])
        self.found.setdefault(name, []).append((users / spent[0], users / spent[1]))

    def median(self, name: str) -> tuple[float, float]:
        """Of the turns."""
        clock, processor = np.median(self.found[name], axis=0).tolist()
        return clock, processor


def measured(run: Any, users: list[str], home: Path) -> dict[str, Any]:
    """Users a second by one call and by one call a user, taking turns; and the highest memory on the way."""
    some = np.random.default_rng(1).permutation(len(users))[:SINGLE].tolist()
    rates = Rates()

    def singly() -> None:
        with rates.of("one call a user", len(some)):
            for user in some:
                run.recommend(users=[users[user]], k=K, exclude_viewed=True, fields=())

    singly()  # what is compiled at first is compiled now
    rates.found.clear()
    run.recommend_users(users[:FEW], K, out=home / "few.parquet", exclude_viewed=True)
    memory = {FEW: _memory()}
    share = -(-len(users) // TURNS)
    for turn in range(TURNS):
        singly()
        part = users[turn * share : (turn + 1) * share]
        with rates.of("recommend_users", len(part)):
            written = run.recommend_users(part, K, out=home / f"{turn}.parquet", exclude_viewed=True)
        assert written.rows == K * len(part), written
        memory[min((turn + 1) * share, len(users)) + FEW] = _memory()  # asked so far
    for user in users[:ANEW]:
        with rates.of("a process a user", 1):
            command = [
                *GENREC,
                "recommend",
                str(run.folder),
                "--user",
                user,
                "-k",
                str(K),
                "--exclude-viewed",
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return {**{name: rates.median(name) for name in rates.found}, "memory": memory}


def _memory() -> dict[str, float]:
    """Resident set of this process in MB: now, and the highest so far, which the longest histories make."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"now": pages * resource.getpagesize() / 2**20, "highest": highest}


def rectools(run: Any, users: list[str], home: Path) -> tuple[float, float] | None:
    """Users a second of RecTools' SASRec by clock and processor, by an interpreter of its own."""
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
    spent = json.loads(done.stdout.splitlines()[-1])
    return len(users) / float(spent["seconds"]), len(users) / float(spent["processor"])


def main() -> None:
    """Measure, print, write."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--only", choices=MODELS, help="one of the models")
    parser.add_argument("--home", type=Path, help="folder for stores and runs, kept; made by an earlier call")
    options = parser.parse_args()
    ratios: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for model in [options.only] if options.only else MODELS:
        with tempfile.TemporaryDirectory() as scratch:
            run = made(model, options.home or Path(scratch))
            users = list(run.users)[: QUICK if options.quick else None]
            found = measured(run, users, Path(scratch))
            theirs = rectools(run, users, Path(scratch))
            run.close()
        ratios |= _told(model, found, theirs, len(users))
        rows.append({"model": model, "users": len(users), **found, "rectools": theirs})
    print(machine())
    write(options.json, ratios, rows)


def _told(model: str, found: dict[str, Any], theirs: float | None, users: int) -> dict[str, Any]:
    """Print what was found for one model, and give the ratios."""
    many, singly = found["recommend_users"], found["one call a user"]
    few, *_, everyone = found["memory"].values()
    ratios = {
        f"{model}: recommend_users": ratio(many[0] / singly[0], "one call a user", GOAL),
        f"{model}: in processor time": ratio(many[1] / singly[1], "one call a user", GOAL),
        f"{model}: processes": ratio(many[0] / found["a process a user"][0], "a process a user"),
        f"{model}: memory": ratio(everyone["now"] / few["now"], f"{FEW:,} users"),
    }
    print(f"{model}, {users:,} users a second by the clock and by processor time:")
    for name in ("recommend_users", "one call a user", "a process a user"):
        print(f"  {name:<18}{found[name][0]:9.2f}{found[name][1]:9.2f}")
    print(f"  a batch is worth {many[0] / singly[0]:.1f}x (goal {GOAL:.0f}x), {many[1] / singly[1]:.1f}x")
    if theirs:
        ratios[f"{model}: against RecTools"] = ratio(many[1] / theirs[1], "RecTools SASRec, processor time")
        print(f"  RecTools' SASRec  {theirs[0]:9.2f}{theirs[1]:9.2f}")
        print(f"  ours against it   {many[0] / theirs[0]:9.2f}{many[1] / theirs[1]:9.2f}")
    for count, one in found["memory"].items():
        print(f"  memory after {count:,}: {one['now']:.0f} MB, at most {one['highest']:.0f} MB on the way")
    return ratios


if __name__ == "__main__":
    main()
