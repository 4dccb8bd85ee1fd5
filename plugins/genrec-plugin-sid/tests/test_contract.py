"""The contract kit on every component of the plugin."""

from typing import ClassVar

from genrec_plugin_sid.rq_kmeans import RQKMeans

from genrec_core.testing.contracts import TokenizerContract


class TestRQKMeans(TokenizerContract):
    component = RQKMeans


class TestRQKMeansThatKeepsCollisions(TokenizerContract):
    component = RQKMeans
    options: ClassVar = {"collisions": "keep", "codes": [4, 2], "levels": 2, "begin": "<|", "end": "|>"}


class TestRQKMeansOnAnEncoderThatKnowsNewItems(TokenizerContract):
    component = RQKMeans
    options: ClassVar = {"encoder": {"use": "core/ngrams", "basis": "random"}}
