"""The tutorial knows every kind; that its code stands in tested files is checked in tests/test_docs.py."""

from __future__ import annotations

import importlib
import re

import pytest

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


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_names_the_methods_that_a_kind_asks_for(kind):
    cls = getattr(importlib.import_module("genrec_core"), kind.capitalize())
    (row,) = re.findall(rf"^\| [^|]+ \| `{kind.capitalize()}` \| ([^|]+) \|", PAGE, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", row))
    asked = {name for name in dir(cls) if getattr(getattr(cls, name), "__isabstractmethod__", False)}
    assert asked <= named
    sessions = {name for name in named if name.endswith("Session")}
    assert bool(sessions) == ("open" in named)
    own = [cls, *(getattr(importlib.import_module(cls.__module__), name) for name in sessions)]
    assert [name for name in named - sessions if not any(hasattr(one, name) for one in own)] == []
