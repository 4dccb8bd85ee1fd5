"""The contract kit on every component of the plugin."""

from typing import ClassVar

from genrec_plugin_singer.reward import SIDNavigated
from genrec_plugin_singer.tasks import Tasks

from genrec_core.testing.contracts import CorpusContract, RewardContract


class TestTasks(CorpusContract):
    component = Tasks
    options: ClassVar = {"stage": "sft"}


class TestTasksForReinforcement(CorpusContract):
    component = Tasks
    options: ClassVar = {"stage": "rl", "align": "sft", "max_per_user": 2}


class TestSIDNavigated(RewardContract):
    component = SIDNavigated


class TestSIDNavigatedForAllGroups(RewardContract):
    component = SIDNavigated
    options: ClassVar = {"reward": "sid-all", "rank": "normalised", "rank_misses": True}
