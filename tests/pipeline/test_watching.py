"""What is seen of a run while it goes on: figures beside loops, lines without a terminal, where to tail."""

from __future__ import annotations

import pytest

from genrec_core.pipeline.console import LineConsole, RichConsole, far
from genrec_core.pipeline.run_folder import new_run_folder
from genrec_core.pipeline.run_log import RunLog


@pytest.mark.parametrize(
    ("done", "total", "seconds", "said"),
    [
        (0, 10, 0.0, "training: 0 of 10, loss 2.31"),
        (1200, 4000, 400.0, "training: 1,200 of 4,000, 3/s, 16 min left, loss 2.31"),
        (5, 10, 10.0, "training: 5 of 10, 0.5/s, 10 s left, loss 2.31"),
        (10, 10, 10.0, "training: 10 of 10, 1/s, loss 2.31"),
        (7, None, 14.0, "training: 7, 0.5/s, loss 2.31"),
    ],
)
def test_a_loop_says_how_far_it_is(done, total, seconds, said):
    assert far("training", done, total, seconds, {"loss": 2.3104}) == said


def test_without_a_terminal_there_is_a_plain_line_now_and_then(capsys):
    console = LineConsole()
    log = RunLog(None, (), console)
    with console.progress("train\x1bing", 4) as advance:
        advance(1)
        assert capsys.readouterr().err == ""  # a loop that has not lasted says nothing
        console.EVERY = 0.0
        log.logged("train.sft", "train", {"step": 2, "epoch": 0.5, "loss": 2.31, "where": "x", "best": True})
        advance(1)
    line = capsys.readouterr().err
    assert line.startswith(r"train\x1bing: 2 of 4, ")
    assert line.endswith("left, epoch 0.5, loss 2.31\n")
    with console.progress("another") as advance:
        advance(1)
    assert "loss" not in capsys.readouterr().err


def test_on_a_terminal_figures_stand_beside_the_innermost_bar():
    console = RichConsole()
    with console.progress("outer", 2), console.progress("inner", 3):
        console.figures({"step": 1, "loss": 2.0})
        outer, inner = console._bars.tasks
        assert (outer.fields["figures"], inner.fields["figures"]) == ({}, {"loss": 2.0})
        assert "loss 2" in console._bars.columns[-1].render(inner).plain
    console.figures({"loss": 1.0})  # no loop: nothing to stand beside


def test_current_leads_to_the_run_that_began_last(tmp_path):
    first = new_run_folder(tmp_path, "shop")
    assert (tmp_path / "shop" / "current").resolve() == first
    second = new_run_folder(tmp_path, "shop")
    assert (tmp_path / "shop" / "current").resolve() == second
    (tmp_path / "shop" / "current").unlink()
    (tmp_path / "shop" / "current").mkdir()
    assert new_run_folder(tmp_path, "shop").exists()
    assert not (tmp_path / "shop" / "current").is_symlink()
