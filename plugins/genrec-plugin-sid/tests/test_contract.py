"""The contract kit on every component of the plugin."""

from typing import ClassVar

from genrec_plugin_sid.item_text import ItemText
from genrec_plugin_sid.next_item_text import NextItemText
from genrec_plugin_sid.rq_kmeans import RQKMeans

from genrec_core.testing.contracts import CorpusContract, TokenizerContract


class TestRQKMeans(TokenizerContract):
    component = RQKMeans


class TestRQKMeansThatKeepsCollisions(TokenizerContract):
    component = RQKMeans
    options: ClassVar = {"collisions": "keep", "codes": [4, 2], "levels": 2, "begin": "<|", "end": "|>"}


class TestRQKMeansOnAnEncoderThatKnowsNewItems(TokenizerContract):
    component = RQKMeans
    options: ClassVar = {"encoder": {"use": "core/ngrams", "basis": "random"}}


class TestRQKMeansThatMovesItems(TokenizerContract):
    component = RQKMeans
    options: ClassVar = {
        "encoder": {"use": "core/ngrams", "basis": "random"},
        "collisions": "next-nearest",
        "balance": "constrained",
        "codes": 8,
    }


class TestRQKMeansWithSinkhorn(TokenizerContract):
    component = RQKMeans
    options: ClassVar = {
        "encoder": {"use": "core/ngrams", "basis": "random"},
        "collisions": "sinkhorn",
    }


class TestItemText(CorpusContract):
    component = ItemText


class TestItemTextFromIdentifierToTitle(CorpusContract):
    component = ItemText
    options: ClassVar = {"given": "identifier", "answer": "title", "held_out": 0.2}


class TestNextItemText(CorpusContract):
    component = NextItemText


class TestNextItemTextInSeveralWordings(CorpusContract):
    component = NextItemText
    options: ClassVar = {
        "directions": ["title -> identifier", "identifier -> title"],
        "draw": "one",
        "wordings": ["{history} then ", "After {history}: "],
        "missing": "skip",
    }
