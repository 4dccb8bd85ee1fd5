"""The tutorial knows every kind; that its code stands in tested files is checked in tests/test_docs.py."""

from __future__ import annotations

from genrec_core.registry.registry import KINDS
from genrec_core.testing import contracts
from tests.testing.installing import ROOT

PAGE = (ROOT / "docs" / "write-a-plugin.md").read_text()


def test_every_kind_is_in_the_table_with_its_contract_class():
    for kind in KINDS:
        name = f"{kind.capitalize()}Contract"
        assert getattr(contracts, name).kind == kind
        assert f"`{kind.capitalize()}` |" in PAGE
        assert f"`{name}`" in PAGE
