"""The contract kit on every component of the plugin."""

from typing import ClassVar

from genrec_plugin_sidreasoner.align import Align
from genrec_plugin_sidreasoner.general import General
from genrec_plugin_sidreasoner.item_enrichment import ItemEnrichment
from genrec_plugin_sidreasoner.reasoning import ReasonedItem, ReasoningActivation
from genrec_plugin_sidreasoner.remainders import Remainders, RemainderSteps
from genrec_plugin_sidreasoner.reward import Stepwise
from genrec_plugin_sidreasoner.tasks import SIDTasks
from genrec_plugin_sidreasoner.templates import Templates
from genrec_plugin_sidreasoner.user_enrichment import UserEnrichment

from genrec_core.testing.contracts import (
    CorpusContract,
    RewardContract,
    SourceContract,
    TeacherContract,
    TrainerContract,
)


class TestTasks(CorpusContract):
    component = SIDTasks


class TestSomeTasks(CorpusContract):
    component = SIDTasks
    options: ClassVar = {"shares": {"titles-to-title": 0.5}, "loss_weights": {"sid-to-title": 0.5}}


class TestItemEnrichment(CorpusContract):
    component = ItemEnrichment
    options: ClassVar = {"most": 10}


class TestUserEnrichment(CorpusContract):
    component = UserEnrichment


class TestActivation(CorpusContract):
    component = ReasoningActivation
    options: ClassVar = {"per_user": 2}


class TestReasonedItem(CorpusContract):
    component = ReasonedItem


class TestGeneral(CorpusContract):
    component = General
    options: ClassVar = {"count": 50}


class TestStepwise(RewardContract):
    component = Stepwise


class TestStrictStepwise(RewardContract):
    component = Stepwise
    options: ClassVar = {"unclosed": "nothing", "least_thought": 3}


class TestTemplates(TeacherContract):
    component = Templates


class TestRemainderSteps(TeacherContract):
    component = RemainderSteps


class TestRemainders(SourceContract):
    component = Remainders
    options: ClassVar = {"users": 300, "rows": 50, "length": 4}


class TestAlign(TrainerContract):
    component = Align
    options: ClassVar = {
        "corpora": [
            {"use": "sidreasoner/tasks", "tasks": ["sids-to-sid"]},
            {"use": "sidreasoner/user-enrichment", "most": 10},
        ],
        "rung": "enriched",
        "epochs": 5,
        "learning_rate": 0.003,
        "batch_size": 16,
    }
