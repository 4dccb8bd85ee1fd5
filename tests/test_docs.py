"""The documents cannot drift from the code.

A block below `<!-- file: PATH -->` stands letter for letter in that file of the repository, which is tested
where it is. Other YAML, TOML and Python can at least be read. Pages made from the code are made anew and
compared. Links lead somewhere, and no page names a place on somebody's machine.
"""

from __future__ import annotations

import ast
import errno
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from genrec_core.cli.explanations import BY_KIND, explanations
from genrec_core.pipeline.yaml_source import parse
from genrec_core.registry.registry import KINDS

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = ROOT / "docs" / "write-a-plugin.md"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n+)?^(?P<ticks>```+)(?P<language>\w*)\n(?P<code>.*?)^(?P=ticks)$",
    re.DOTALL | re.MULTILINE,
)
LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<heading>[^)\s]+))?\)")
MACHINE = re.compile(r"(?<![\w.-])/(?:work|home|root|Users|mnt|tmp)/|[A-Z]:\\")
READERS = {"python": ast.parse, "toml": tomllib.loads, "yaml": lambda code: parse(code, "block")}


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, its code, and the file it is taken from."""

    where: str
    language: str
    code: str
    file: str | None

    def __str__(self):
        return self.where


def blocks_of(page):
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("ticks")) + 1
        where = f"{page.relative_to(ROOT)}:{line}"
        yield Block(where, found["language"], found["code"], found["file"])


def prose_of(page):
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def headings_of(page):
    """Anchors of a page's headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.file], ids=str)
def test_a_block_stands_verbatim_in_the_file_it_names(block):
    file = ROOT / block.file
    assert file.is_file(), f"{block}: there is no file `{block.file}`"
    assert block.code.rstrip() in file.read_text(encoding="utf-8"), f"{block} differs from `{block.file}`"


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if not block.file and block.language in READERS], ids=str
)
def test_any_other_block_can_be_read(block):
    READERS[block.language](block.code)


def test_every_block_of_the_tutorial_comes_from_a_file():
    blocks = list(blocks_of(TUTORIAL))
    assert len(blocks) >= 7
    assert not [str(block) for block in blocks if not block.file]


def test_no_marker_stands_alone():
    for page in PAGES:
        markers = re.findall(r"^<!-- file:", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(markers) == sum(block.file is not None for block in blocks_of(page)), page.name


def test_every_file_that_the_architecture_names_is_there():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`(genrec_core/[\w/.]+)`", page)
    assert len(set(named)) > 25
    assert not [path for path in named if not (ROOT / path).exists()]


def test_pages_made_from_the_code_are_up_to_date():
    made = [sys.executable, ROOT / "docs" / "generate.py", "--check"]
    ended = subprocess.run(made, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for found in LINK.finditer(prose_of(page)):
        target = (page.parent / found["path"]).resolve() if found["path"] else page
        assert target.exists(), f"{page.name}: `{found['path']}` is not there"
        assert ROOT in (target, *target.parents), f"{page.name}: `{found['path']}` leads out of here"
        if found["heading"]:
            assert found["heading"] in headings_of(target), f"{page.name}: no heading `#{found['heading']}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_place_on_a_machine(page):
    assert not MACHINE.findall(page.read_text(encoding="utf-8"))


def test_the_documents_name_every_kind_of_component():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert not [kind for kind in KINDS if f"`{kind.capitalize()}`" not in text]


def test_the_site_shows_every_page():
    shown = set(
        re.findall(r"[\w-]+\.md", (ROOT / "docs" / "site" / "mkdocs.yml").read_text(encoding="utf-8"))
    )
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert shown == pages, "docs/site/mkdocs.yml names the pages, in the order in which one reads them"


def test_errors_that_are_explained_are_errors_that_are_said():
    """Words of every section stand in a message, and the page has the anchor that messages name."""
    packages = [ROOT / "genrec_core", *ROOT.glob("plugins/*/genrec_*"), *ROOT.glob("contrib/*/genrec_*")]
    files = [path for package in packages for path in package.rglob("*.py")]
    source = " ".join(path.read_text(encoding="utf-8") for path in files) + os.strerror(errno.ENOSPC)
    anchors = headings_of(ROOT / "docs" / "errors.md")
    sections = explanations().values()
    assert len(sections) > 20
    assert [one.name for one in sections if one.name not in anchors] == []
    assert [words for one in sections for words in one.words if words not in source] == []
    of_kinds = {name for _, name in BY_KIND}
    assert {one.name for one in sections if not one.words} == of_kinds, "a section that nothing leads to"


def test_no_message_and_no_description_of_an_option_points_to_a_file_that_no_wheel_holds():
    """What a user reads from an installed package is texts in code, less what opens a module."""
    found = []
    packages = [
        ROOT / "genrec_core",
        *ROOT.glob("plugins/*/genrec_plugin_*"),
        *ROOT.glob("contrib/*/genrec_contrib_*"),
    ]
    for file in (file for package in packages for file in package.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        opening = tree.body[0].value if tree.body and isinstance(tree.body[0], ast.Expr) else None
        found += [
            f"{file.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node is not opening
            and re.search(r"docs/[\w-]+\.md", node.value)
        ]  # fmt: skip
    assert found == [], "print the format instead, or say it in the message"
