"""Registers OneRec-Think's components; targets are lazy, so that listing plugins imports no torch."""

from __future__ import annotations

from genrec_core import Registry, hookimpl

HOME = "genrec_plugin_onerec_think"


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `onerec-think/...`."""
    registry.source("moods", f"{HOME}.moods:Moods")
    registry.corpus("persona", f"{HOME}.persona:Persona")
    registry.corpus("captions", f"{HOME}.captions:Captions")
    registry.corpus("general-text", f"{HOME}.general_text:GeneralText")
    registry.corpus("next-item", f"{HOME}.next_item:PlainNextItem")
    registry.corpus("wishes", f"{HOME}.next_item:Wishes")
    registry.corpus("rationales", f"{HOME}.rationales:Rationales")
    registry.trainer("activation", f"{HOME}.activation:Activation")
    registry.trainer("enhancement", f"{HOME}.enhancement:Enhancement")
    registry.reward("rollout-beam", f"{HOME}.rewards:RolloutBeam")
    registry.reward("hierarchical", f"{HOME}.rewards:Hierarchical")
    registry.reward("sparse", f"{HOME}.rewards:Sparse")
    registry.recommender("finish", f"{HOME}.think_ahead:Finish")
    registry.recommender("think-ahead", f"{HOME}.think_ahead:ThinkAhead")
    registry.command(
        "think-ahead", f"{HOME}.command:think_ahead", "Think for users ahead of time, into a store."
    )
