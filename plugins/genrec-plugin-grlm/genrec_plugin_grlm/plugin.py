"""Registers GRLM's components; targets are lazy, so that listing plugins imports no torch."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `grlm/...`."""
    registry.tokenizer("terms", "genrec_plugin_grlm.terms:TermIDs")
    registry.teacher("extractive", "genrec_plugin_grlm.extractive:Extractive")
    registry.tokenizer("compressed", "genrec_plugin_grlm.compressed:Compressed")
    registry.corpus("ubsp", "genrec_plugin_grlm.ubsp:UBSP")
    registry.corpus("gti", "genrec_plugin_grlm.gti:GTI")
    registry.corpus("similar-items", "genrec_plugin_grlm.similar_items:SimilarItems")
    registry.grounder("eig", "genrec_plugin_grlm.eig:ElasticGrounding")
