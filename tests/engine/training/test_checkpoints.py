"""Checkpoints are sealed: whatever was changed, they are passed over by name and the run starts anew."""

import random

import pytest

from genrec_core.contracts.context import Context
from genrec_core.engine.training.best_tracker import BestTracker
from genrec_core.engine.training.checkpoints import resumable, write_checkpoint
from genrec_core.store.manifest import MANIFEST


@pytest.fixture
def folder(tmp_path):
    tracker = BestTracker(patience=3)
    tracker.evaluated(4, {"loss": 1.5}, "loss")
    write_checkpoint(tmp_path / "best-4", "run", lambda at: (at / "weights.bin").write_bytes(b"abcd"))
    write_checkpoint(
        tmp_path / "checkpoint-8", "run", lambda at: (at / "weights.bin").write_bytes(b"efgh"), tracker
    )
    return tmp_path


class Log(list):
    def __call__(self, event, **values):
        self.append((event, values))


def asked(folder, identity="run"):
    log = Log()
    return *resumable(folder, identity, 3, Context(log=log), needs_best=True), log


def test_a_whole_checkpoint_is_gone_on_from(folder):
    path, tracker, log = asked(folder)
    assert path.name == "checkpoint-8"
    assert (tracker.best_step, tracker.best_value, tracker.curves) == (4, 1.5, {"valid loss": [(4.0, 1.5)]})
    assert log == []


@pytest.mark.parametrize(
    "file",
    [
        f"checkpoint-8/{MANIFEST}",
        "checkpoint-8/tracker.json",
        "checkpoint-8/weights.bin",
        f"best-4/{MANIFEST}",
        "best-4/weights.bin",
    ],
)
def test_every_single_bit_flip_is_refused_and_named(folder, file):
    body = (folder / file).read_bytes()
    bits = range(8 * len(body)) if len(body) < 100 else random.Random(0).sample(range(8 * len(body)), 200)
    for bit in bits:
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        (folder / file).write_bytes(flipped)
        path, tracker, log = asked(folder)
        assert path is None, bit
        assert tracker == BestTracker(3)
        ((event, values),) = log
        assert (event, values["checkpoint"]) == ("passed over", "checkpoint-8")
        assert values["reason"]


def test_a_checkpoint_of_another_run_is_none_of_ours(folder):
    path, _, log = asked(folder, "another")
    assert path is None
    assert log == []


def test_an_older_whole_checkpoint_takes_the_place_of_a_damaged_one(folder):
    write_checkpoint(
        folder / "checkpoint-9", "run", lambda at: (at / "weights.bin").write_bytes(b"x"), BestTracker(3)
    )
    (folder / "checkpoint-9" / "weights.bin").write_bytes(b"y")
    path, _, log = asked(folder)
    assert path.name == "checkpoint-8"
    assert [values["checkpoint"] for _, values in log] == ["checkpoint-9"]
