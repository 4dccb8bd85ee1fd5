"""Registers the toolkit's components; targets are lazy, so that listing plugins imports no torch."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `sid/...`."""
    registry.tokenizer("rq-kmeans", "genrec_plugin_sid.rq_kmeans:RQKMeans")
    registry.tokenizer("rq-vae", "genrec_plugin_sid.rq_vae:RQVAE")
    registry.corpus("item-text", "genrec_plugin_sid.item_text:ItemText")
    registry.corpus("next-item-text", "genrec_plugin_sid.next_item_text:NextItemText")
