"""`genrec sweep`, as it is typed."""

from __future__ import annotations

import json


def test_a_sweep_prints_its_trials_and_what_was_selected(genrec, tmp_path):
    shown = genrec("sweep", "pipeline.yaml", "--over", "train.count.epochs=1,2", "--seeds", "1,2")
    assert shown.code == 0, shown.err
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["1", "1"] in [line[:2] for line in lines]
    assert ["2", "2"] in [line[:2] for line in lines]
    assert "selected: trial " in shown.out
    (folder,) = (tmp_path / "runs" / "quick").glob("sweep-*")
    assert str(folder.relative_to(tmp_path)) in shown.out
    told = json.loads(
        genrec("sweep", "pipeline.yaml", "--over", "train.count.epochs=1,2", "--seeds", "1,2", "--json").out
    )
    assert told["sweep"] == str(folder.relative_to(tmp_path))
    assert len(told["trials"]) == 2


def test_mistakes_are_told_without_a_traceback(genrec):
    shown = genrec("sweep", "pipeline.yaml", "--over", "train.count.epochs=1..9")
    assert (shown.code, "add --optuna 30" in shown.err) == (2, True)
    shown = genrec("sweep", "pipeline.yaml", "--over", "train.count.epoch=1,2")
    assert (shown.code, "did you mean `epochs`?" in shown.err) == (2, True)
    assert genrec("sweep", "pipeline.yaml").code == 2
