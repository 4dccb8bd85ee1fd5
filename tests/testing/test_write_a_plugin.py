"""The tutorial cannot drift: every code block stands, letter for letter, in a file that is tested."""

from __future__ import annotations

import re

from genrec_core.registry.registry import KINDS
from genrec_core.testing import contracts
from tests.testing.installing import ROOT

PAGE = (ROOT / "docs" / "write-a-plugin.md").read_text()
BLOCK = re.compile(r"(?:<!-- from: (?P<path>\S+) -->\n)?```\w+\n(?P<code>.*?)```", re.DOTALL)


def test_every_code_block_comes_from_a_file():
    blocks = list(BLOCK.finditer(PAGE))
    assert len(blocks) >= 7
    for block in blocks:
        assert block["path"], f"no file is named for this block: {block['code'][:80]}"
        assert block["code"].rstrip() in (ROOT / block["path"]).read_text(), block["path"]


def test_every_kind_is_in_the_table_with_its_contract_class():
    for kind in KINDS:
        name = f"{kind.capitalize()}Contract"
        assert getattr(contracts, name).kind == kind
        assert f"`{kind.capitalize()}` |" in PAGE
        assert f"`{name}`" in PAGE
