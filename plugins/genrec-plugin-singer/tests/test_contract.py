"""The contract kit on every component of the plugin."""

from typing import ClassVar

from genrec_plugin_singer.reward import SIDNavigated
from genrec_plugin_singer.sin_rl import SINRL
from genrec_plugin_singer.tasks import SINGERTasks
from genrec_plugin_singer.unseen_domain import UnseenDomain

from genrec_core.testing.contracts import (
    CorpusContract,
    RewardContract,
    SplitContract,
    TrainerContract,
)
from genrec_core.testing.toy import COLOURS, THINGS


class TestTasks(CorpusContract):
    component = SINGERTasks
    options: ClassVar = {"stage": "sft"}


class TestTasksForReinforcement(CorpusContract):
    component = SINGERTasks
    options: ClassVar = {"stage": "rl", "align": "sft", "max_per_user": 2}


class TestSIDNavigated(RewardContract):
    component = SIDNavigated


class TestSIDNavigatedForAllGroups(RewardContract):
    component = SIDNavigated
    options: ClassVar = {"reward": "sid-all", "rank": "normalised", "rank_misses": True}


class TestSINRL(TrainerContract):
    component = SINRL
    options: ClassVar = {
        "corpora": [{"use": "singer/tasks", "stage": "rl", "align": "none"}],
        "sampling": "common",
        "group": 6,
        "prompts": 25,
        "epochs": 5,
        "learning_rate": 0.003,
        "beta": 0.0,
        "valid_beams": 10,
        "evaluate_every": 10,
        "patience": None,
    }


class TestUnseenDomain(SplitContract):
    component = UnseenDomain
    options: ClassVar = {
        "field": "tags",
        "seen": [f"{thing}, {colour}" for thing in THINGS[:2] for colour in COLOURS],
        "unseen": [f"{thing}, {colour}" for thing in THINGS[2:] for colour in COLOURS],
    }
