"""Registers the command `genrec sweep`; the entry point `sweep` names this module."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register the command; optuna is imported when it is to propose values."""
    registry.command(
        "sweep", "genrec_contrib_sweep.command:sweep", "Try values of options; select by validation."
    )
