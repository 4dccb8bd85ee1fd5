"""Registers the trackers; the entry point `trackers` names this module."""

from __future__ import annotations

from genrec_core import Registry, hookimpl


@hookimpl
def genrec_register(registry: Registry) -> None:
    """Register everything under `trackers/`."""
    registry.observer("tensorboard", "genrec_contrib_trackers.tensorboard:TensorBoard")
    registry.observer("mlflow", "genrec_contrib_trackers.mlflow:MLflow")
    registry.observer("wandb", "genrec_contrib_trackers.wandb:WeightsAndBiases")
