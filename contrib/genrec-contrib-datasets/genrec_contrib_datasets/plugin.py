"""Registers the command; the entry point `datasets` names this module."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register `genrec data get`."""
    summary = "Download a public data set and make a data folder of it."
    registry.command("data get", "genrec_contrib_datasets.command:get", summary)
