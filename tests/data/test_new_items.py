"""A file of new items, in each form it may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec_core import DataError, Items
from genrec_core.data.new_items import read_new_items

KNOWN = Items(("a", "b"), {"title": ["Red tent", "Lamp"], "price": [12, 3.5]})


def test_a_table_gives_items_with_numbers_where_the_catalogue_has_numbers(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("item_id,title,price\nc,Rope,7\nd,Boat,2.5\n")
    new = read_new_items(tmp_path / "new.csv", KNOWN)
    assert new.ids == ("c", "d")
    assert new.fields == {"title": ["Rope", "Boat"], "price": [7, 2.5]}


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"item_id": ["c"], "title": ["Rope"]}), tmp_path / "new.parquet")
    assert read_new_items(tmp_path / "new.parquet", KNOWN).fields == {"title": ["Rope"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item_id,title\na,Tent\n", "item is in the catalogue already"),
        ("item_id,titel\nc,Tent\n", "items of the catalogue have no such field"),
        ("item_id,title,price\nc,Tent,cheap\n", "field `price` holds text, in the catalogue it holds none"),
        ("item_id,price\nc,3\n", "item has no text in any field"),
    ],
)
def test_a_table_is_checked_like_json_lines(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        read_new_items(tmp_path / "new.csv", KNOWN)
    assert "new.csv" in caught.value.where
