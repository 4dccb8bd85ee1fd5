"""The contract kit on every component of the plugin."""

from typing import ClassVar

from genrec_plugin_sid.item_text import ItemText
from genrec_plugin_sid.next_item_text import NextItemText
from genrec_plugin_sid.rq_kmeans import RQKMeans
from genrec_plugin_sid.rq_vae import RQVAE

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


class TestRQVAE(TokenizerContract):
    component = RQVAE
    options: ClassVar = {"hidden": [16], "latent": 8, "epochs": 3}


class TestRQVAEOnAnEncoderThatKnowsNewItems(TokenizerContract):
    component = RQVAE
    options: ClassVar = {
        "encoder": {"use": "core/ngrams", "basis": "random"},
        "hidden": [16],
        "latent": 8,
        "epochs": 3,
        "update": "ema",
        "sinkhorn": [0.0, 0.0, 0.003],
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
