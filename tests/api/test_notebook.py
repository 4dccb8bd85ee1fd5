"""The notebook runs from its first cell to its last, and the page about Python shows what runs in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "examples" / "shop.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def names():
    """What the cells have made, each executed in turn as a notebook would."""
    pytest.importorskip("pandas", minversion="2.2")
    pytest.importorskip("pyarrow")
    found = {}
    for number, code in enumerate(CODE, 1):
        exec(compile(code, f"cell {number}", "exec"), found)
    return found


def test_it_has_twenty_cells_and_no_output():
    assert len(CELLS) == 20
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in CELLS)


def test_all_users_are_in_the_file_under_the_rules(names):
    table, items = names["recommended"], names["items"].set_index("item_id")
    users = names["interactions"]["customer"].unique()
    assert sorted(table["user"].unique()) == sorted(users)
    assert (table.groupby("user").size() == 5).all(), "five each: as many are allowed"
    assert set(items.loc[table["item"], "brand"]) <= {"Zorg", "Acme"}
    assert set(items.loc[table["item"], "in_stock"]) == {"yes"}
    had = set(zip(names["interactions"]["customer"], names["interactions"]["product"], strict=True))
    assert not had & set(zip(table["user"], table["item"], strict=True))


def test_the_rules_of_one_call_hold(names):
    found = names["found"]
    assert len(found) == 5
    assert not {"k01", "k03", "k04", "k07"} & set(found["item"])
    assert set(found["brand"]) <= {"Zorg", "Acme"}


def test_two_schemes_are_compared_over_three_seeds(names):
    latex = (names["home"] / "table.tex").read_text()
    assert r"\begin{tabular}" in latex
    assert "clustered" in latex
    assert "one-level" in latex
    ((pair, difference),) = names["compared"].differences("recall@10").items()
    assert pair == ("clustered", "one-level")
    assert difference.low <= difference.difference <= difference.high
    assert all(run.metrics["spread"]["test"]["recall@10"]["std"] >= 0 for run in names["schemes"])


def test_what_the_page_shows_runs_in_the_notebook():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    for block in blocks:
        assert any(block.strip() in code for code in CODE), f"not in the notebook: {block}"
