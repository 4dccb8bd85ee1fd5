"""SIDReasoner's ladder: each rung of alignment before and after reinforcement, on real data.

    python -m tests.benchmarks.sidreasoner --seeds 1 2 3
    python -m tests.benchmarks.sidreasoner --rows 1000 --only general --set train.align.max_steps=350

Each rung is `plugins/genrec-plugin-sidreasoner/tiny.yaml` with `train.align.rung` set, once as it stands and
once without the step `reinforce`; both are judged on the same test rows, so the gain is paired, and so is
what a rung has over the one before it. As it stands a rung makes as many steps as its samples ask for: where
rungs are compared, give all of them the same (`--set train.align.max_steps=1100`, with enough `epochs` and
`patience=null`). What a thought is worth at the same input is `tests.benchmarks.thoughts`, asked of a run of
this study. `--rows` judges on so many of the test rows, evenly chosen. Needs the data folder
`amazon-industrial`.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from genrec_core.engine.training.validation import evenly
from genrec_core.evaluation.compare import load_run
from genrec_core.evaluation.metrics import worth
from genrec_core.pipeline.run import Finished
from tests.benchmarks.study import PLUGINS, SHARED, Row, conclusion, parser, ran, report, seconds

TINY = PLUGINS / "genrec-plugin-sidreasoner" / "tiny.yaml"
RUNGS = ("vanilla", "multi-task", "enriched", "general")
FLOAT = ("train.align.precision=float32", "train.activate.precision=float32")
REINFORCE = "train.reinforce"
EQUAL = ("train.align.epochs=8", "train.align.max_steps=1100", "train.align.patience=null")
"""As many steps of alignment for all, where trainings on different samples are compared."""
DATA = SHARED / "amazon-industrial"


def fewer_rows(rows: int, home: Path) -> Path:
    """A copy of the data folder with `rows` of its test rows, evenly chosen."""
    folder = home / f"rows-{rows}"
    shutil.copytree(DATA, folder, dirs_exist_ok=True)
    file = folder / "test.jsonl.gz"
    with gzip.open(DATA / file.name, "rt", encoding="utf-8") as source:
        lines = source.readlines()
    # Without the time of writing in it, the same rows are the same file.
    with gzip.GzipFile(file, "wb", mtime=0) as kept:
        kept.write("".join(lines[place] for place in evenly(len(lines), rows)).encode())
    return folder


def before_reinforcement(home: Path, without: tuple[str, ...] = (), pipeline: Path = TINY) -> Path:
    """A pipeline without its last training step, and without some of the corpora of its first."""
    start = yaml.safe_load(pipeline.read_text())
    del start["train"]["reinforce"]
    align = start["train"]["align"]
    align["corpora"] = [corpus for corpus in align["corpora"] if corpus["use"] not in without]
    file = home / "-".join([pipeline.stem, "activated", *(one.replace("/", "-") for one in without)])
    file = file.with_suffix(".yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(start, sort_keys=False))
    return file


STATES = ("before", "after")
"""Of reinforcement."""


def states(
    rung: str, seed: int, home: Path, data: Path, extra: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """The figures of a rung before and after reinforcement, and what each test row is worth in NDCG@10."""
    changes = [f"data.source.path={data.resolve()}", "evaluate.valid=false", *FLOAT, *extra]
    changes += [f"train.align.rung={rung}", f"seed={seed}"]
    before = ran(before_reinforcement(home), [one for one in changes if not one.startswith(REINFORCE)], home)
    runs = dict(zip(STATES, (before, ran(TINY, changes, home)), strict=True))
    worths = {state: row_worths(finished) for state, finished in runs.items()}
    found = {state: dict(finished.metrics["test"]) for state, finished in runs.items()}
    return {"rung": rung, "seed": seed, **found, "seconds": seconds(dict(runs["after"].metrics))}, worths


def row_worths(finished: Finished) -> NDArray[np.float64]:
    """NDCG@10 of each test row of a run."""
    assert finished.folder is not None
    ranks = load_run(finished.folder).ranks
    assert ranks is not None
    return worth((10,))["ndcg@10"][np.where(ranks > 10, 0, ranks).reshape(-1)]


def main() -> None:
    """Run the study."""
    options = parser(__doc__, "sidreasoner-study")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--rows", type=int, help="test rows, evenly chosen; all by default")
    chosen = options.parse_args()
    data = fewer_rows(chosen.rows, chosen.home) if chosen.rows else DATA

    of_rungs: dict[str, dict[str, NDArray[np.float64]]] = {}

    def rows(rung: str) -> Iterator[Row]:
        every = []
        for seed in chosen.seeds:
            found, worths = states(rung, seed, chosen.home, data, tuple(chosen.set))
            every.append(worths)
            parts = [
                f"{name} {found['before'][name]:.4f} -> {found['after'][name]:.4f}"
                for name in ("recall@10", "ndcg@10")
            ]
            yield found, f"{rung:12} seed {seed}  {'  '.join(parts)}"
        stacked = {state: np.stack([worths[state] for worths in every]) for state in STATES}
        told = {"gain": conclusion(stacked["after"] - stacked["before"], "its start")}
        for earlier, before in list(of_rungs.items())[-1:]:
            told |= {state: conclusion(stacked[state] - before[state], earlier) for state in STATES}
        of_rungs[rung] = stacked
        for state, words in told.items():
            yield {"rung": rung, "seeds": chosen.seeds, state: words}, f"{rung:12} {state:6}  {words}"

    report(chosen, RUNGS, rows)


if __name__ == "__main__":
    main()
