"""Where the public data sets are: the nearest folder `shared/data` in or above this checkout, if any."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def real_data(path: str = "") -> Path:
    """A file or folder of the public data sets; the test that asks is skipped where it is absent."""
    for folder in (ROOT, *ROOT.parents):
        if (found := folder / "shared" / "data" / path).exists():
            return found
    pytest.skip(f"`shared/data/{path}` is neither in this checkout nor above it")
