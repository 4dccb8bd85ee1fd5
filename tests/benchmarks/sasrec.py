"""`core/sasrec` on Amazon Beauty: recall and time, and one epoch of full softmax beside RecTools.

    python -m tests.benchmarks.sasrec --quick
    python -m tests.benchmarks.sasrec --json sasrec.json      # the default options to the end
    python -m tests.benchmarks.sasrec --study                 # starts, ties and negatives, by validation

The protocol is the one of published tables: leave-one-out, every item a candidate, histories of 50. Weights
are chosen by the validation rows. Both settings of the viewed-item filter are printed; the published figure
(Recall@10 .0921, NDCG@10 .0531 for SASRec with sampled softmax) is with viewed items filtered.

RecTools is measured in the same run when the environment variable `RECTOOLS_PYTHON` names an interpreter
that has `rectools[torch]`; otherwise the time it took on two cores like these, 502 s, is printed instead.
Both then train one epoch with 128 factors, 2 blocks, histories of 50 and softmax over the catalogue.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genrec_core.builtin.folder import Folder
from genrec_core.builtin.leave_one_out import LeaveOneOut
from genrec_core.builtin.sasrec import SASRec
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.views import Training, View
from genrec_core.data.prepared import Prepared, prepare
from genrec_core.engine.baselines.fitting import fit_sasrec
from genrec_core.engine.baselines.settings import SASRecSettings
from genrec_core.evaluation.metrics import accuracy, ranks_of
from genrec_core.evaluation.rankings import Rankings, depth_needed, without_viewed
from tests.benchmarks.measuring import argument_parser, machine, ratio, write

BEAUTY = Path(__file__).resolve().parents[3] / "shared" / "data" / "amazon-beauty"
HISTORY, DEEPEST = 50, 10
QUICK_SHARE = 0.1
GOAL, PUBLISHED, RECTOOLS_SECONDS = 0.088, 0.0921, 502.0


def recall(prepared: Prepared, quick: bool) -> list[dict[str, Any]]:
    """Fit, rank the test rows, judge twice; one row for the curve of each epoch and one a filter setting."""
    rows: list[dict[str, Any]] = []
    begin = time.perf_counter()

    def log(event: str, **values: Any) -> None:
        rows.append({"event": event, "seconds": round(time.perf_counter() - begin, 1), **values})
        print(" ", *(f"{name} {value:.4g}" for name, value in list(rows[-1].items())[1:]), flush=True)

    views = prepared.views
    width = depth_needed(DEEPEST, views.test.rows, filter_viewed=True)
    model = SASRec(**({"epochs": 2} if quick else {}))
    print(model.described())
    context = Context(seed=0, log=log)
    state = model.fit(prepared.items, Training(views.train, views.valid), context)
    with model.open(state, prepared.items, context) as session:
        rankings = Rankings.of(session.rank(list(views.test.requests()), width), width)
    seconds = time.perf_counter() - begin
    for filtered in (False, True):
        kept = without_viewed(rankings, views.test.rows) if filtered else rankings
        ranks = ranks_of(kept, views.test.targets).within(DEEPEST).honest
        figures = accuracy(ranks, (5, DEEPEST))
        protocol = prepared.protocol.asked(filtered).hash
        rows.append(
            {"event": "test", "filter_viewed": filtered, "protocol": protocol, "seconds": seconds, **figures}
        )
        shown = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
        print(f"test, viewed items {'filtered' if filtered else 'kept'} ({protocol}): {shown}")
    print(f"fitted and ranked in {seconds / 60:.1f} minutes")
    return rows


STUDY: dict[str, dict[str, Any]] = {
    "as it is": {},
    "co-occurrence": {"start": "co-occurrence"},
    "co-occurrence, untied": {"start": "co-occurrence", "tied": False},
    "co-occurrence, untied, history": {"start": "co-occurrence", "tied": False, "history_negatives": True},
    "co-occurrence, history": {"start": "co-occurrence", "history_negatives": True},
}


def study(prepared: Prepared, epochs: int) -> list[dict[str, Any]]:
    """Validation figures, kept and filtered, after so many epochs of each variant; test rows are not read."""
    rows, valid = [], prepared.views.valid
    width = depth_needed(DEEPEST, valid.rows, filter_viewed=True)
    for name, options in STUDY.items():
        begin, cpu = time.perf_counter(), time.process_time()
        model = SASRec(**options, epochs=epochs, evaluate_every=5)
        state = model.fit(prepared.items, Training(prepared.views.train, valid), Context(seed=0))
        row: dict[str, Any] = {"event": "study", "variant": name, "cpu_seconds": time.process_time() - cpu}
        with model.open(state, prepared.items, Context()) as session:
            rankings = Rankings.of(session.rank(list(valid.requests()), width), width)
        for filtered in (False, True):
            kept = without_viewed(rankings, valid.rows) if filtered else rankings
            found = accuracy(ranks_of(kept, valid.targets).within(DEEPEST).honest, (DEEPEST,))
            row["filtered" if filtered else "kept"] = found
        shown = "  ".join(
            f"{kind} {row[kind]['recall@10']:.4f}/{row[kind]['ndcg@10']:.4f}" for kind in ("kept", "filtered")
        )
        seconds = time.perf_counter() - begin
        print(f"{name:32} {shown}  {row['cpu_seconds']:.0f} s of a core, {seconds:.0f} s", flush=True)
        rows.append(row)
    return rows


def some_rows(prepared: Prepared, share: float) -> View:
    """A share of the training rows, drawn evenly, so that an epoch over all of them can be extrapolated."""
    train = prepared.views.train
    count = int(len(train.rows) * share)
    chosen = np.random.default_rng(0).permutation(len(train.rows))[:count]
    rows = Sequences.of(train.rows.row(row) for row in chosen)
    return replace(train, users=tuple(train.users[row] for row in chosen), rows=rows, times=None)


def epoch(prepared: Prepared, train: View) -> float:
    """Seconds of one epoch of ours on these rows: full softmax, 128 factors, 2 blocks."""
    settings = SASRecSettings(loss="softmax", epochs=1, factors=128, blocks=2, heads=2, length=HISTORY)
    none = replace(prepared.views.valid, users=(), rows=Sequences.of([]), targets=np.zeros(0, dtype=np.int32))
    begin = time.perf_counter()
    fit_sasrec(len(prepared.items), Training(train, none), settings, Context(seed=0))
    return time.perf_counter() - begin


def rectools(train: View) -> float | None:
    """Seconds of one epoch of RecTools' SASRec on the same rows, if there is an interpreter that has it."""
    python = os.environ.get("RECTOOLS_PYTHON")
    if not python:
        return None
    script = Path(__file__).with_name("rectools_epoch.py")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        rows.write_text(json.dumps([train.rows.row(row).tolist() for row in range(len(train.rows))]))
        done = subprocess.run(
            [python, str(script), str(rows), str(HISTORY)], check=True, capture_output=True, text=True
        )
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def epochs(prepared: Prepared, quick: bool) -> dict[str, Any]:
    """Ours before and after theirs, averaged; with `quick`, ours on a tenth of the rows, times ten."""
    if quick:
        ours, theirs = epoch(prepared, some_rows(prepared, QUICK_SHARE)) / QUICK_SHARE, None
    else:
        first, theirs = epoch(prepared, prepared.views.train), rectools(prepared.views.train)
        ours = (first + epoch(prepared, prepared.views.train)) / 2
    against = "RecTools in this run" if theirs else f"RecTools' {RECTOOLS_SECONDS:.0f} s"
    speed = (theirs or RECTOOLS_SECONDS) / ours
    shown = f"{theirs:.0f} s" if theirs else "not measured"
    print(f"full softmax, one epoch: ours {ours:.1f} s, RecTools {shown}; {speed:.1f}× {against}")
    return {
        "event": "epoch",
        "ours": ours,
        "rectools": theirs,
        "speed": speed,
        "against": against,
    }


def main() -> None:
    """Print the curve, the figures of both filter settings, and the ratio of the epochs."""
    parser = argument_parser(__doc__ or "")
    parser.add_argument("--study", action="store_true", help="compare variants by validation")
    parser.add_argument("--epochs", type=int, default=30, help="of each variant of the study")
    parser.add_argument("--data", type=Path, default=BEAUTY, help="data folder")
    options = parser.parse_args()
    if not options.data.exists():
        raise SystemExit(f"needs the Amazon Beauty folder at {options.data}")
    prepared = prepare(Folder(path=options.data), LeaveOneOut(), HISTORY, Context())
    if options.study:
        print(machine())
        write(options.json, {}, study(prepared, options.epochs))
        return
    print(machine())
    speed = epochs(prepared, options.quick)
    rows = [speed, *recall(prepared, options.quick)]
    ratios = {"full-softmax epoch": ratio(speed["speed"], speed["against"], 10.0)}
    if not options.quick:  # two epochs say nothing about the goal
        found = rows[-1]["recall@10"]
        print(f"Recall@10 {found:.4f}, viewed items filtered; goal {GOAL}, published {PUBLISHED}")
        ratios["recall@10 filtered"] = ratio(found / GOAL, f"the goal {GOAL}", 1.0)
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
