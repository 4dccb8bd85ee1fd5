"""Registers SIDReasoner's components; targets are lazy, so that listing plugins imports no torch."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `sidreasoner/...`."""
    registry.source("remainders", "genrec_plugin_sidreasoner.remainders:Remainders")
    registry.teacher("remainder-steps", "genrec_plugin_sidreasoner.remainders:RemainderSteps")
    registry.teacher("templates", "genrec_plugin_sidreasoner.templates:Templates")
    registry.corpus("tasks", "genrec_plugin_sidreasoner.tasks:SIDTasks")
    registry.corpus("item-enrichment", "genrec_plugin_sidreasoner.item_enrichment:ItemEnrichment")
    registry.corpus("user-enrichment", "genrec_plugin_sidreasoner.user_enrichment:UserEnrichment")
    registry.corpus("general", "genrec_plugin_sidreasoner.general:General")
    registry.corpus("activation", "genrec_plugin_sidreasoner.reasoning:ReasoningActivation")
    registry.corpus("reasoned-item", "genrec_plugin_sidreasoner.reasoning:ReasonedItem")
    registry.trainer("align", "genrec_plugin_sidreasoner.align:Align")
    registry.reward("stepwise", "genrec_plugin_sidreasoner.reward:Stepwise")
