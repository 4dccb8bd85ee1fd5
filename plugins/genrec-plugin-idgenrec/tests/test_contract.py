"""The contract kit on every component of the plugin."""

from typing import ClassVar

from genrec_plugin_idgenrec.alternate import Alternate
from genrec_plugin_idgenrec.next_item import WordedNextItem
from genrec_plugin_idgenrec.textual import Textual

from genrec_core.testing.contracts import CorpusContract, TokenizerContract, TrainerContract

TINY = {
    "use": "core/tiny-seq2seq",
    "hidden": 16,
    "layers": 1,
    "heads": 2,
    "intermediate": 16,
    "vocabulary": 300,
}


class TestTextual(TokenizerContract):
    component = Textual
    options: ClassVar = {
        "generator": TINY,
        "teach": {"epochs": 6, "learning_rate": 0.03, "batch_size": 8, "keep": "last", "patience": None},
        "extensions": 6,
        "fields": ["title"],
    }


class TestAlternate(TrainerContract):
    component = Alternate
    options: ClassVar = {
        "rounds": 1,
        "epochs": 1,
        "id_generator": {"max_steps": 2, "learning_rate": 0.001},
        "writing": {"groups": 40, "fields": ["title"], "clean": "spaces"},
    }


class TestNextItem(CorpusContract):
    component = WordedNextItem
