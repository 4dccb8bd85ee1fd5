"""Registers SINGER's components; targets are lazy, so that listing plugins imports no torch."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `singer/...`."""
    registry.split("unseen-domain", "genrec_plugin_singer.unseen_domain:UnseenDomain")
    registry.corpus("tasks", "genrec_plugin_singer.tasks:SINGERTasks")
    registry.trainer("sin-rl", "genrec_plugin_singer.sin_rl:SINRL")
    registry.reward("sid-navigated", "genrec_plugin_singer.reward:SIDNavigated")
