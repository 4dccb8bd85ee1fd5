"""Tables in and out through the Arrow interface; what a library lacks is not needed."""

from __future__ import annotations

import datetime as dt
import gc
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core import GenrecError
from genrec_core.api.table import Table
from genrec_core.data.arrow import is_frame, read_frame
from genrec_core.data.arrow_writing import _KEPT

COLUMNS = {
    "whole": [1, 2, None],
    "text": ["x", None, "ünï, much longer than twelve bytes"],
    "number": [1.5, 2, 3],
    "truth": [True, None, False],
    "nothing": [None, None, None],
}


def test_what_is_written_is_read_back_without_any_library():
    found = read_frame(Table(COLUMNS))
    assert {name: list(values) for name, values in found.items()} == {**COLUMNS, "number": [1.5, 2.0, 3.0]}
    assert list(read_frame(Table({"a": [], "b": []}))) == ["a", "b"]


def test_pyarrow_takes_and_gives():
    pa = pytest.importorskip("pyarrow")
    table = pa.table(Table(COLUMNS))
    assert table.to_pydict() == COLUMNS
    assert table.schema.field("whole").type == pa.int64()
    words = pa.array(["x", "y", None, "x"]).dictionary_encode()
    pairs = pa.array([[1, 2], [3, 4], None, [5, 6]], pa.list_(pa.int64(), 2))
    several = pa.table({"n": pa.array([1, None, 3, 4], pa.int16()), "w": words, "p": pairs})
    expected = {"n": [1, None, 3, 4], "w": ["x", "y", None, "x"], "p": [[1, 2], [3, 4], None, [5, 6]]}
    assert read_frame(several) == expected
    assert read_frame(several.slice(1, 2)) == {name: values[1:3] for name, values in expected.items()}
    twice = pa.concat_tables([several, several.slice(3)])
    assert read_frame(twice) == {name: [*values, values[3]] for name, values in expected.items()}
    with pytest.raises(GenrecError, match="column `x` has the Arrow type `z`"):
        read_frame(pa.table({"x": pa.array([b"1"])}))
    with pytest.raises(GenrecError, match="two columns of the table are called `a`"):
        read_frame(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))


def test_polars_takes_and_gives():
    pl = pytest.importorskip("polars")
    assert pl.DataFrame(Table(COLUMNS)).to_dict(as_series=False) == COLUMNS
    texts = ["a", "a text that is longer than its view", None, ""]
    frame = pl.DataFrame(
        {
            "text": texts,
            "lists": [["x"], [], None, ["y", "z"]],
            "kinds": pl.Series(["q", None, "r", "q"], dtype=pl.Categorical),
            "truth": [True, None, False, True],
            "day": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 2), None],
        }
    )
    found = read_frame(frame)
    assert (found["text"], found["lists"]) == (texts, [["x"], [], None, ["y", "z"]])
    assert (found["kinds"], found["truth"]) == (["q", None, "r", "q"], [True, None, False, True])
    assert found["day"][0] == np.datetime64("2024-01-01")
    assert np.isnat(found["day"][1])
    assert read_frame(frame[1:3])["text"] == texts[1:3]


def test_pandas_takes_and_gives():
    pd = pytest.importorskip("pandas", minversion="2.2")
    frame = pd.DataFrame({"a": ["x", None], "n": [1, 2], "t": pd.to_datetime(["2024-01-01 10:00", None])})
    found = read_frame(frame)
    assert (found["a"], found["n"].tolist()) == (["x", None], [1, 2])
    assert found["t"][0] == np.datetime64("2024-01-01T10:00")
    assert is_frame(frame)
    assert not is_frame([1])
    if hasattr(pd.DataFrame, "from_arrow"):  # of pandas 3
        assert pd.DataFrame.from_arrow(Table({"a": ["x", "y"], "n": [1, 2]}))["n"].tolist() == [1, 2]


def test_what_was_handed_out_is_let_go_of():
    pa = pytest.importorskip("pyarrow")
    gc.collect()
    before = len(_KEPT)
    table = pa.table(Table(COLUMNS))
    column = table.column("text")
    assert len(_KEPT) > before
    del table
    gc.collect()
    assert column.to_pylist() == COLUMNS["text"], "a column outlives its table"
    del column
    Table(COLUMNS).__arrow_c_stream__()
    gc.collect()
    assert len(_KEPT) == before


CELLS = st.one_of(
    st.lists(st.none() | st.integers(-(2**63) + 1, 2**63 - 1), max_size=20),
    st.lists(st.none() | st.floats(allow_nan=False), max_size=20),
    st.lists(st.none() | st.booleans(), max_size=20),
    st.lists(st.none() | st.text(st.characters(exclude_categories=("Cs",))), max_size=20),
)


@settings(max_examples=60, deadline=None)
@given(CELLS)
def test_any_column_comes_back_as_it_was(values):
    (found,) = read_frame(Table({"column": values})).values()
    assert [None if value is None else value for value in list(found)] == values
    try:
        import pyarrow as pa
    except ImportError:
        return
    assert pa.table(Table({"column": values})).column(0).to_pylist() == values
    cut = pa.table(Table({"column": values})).slice(3)
    assert list(read_frame(cut)["column"]) == values[3:]


def test_numbers_that_int64_does_not_hold_become_decimals():
    (found,) = read_frame(Table({"n": [2**70, 1]})).values()
    assert found.tolist() == [float(2**70), 1.0]
    (found,) = read_frame(Table({"n": [math.nan, 1.0]})).values()
    assert math.isnan(found[0])
