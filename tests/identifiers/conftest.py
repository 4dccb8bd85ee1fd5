"""Published identifiers, where this machine has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec_core import Identifiers
from genrec_core.data.identifier_file import read_identifiers

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def shared_sids() -> Identifiers:
    file = SHARED / "amazon-industrial" / "published_sids.jsonl.gz"
    if not file.exists():
        pytest.skip("the real data sets are not on this machine")
    return Identifiers.of(read_identifiers(file).values())
