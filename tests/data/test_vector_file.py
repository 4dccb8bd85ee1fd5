"""Vector files: every format gives the same vectors by id, and what does not fit is refused with examples."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save_file

from genrec_core.contracts.errors import DataError
from genrec_core.data import lines
from genrec_core.data.vector_file import read_vectors

IDS = ("a", "b", "c")
MATRIX = np.arange(6, dtype=np.float64).reshape(3, 2)


def write_npy(folder, matrix=MATRIX):
    np.save(folder / "v.npy", matrix)
    return folder / "v.npy"


def write_ids(folder, ids=IDS):
    (folder / "ids.txt").write_text("".join(f"{name}\n" for name in ids))
    return folder / "ids.txt"


def write_parquet(folder, ids=IDS, rows=None, **more):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = MATRIX.tolist() if rows is None else rows
    parquet.write_table(pa.table({"item_id": list(ids), "vector": rows, **more}), folder / "v.parquet")
    return folder / "v.parquet"


def npy_and_text(folder):
    return {"path": write_npy(folder), "ids": write_ids(folder)}


def npy_and_bom(folder):
    (folder / "ids.txt").write_bytes("\ufeffa\r\nb\r\nc".encode())
    return {"path": write_npy(folder), "ids": folder / "ids.txt"}


def safetensors_and_items(folder):
    save_file({"x": MATRIX.astype(np.float16), "y": MATRIX[:, :1]}, folder / "v.safetensors")
    (folder / "items.jsonl").write_text("".join(f'{{"item_id": "{name}", "title": "T"}}\n' for name in IDS))
    return {"path": folder / "v.safetensors", "ids": folder / "items.jsonl", "column": "x"}


def parquet_lists(folder):
    return {"path": write_parquet(folder, size=[1, 2, 3])}


def parquet_fixed_lists(folder):
    pa = pytest.importorskip("pyarrow")
    rows = pa.FixedSizeListArray.from_arrays(pa.array(MATRIX.reshape(-1), pa.float32()), 2)
    return {"path": write_parquet(folder, rows=rows, other=[[1], [2], [3]]), "column": "vector"}


@pytest.mark.parametrize(
    "written", [npy_and_text, npy_and_bom, safetensors_and_items, parquet_lists, parquet_fixed_lists]
)
def test_every_format_gives_the_vectors_by_id_in_any_order(tmp_path, written):
    file = read_vectors(**written(tmp_path))
    assert file.ids == IDS
    assert file.vectors.dtype == np.float32
    np.testing.assert_array_equal(file.of(("c", "a")), MATRIX[[2, 0]].astype(np.float32))


def bad_rows(value):
    matrix = MATRIX.copy()
    matrix[1, 1] = value
    return matrix


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: {"path": write_npy(f)}, "`v.npy` does not say which item a row belongs to"),
        (lambda f: {"path": f / "none.npy", "ids": write_ids(f)}, "`none.npy` cannot be read"),
        (lambda f: {"path": write_npy(f), "ids": write_ids(f, "ab")}, "`v.npy` has 3 rows for 2 ids"),
        (
            lambda f: {"path": write_npy(f), "ids": write_ids(f, "aba")},
            "1 ids of `v.npy` come more than once: `a`",
        ),
        (
            lambda f: {"path": write_npy(f), "ids": write_ids(f, ["a", "", "c"])},
            "line has no id",
        ),
        (
            lambda f: {"path": write_npy(f, bad_rows(np.nan)), "ids": write_ids(f)},
            "1 of 3 vectors in `v.npy` hold numbers that are not finite in float32: `b`",
        ),
        (
            lambda f: {"path": write_npy(f, bad_rows(1e300)), "ids": write_ids(f)},
            "1 of 3 vectors in `v.npy` hold numbers that are not finite in float32: `b`",
        ),
        (
            lambda f: {"path": write_npy(f, MATRIX[0]), "ids": write_ids(f)},
            "`v.npy` holds `float64[2]`, not rows of numbers",
        ),
        (
            lambda f: {"path": write_npy(f, np.array([["x"]])), "ids": write_ids(f)},
            "not rows of numbers",
        ),
        (
            lambda f: {"path": write_npy(f, np.array([[None]], dtype=object)), "ids": write_ids(f)},
            "Python objects in dtype",
        ),
        (
            lambda f: {"path": write_parquet(f, rows=[[1.0, 2.0], [1.0], [3.0, 4.0]])},
            "1 of 3 vectors in `v.parquet` are not 2 numbers wide: `b`",
        ),
        (
            lambda f: {"path": write_parquet(f, rows=[[1.0, 2.0], None, [3.0, 4.0]])},
            "1 of 3 vectors in `v.parquet` are not 2 numbers wide: `b`",
        ),
        (
            lambda f: {"path": write_parquet(f, rows=[[1.0, 2.0], [None, 2.0], [3.0, 4.0]])},
            "not finite in float32: `b`",
        ),
        (lambda f: {"path": write_parquet(f, ids=["a", None, "c"])}, "1 rows of `v.parquet` have no id"),
        (
            lambda f: {"path": write_parquet(f), "column": "image"},
            "`v.parquet` has no column `image` beside `item_id`",
        ),
        (
            lambda f: {"path": write_parquet(f, other=[[1], [2], [3]])},
            "`v.parquet` has no column `of vectors` beside `item_id`",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_counts_and_examples(tmp_path, make, message):
    with pytest.raises(DataError) as caught:
        read_vectors(**make(tmp_path))
    assert message in str(caught.value)


def test_a_file_that_claims_more_rows_than_it_has_is_refused(tmp_path):
    write_npy(tmp_path)
    whole = (tmp_path / "v.npy").read_bytes()
    (tmp_path / "v.npy").write_bytes(
        whole.replace(b"(3, 2)", b"(1000000000000, 2)").replace(b" " * 12, b"", 1)
    )
    with pytest.raises(DataError, match=r"`v\.npy` cannot be read"):
        read_vectors(tmp_path / "v.npy", write_ids(tmp_path))


def test_a_parquet_file_of_vectors_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "UNPACKED_FREE", 1 << 20)
    path = write_parquet(tmp_path, ids=[f"i{row}" for row in range(1_000)], rows=[[1.0] * 500] * 1_000)
    with pytest.raises(
        DataError, match=r"column `vector\.list\.element` of `v\.parquet` unpacks to 4,000,000"
    ):
        read_vectors(path)


def id_columns():
    import pyarrow as pa

    bad = [None, pa.array([0, 1, 2, 3], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe\xfd")]
    return {
        "lists": pa.array([["a"], ["b"], ["c"]]),
        "structs": pa.array([{"a": 1}] * 3),
        "bad bytes": pa.array([b"\xff", b"b", b"c"]),
        "bad UTF-8": pa.Array.from_buffers(pa.string(), 3, bad),
        "an unknown zone": pa.array([1, 2, 3]).cast(pa.timestamp("us", "Nowhere/Place")),
    }


@pytest.mark.parametrize("kind", ["lists", "structs", "bad bytes", "bad UTF-8", "an unknown zone"])
def test_ids_that_are_no_texts_are_refused(tmp_path, kind):
    pytest.importorskip("pyarrow")
    path = write_parquet(tmp_path, other=id_columns()[kind])
    with pytest.raises(DataError, match=r"`other` of `v\.parquet` cannot be read"):
        print(read_vectors(path, id_column="other").ids)


def test_two_columns_of_one_name_and_one_for_both_are_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    path = write_parquet(tmp_path)
    with pytest.raises(DataError, match="cannot be both ids and vectors"):
        read_vectors(path, id_column="vector")
    table = pa.Table.from_arrays([pa.array(IDS), pa.array(IDS), pa.array(MATRIX.tolist())], ["i", "i", "v"])
    pa.parquet.write_table(table, path)
    with pytest.raises(DataError, match="more than one column `i`"):
        read_vectors(path, id_column="i")


def test_numbers_that_numpy_does_not_have_are_refused(tmp_path):
    import torch
    from safetensors.torch import save_file as save_torch

    save_torch({"x": torch.zeros(3, 2).to(torch.float8_e4m3fn)}, tmp_path / "v.safetensors")
    with pytest.raises(DataError, match="no readable safetensors file"):
        read_vectors(tmp_path / "v.safetensors", write_ids(tmp_path))


def test_items_without_a_vector_are_counted_and_shown(tmp_path):
    file = read_vectors(**npy_and_text(tmp_path))
    with pytest.raises(DataError) as caught:
        file.of(("a", "x", "y", "z", "w"))
    assert caught.value.message == "4 of 5 items have no vector in `v.npy`: `x`, `y`, `z`, …"
    assert "add their rows to the file" in caught.value.hint
