"""The contract kit on every component of the plugin."""

from pathlib import Path
from typing import ClassVar

from genrec_plugin_onerec_think.activation import Activation
from genrec_plugin_onerec_think.captions import Captions
from genrec_plugin_onerec_think.enhancement import Enhancement
from genrec_plugin_onerec_think.general_text import GeneralText
from genrec_plugin_onerec_think.moods import Moods
from genrec_plugin_onerec_think.next_item import PlainNextItem, Wishes
from genrec_plugin_onerec_think.persona import Persona
from genrec_plugin_onerec_think.rationales import Rationales
from genrec_plugin_onerec_think.rewards import Hierarchical, RolloutBeam, Sparse
from genrec_plugin_onerec_think.think_ahead import Finish, ThinkAhead

from genrec_core.testing.contracts import (
    CorpusContract,
    RecommenderContract,
    RewardContract,
    SourceContract,
    TrainerContract,
)

WORDS = {"instruction": "", "question": "\n", "opening": "<t>", "closing": "</t>"}
"""Short ones: a model that starts from nothing reads them letter by letter."""


class TestMoods(SourceContract):
    component = Moods
    options: ClassVar = {"users": 40}


class TestPersona(CorpusContract):
    component = Persona
    options: ClassVar = {"interests": "tags", "items": 3}


class TestCaptions(CorpusContract):
    component = Captions
    options: ClassVar = {"fields": {"title": "title: ", "tags": "tags: "}}


class TestGeneralText(CorpusContract):
    component = GeneralText
    options: ClassVar = {"path": str(Path(__file__).parents[1] / "README.md")}


class TestNextItem(CorpusContract):
    component = PlainNextItem
    options: ClassVar = {"caption": "title"}


class TestNextItemWithAnEmptyThought(CorpusContract):
    component = PlainNextItem
    options: ClassVar = {"think": "empty", "max_per_user": 2}


class TestWishes(CorpusContract):
    component = Wishes
    options: ClassVar = {"field": "tags"}


class TestRationales(CorpusContract):
    component = Rationales
    options: ClassVar = {"field": "tags", "keep": 2}


class TestRolloutBeam(RewardContract):
    component = RolloutBeam


class TestHierarchical(RewardContract):
    component = Hierarchical
    options: ClassVar = {"match": "prefix"}


class TestSparse(RewardContract):
    component = Sparse


class TestActivation(TrainerContract):
    component = Activation
    options: ClassVar = {
        "corpora": [{"use": "onerec-think/rationales", "field": "tags", "max_per_user": 1, **WORDS}],
        "filter": "beam",
        "budget": 4,
        "draws": 1,
        "max_steps": 1,
        "batch_size": 16,
    }


class TestEnhancement(TrainerContract):
    component = Enhancement
    options: ClassVar = {
        "corpora": [{"use": "onerec-think/next-item", "max_per_user": 1, **WORDS}],
        "think_opening": "<t>",
        "think_closing": "</t>",
        "think_tokens": 4,
        "group": 3,
        "prompts": 20,
        "max_steps": 3,
        "learning_rate": 0.05,
        "beta": 0.0,
        "valid_beams": 10,
        "evaluate_every": 1,
        "patience": None,
    }


class TestFinish(RecommenderContract):
    component = Finish
    options: ClassVar = {"beams": 6}


class TestThinkAhead(RecommenderContract):
    component = ThinkAhead
    options: ClassVar = {"thinker": {"use": "core/beam", "beams": 6}, "depth": 1, "beams": 6, "lag": 1}
