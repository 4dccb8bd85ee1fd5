"""The contract kit on the training tasks, compression and grounding."""

from typing import ClassVar

from genrec_plugin_grlm.compressed import Compressed
from genrec_plugin_grlm.eig import ElasticGrounding
from genrec_plugin_grlm.gti import GTI
from genrec_plugin_grlm.similar_items import SimilarItems
from genrec_plugin_grlm.ubsp import UBSP

from genrec_core.testing.contracts import CorpusContract, GrounderContract, TokenizerContract


class TestUBSP(CorpusContract):
    component = UBSP


class TestNextItemPrediction(CorpusContract):
    component = UBSP
    options: ClassVar = {"each": "prefix", "max_per_user": 2}


class TestGTI(CorpusContract):
    component = GTI
    options: ClassVar = {"fields": ["title", "description"]}


class TestTermsToMetadata(CorpusContract):
    component = GTI
    options: ClassVar = {"direction": "to-metadata", "items": "seen"}


class TestSimilarItems(CorpusContract):
    component = SimilarItems


class TestElasticGrounding(GrounderContract):
    component = ElasticGrounding


class TestElasticGroundingAnywhere(GrounderContract):
    component = ElasticGrounding
    options: ClassVar = {
        "match": "anywhere", "ties": "popularity", "collisions": "popularity", "order": "direct-first",
    }  # fmt: skip


class TestCompressed(TokenizerContract):
    component = Compressed
    options: ClassVar = {"tokenizer": {"use": "grlm/terms", "terms": 3}, "core_terms": 12}
