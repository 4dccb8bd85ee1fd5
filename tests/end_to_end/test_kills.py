"""Kill -9 in every stage of a real pipeline, over and over: what comes out in the end is what always does."""

from __future__ import annotations

import json
import random
import time
from collections import Counter

from tests.end_to_end.conftest import Place

KILLS = 20
TRAINING = "train.sft"
MOMENTS = (
    ("data", 0),
    ("embed", 0),
    ("identify", 0),
    ("model", 0),
    (TRAINING, 0),
    (TRAINING, 2),
    (TRAINING, 3),
    ("recommend", 0),
    ("ground", 0),
    ("baseline.popular", 0),
    ("baseline.oracle", 0),
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


def killed_at(place: Place, stage: str, evaluations: int, later: float) -> bool:
    """Run, and kill the run some seconds after a stage began; False if it ended before."""
    before = set(place.folder.glob("runs/small/*"))
    running = place.start()
    while running.process.is_alive() and not begun(place, before, stage, evaluations):
        time.sleep(0.002)
    time.sleep(later)
    return running.kill()


def begun(place, before, stage, evaluations):
    """Whether the new run has come to this stage, and in it to that many evaluations."""
    for folder in set(place.folder.glob("runs/small/2*")) - before:
        if folder.joinpath("log.jsonl").exists():
            lines = folder.joinpath("log.jsonl").read_text().split("\n")[:-1]
            events = [event["event"] for event in map(json.loads, lines) if event["stage"] == stage]
            return "stage-started" in events and events.count("valid") >= evaluations
    return False


def stage_seconds(place: Place) -> dict[str, float]:
    (log,) = place.logs()
    return {event["stage"]: event["seconds"] for event in log if event["event"] == "stage-finished"}
