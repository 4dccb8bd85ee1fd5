"""A small shop, its views, and a tiny model that knows its SIDs."""

from __future__ import annotations

import pytest

from genrec_core import Catalogue, Context
from genrec_core.testing.toy import toy_catalogue, toy_views


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Twenty-four items with titles, descriptions and tags, and SIDs of three tokens."""
    return toy_catalogue()


@pytest.fixture(scope="session")
def views():
    """Twenty users with a training sequence and one validation and test row each."""
    return toy_views()


@pytest.fixture
def model(catalogue):
    """A fresh tiny model that knows the catalogue's tokens."""
    from genrec_core.builtin.tiny_backbones import TinyCausal

    shape = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "vocabulary": 300, "context": 512}
    return TinyCausal(**shape, device="cpu").build(catalogue, Context(seed=3))


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict]] = []

    def __call__(self, event, **values):
        self.lines.append((event, values))

    def of(self, event):
        return [values for name, values in self.lines if name == event]


@pytest.fixture
def log():
    """A log to look into."""
    return Log()
