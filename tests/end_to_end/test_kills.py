"""Kill -9 in every stage of a real pipeline, over and over: what comes out in the end is what always does."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter

from tests.end_to_end.conftest import Place

KILLS = 20
TRAINING = "train.sft"
MOMENTS = (
    ("data", 0),
    ("embed", 0),
    ("tokenize", 0),
    ("model", 0),
    (TRAINING, 0),
    (TRAINING, 2),
    (TRAINING, 3),
    ("recommend", 0),
    ("ground", 0),
    ("baseline.popular", 0),
    ("rank.popular", 0),
    ("rank.oracle", 0),
    ("evaluate", 0),
)
"""A stage, and how many evaluations inside a training to wait for; the second leaves a checkpoint behind."""


def test_twenty_kills_in_all_stages_leave_the_same_artefacts_and_metrics(undisturbed, tmp_path):
    expected, artefacts = undisturbed.metrics(), undisturbed.artefacts()
    lengths = stage_seconds(undisturbed)
    dice = random.Random(20)
    killed: Counter[str] = Counter()
    resumed = 0
    for number in range(6):
        place = Place(tmp_path / str(number))
        place.folder.mkdir()
        for stage, evaluations in MOMENTS:
            longest = 0.05 if evaluations else lengths[stage]
            if killed_at(place, stage, evaluations, dice.uniform(0, longest)):
                killed[stage] += 1
        place.run()
        assert place.metrics() == expected
        assert place.artefacts() == artefacts
        assert not place.leftovers()
        resumed += sum(event["event"] == "resumed" for log in place.logs() for event in log)
        if killed.total() >= KILLS:
            break
    assert killed.total() >= KILLS, killed
    assert killed[TRAINING] >= 2
    assert resumed >= 2, "trainings went on from their checkpoints"


def test_when_the_run_that_trains_is_killed_the_one_that_waits_goes_on_from_its_checkpoint(
    undisturbed, place
):
    first = place.start()
    wait_for(first, lambda: begun(place.folder / "runs", set(), TRAINING, 2))
    os.kill(first.process.pid, signal.SIGSTOP)
    second = place.start("--runs", "other")
    wait_for(second, lambda: begun(place.folder / "other", set(), TRAINING, 0))
    assert first.kill()
    second.wait()
    (log,) = place.logs("other")
    assert "resumed" in [event["event"] for event in log]
    assert place.metrics("other") == undisturbed.metrics()
    assert place.artefacts() == undisturbed.artefacts()


def killed_at(place: Place, stage: str, evaluations: int, later: float) -> bool:
    """Run, and kill the run some seconds after a stage began; False if it ended before."""
    before = set(place.folder.glob("runs/small/*"))
    running = place.start()
    wait_for(running, lambda: begun(place.folder / "runs", before, stage, evaluations))
    time.sleep(later)
    return running.kill()


def wait_for(running, condition):
    """Until a condition holds or the run has ended."""
    while running.process.is_alive() and not condition():
        time.sleep(0.002)


def begun(runs, before, stage, evaluations):
    """Whether the new run has come to this stage, and in it to that many evaluations."""
    for folder in set(runs.glob("small/2*")) - before:
        if folder.joinpath("log.jsonl").exists():
            lines = folder.joinpath("log.jsonl").read_text().split("\n")[:-1]
            events = [event["event"] for event in map(json.loads, lines) if event["stage"] == stage]
            return "stage-started" in events and events.count("valid") >= evaluations
    return False


def stage_seconds(place: Place) -> dict[str, float]:
    (log,) = place.logs()
    return {event["stage"]: event["seconds"] for event in log if event["event"] == "stage-finished"}
