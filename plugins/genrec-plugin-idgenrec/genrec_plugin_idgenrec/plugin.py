"""Registers IDGenRec's components; targets are lazy, so that listing plugins imports no torch."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `idgenrec/...`."""
    registry.tokenizer("textual", "genrec_plugin_idgenrec.textual:Textual")
    registry.trainer("alternate", "genrec_plugin_idgenrec.alternate:Alternate")
    registry.corpus("next-item", "genrec_plugin_idgenrec.next_item:WordedNextItem")
    registry.section("renamed", "genrec_plugin_idgenrec.report:renamed")
    registry.command(
        "save-models", "genrec_plugin_idgenrec.command:save_models", "Save the models of a run as folders."
    )
