"""Sweeps of the pipeline of quick components that the core's own tests run."""

from __future__ import annotations

import pytest

from tests.cli.conftest import genrec as in_a_folder
from tests.pipeline.conftest import environment, pipeline_file, registry

__all__ = ["environment", "in_a_folder", "pipeline_file", "registry"]


@pytest.fixture
def genrec(in_a_folder, monkeypatch):
    """Runs a command with the quick components and with sweeps."""
    monkeypatch.setenv("GENREC_PLUGINS", "quick,sweep")
    return in_a_folder
