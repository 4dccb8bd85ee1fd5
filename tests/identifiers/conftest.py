"""Published identifiers, where this machine has them."""

from __future__ import annotations

import pytest

from genrec_core import Identifiers
from genrec_core.data.identifier_file import read_identifiers
from tests.real_data import real_data


@pytest.fixture
def shared_sids() -> Identifiers:
    file = real_data("amazon-industrial/published_sids.jsonl.gz")
    return Identifiers.of(read_identifiers(file).values())
