"""Kill -9, and two runs at once, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.pipeline.conftest import QUICK

SCRIPT = "from genrec_core.cli import main; main()"


def _as_from_a_terminal():
    """Signals that end a program do so, also where the tests were started by `nohup` or in the background."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def start(pipeline_file, tmp_path):
    """Starts `genrec run` on the quick pipeline as a process of its own."""

    path = os.pathsep.join([str(QUICK), os.environ.get("PYTHONPATH", "")])

    def go(*more, name="a"):
        arguments = ["run", str(pipeline_file), "--store", "store", "--runs", f"runs-{name}", "--json", *more]
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "GENREC_PLUGINS": "quick"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_as_from_a_terminal,
        )

    return go


def result(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    metrics = json.loads(out)["metrics"]
    return {key: value for key, value in metrics.items() if key != "cost"}, metrics["cost"]


def wait_for(condition, process):
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it never came to that")


def test_a_killed_run_goes_on_where_it_was_and_gives_the_same_metrics(start, tmp_path):
    slow = ("--set", "train.count.epochs=3", "--set", "train.count.sleep=20")
    process = start(*slow)
    wait_for(lambda: list(tmp_path.glob("store/tmp/train.count*")), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(tmp_path.glob("store/tmp/train.count*")), "the half-made artefact was left behind"
    assert not list(tmp_path.glob("store/train.count*"))
    quick = ("--set", "train.count.epochs=3")
    metrics, cost = result(start(*quick))
    assert cost["tokenize"]["reused"]
    assert not list(tmp_path.glob("store/tmp/*")), "what the killed run left was swept away"
    (tmp_path / "store").rename(tmp_path / "old-store")
    assert result(start(*quick))[0] == metrics


def test_two_runs_at_once_on_one_store_both_succeed(start, tmp_path):
    slow = ("--set", "train.count.sleep=1")
    first, second = start(*slow, name="a"), start(*slow, name="b")
    (metrics, cost), (other, other_cost) = result(first), result(second)
    assert metrics == other
    assert cost["train.count"]["reused"] != other_cost["train.count"]["reused"], "one made it, one waited"
    assert len(list(tmp_path.glob("store/train.count-*"))) == 1


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_a_run_like_ctrl_c(start, tmp_path, sent, code):
    process = start("--set", "train.count.sleep=60")
    wait_for(lambda: list(tmp_path.glob("store/tmp/train.count*")), process)
    process.send_signal(sent)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert err.lstrip().startswith("Interrupted." if sent == signal.SIGINT else f"Ended by {sent.name}.")
    assert "This happened in stage `train.count`. Stages before it are kept in the store." in err
    assert "To go on from there: genrec run" in err
    assert "Traceback" not in err
    (log,) = (one for one in tmp_path.glob("runs-a/quick/*/log.jsonl") if not one.parent.is_symlink())
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert (events[-1]["event"], events[-1]["reason"]) == (
        "run-interrupted",
        "Ctrl-C" if sent == signal.SIGINT else sent.name,
    )
    assert not list(tmp_path.glob("store/tmp/*")), "the half-made artefact was tidied away"
