"""Values that look right and are not: each is refused or counted, in imports and in folders alike."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from genrec_core import Context, DataError, Items
from genrec_core.builtin.folder import Folder
from genrec_core.cli.data import data
from genrec_core.data import lines, parquet
from genrec_core.data.defects import Defects
from genrec_core.data.folder import Reading, examine_folder, load_folder
from genrec_core.data.lines import records
from genrec_core.data.new_items import read_new_items
from tests.data.imports import LOG, items_of, run, with_items

TSV = 'user_id\titem_id\ttimestamp\ttitle\nu\ta\t1\t"Red\nu\tb\t2\tLamp\nv\ta\t3\tend"\nw\tc\t4\t5" nail\n'


def test_a_quote_in_a_tsv_swallows_no_rows(tmp_path: Path) -> None:
    result = run(tmp_path, {"log.tsv": TSV}, "--item-field", "title=title", log="log.tsv")
    assert result.exit_code == 0, result.exception
    assert "4  interactions read" in result.output
    assert "3  lines of log.tsv with a quote that is a letter (quoting: off)" in result.output
    forced = run(
        tmp_path, {"log.tsv": TSV}, "--item-field", "title=title", "--quoting", "on", "--out",
        str(tmp_path / "two"), log="log.tsv",
    )  # fmt: skip
    assert "2  lines of log.tsv that continue a quoted cell of the line before" in forced.output


def test_a_quote_that_joins_whole_rows_of_a_csv_is_refused(tmp_path: Path) -> None:
    text = 'user_id,item_id,timestamp,title\nu,a,1,"Red\nu,b,2,Lamp\nv,a,3,end"\n'
    result = run(tmp_path, {"log.csv": text}, "--item-field", "title=title")
    assert "a quote joins lines that are whole rows without it" in str(result.exception)


def test_a_quoted_line_break_is_one_row_and_counted(tmp_path: Path) -> None:
    text = 'user_id,item_id,timestamp,title\nu,a,1,"Red\ntent, large"\nu,b,2,Lamp\n'
    result = run(tmp_path, {"log.csv": text}, "--item-field", "title=title")
    assert "1  lines of log.csv that continue a quoted cell" in result.output
    assert items_of(tmp_path)["a"]["title"] == "Red\ntent, large"


@pytest.mark.parametrize(("given", "column"), [((), 't"x'), (("--quoting", "off"), 't"x')])
def test_a_quote_in_a_header_parted_by_two_colons_is_a_letter(
    tmp_path: Path, given: tuple[str, ...], column: str
) -> None:
    table = f"item_id::{column}\na::Comb\nb::Soap\nc::Gel\n"
    files: dict[str, str | bytes] = {"i.dat": table, "log.dat": LOG.replace(",", "::")}
    options = ("--delimiter", "::", "--items", str(tmp_path / "i.dat"), *given)
    assert run(tmp_path, files, *options, log="log.dat").exit_code == 0
    assert items_of(tmp_path)["a"] == {column: "Comb"}


@pytest.mark.parametrize(("policy", "title"), [("first", "Tent"), ("last", "Tents")])
def test_repeated_items_follow_the_declared_policy(tmp_path: Path, policy: str, title: str) -> None:
    text = "item_id,title\na,Tent\nb,Lamp\nc,Mug\na,Tents\n"
    assert "occurs twice: `a`" in str(with_items(tmp_path, text, name="i.csv").exception)
    result = with_items(tmp_path, text, "--duplicate-items", policy, name="i.csv")
    assert items_of(tmp_path)["a"]["title"] == title
    assert f"1  rows of an item that has several ({policy} stands)" in result.output


@pytest.mark.parametrize("word", [
        "nan", "None", "NULL", "<NA>", " NaN ", "NA", "N/A", "n/a", "#N/A", "\\N", "(null)", "undefined",
    ],
)  # fmt: skip
def test_a_word_for_a_missing_value_is_no_user_no_item_and_no_title(tmp_path: Path, word: str) -> None:
    for log, what in ((f"{word},a,1", "`user_id`"), (f"u,{word},1", "`item_id`")):
        text = f"user_id,item_id,timestamp,t\n{log},x\nv,a,2,y\n"
        result = run(tmp_path, {"log.csv": text}, "--item-field", "title=t")
        assert f"{what} is a word for a missing value" in str(result.exception)
    text = f"item_id,title\na,{word}\nb,Lamp\nc,Mug\n"
    assert "field `title` is a word for a missing value" in str(
        with_items(tmp_path, text, name="i.csv").exception
    )
    options = ("--missing-words", "empty", "--allow-empty-text")
    assert (
        "1  words for a missing value in `title`" in with_items(tmp_path, text, *options, name="i.csv").output
    )
    assert items_of(tmp_path)["a"]["title"] is None


@pytest.mark.parametrize(
    "text", ["na", "Na", "none", "Undefined", "\\n", "N", "Canada", "#NAme", "null and void"]
)
def test_what_only_looks_like_a_missing_word_is_a_text(tmp_path: Path, text: str) -> None:
    table = f"item_id,title\na,{text}\nb,Lamp\nc,Mug\n"
    assert with_items(tmp_path, table, name="i.csv").exit_code == 0
    assert items_of(tmp_path)["a"]["title"] == text


def test_the_region_na_is_kept_where_that_is_said(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"users.csv": "user_id,region\nu,NA\n"}
    options = ("--users", str(tmp_path / "users.csv"), "--allow-empty-text")
    refused = str(run(tmp_path, files, *options).exception)
    assert "field `region` is a word for a missing value: `NA`" in refused
    assert "`keep` as they are" in refused
    assert run(tmp_path, files, *options, "--missing-words", "keep").exit_code == 0
    reading = Reading(allow_empty_text=True, missing_words="keep")
    assert load_folder(tmp_path / "out", reading).attributes == {"u": {"region": "NA"}}


def test_a_film_called_none_is_kept_from_import_to_reading(tmp_path: Path) -> None:
    text = "item_id,title\na,None\nb,Lamp\nc,Mug\n"
    result = with_items(tmp_path, text, "--missing-words", "keep", name="i.csv")
    assert "1  words for a missing value in `title`, kept (`missing_words: keep`)" in result.output
    with pytest.raises(DataError, match="word for a missing value: `None`"):
        load_folder(tmp_path / "out")
    source = Folder(path=tmp_path / "out", missing_words="keep")
    assert source.load(Context()).items.value(0, "title") == "None"
    checked = CliRunner().invoke(data, ["check", str(tmp_path / "out"), "--missing-words", "keep"])
    assert checked.exit_code == 0
    assert "note: 1 words for a missing value in `title`, kept" in checked.output
    assert CliRunner().invoke(data, ["check", str(tmp_path / "out")]).exit_code == 2


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ('"nan"', "field `job` is a word for a missing value: `nan`"),
        ('"None"', "field `job` is a word for a missing value: `None`"),
        ('["a","NULL"]', 'field `job` is a word for a missing value: `["a","NULL"]`'),
        ('""', "field `job` is empty"),
    ],
)
def test_a_missing_value_of_a_user_is_refused(make_folder, value: str, says: str) -> None:
    folder = make_folder({"users.jsonl": f'{{"user_id":"u1","job":{value}}}\n'})
    with pytest.raises(DataError) as refused:
        load_folder(folder)
    assert refused.value.message == says
    assert refused.value.where == f"{folder}/users.jsonl:1"


@pytest.mark.parametrize(
    ("policy", "value", "becomes"),
    [
        ("keep", '"nan"', "nan"),
        ("keep", '""', ""),
        ("empty", '"nan"', None),
        ("empty", '["a","nan"]', ["a"]),
        ("refuse", '"none"', "none"),
        ("refuse", "null", None),
    ],
)
def test_a_value_of_a_user_follows_the_declared_policy(make_folder, policy, value, becomes) -> None:
    folder = make_folder({"users.jsonl": f'{{"user_id":"u1","job":{value}}}\n'})
    assert load_folder(folder, Reading(missing_words=policy)).attributes == {"u1": {"job": becomes}}


def test_a_word_for_a_missing_value_is_refused_in_a_folder(make_folder) -> None:
    folder = make_folder({"items.jsonl": '{"item_id":"a","title":"nan"}\n'})
    with pytest.raises(DataError, match="field `title` is a word for a missing value: `nan`"):
        load_folder(folder)


def test_binary_cells_are_refused(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(
        pa.table({"item_id": ["a", "b", "c"], "title": [b"A\xc3\xa9"] * 3}), tmp_path / "i.parquet"
    )
    options = ("--items", str(tmp_path / "i.parquet"))
    assert "field `title` holds bytes, not text (3 times)" in str(run(tmp_path, {}, *options).exception)


@pytest.mark.parametrize(
    ("time", "says"),
    [
        ("1_000", "`timestamp` is not a number: `1_000`"),
        ("\uff11\uff12", "`timestamp` is not a number"),
        ("1e30", "`timestamp` is after the year 9999: `1e30`"),
        ("1700000000000", "`timestamp` is after the year 9999"),
        ("1e20", "`timestamp` is after the year 9999"),
        ("NULL", "row has no `timestamp`"),
        ("\\N", "row has no `timestamp`"),
        ("1700000000", "times lie between 1970 and 2023, as if units were mixed"),
    ],
)
def test_times_beyond_belief_are_refused(tmp_path: Path, make_folder, time: str, says: str) -> None:
    text = f"user_id,item_id,timestamp,title\nu,a,5,t\nu,b,{time},t\n"
    assert says in str(run(tmp_path, {"log.csv": text}, "--item-field", "title=title").exception)
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": text})
    assert says in str(examine_folder(folder, Reading())[1].found[0])


def test_seconds_among_milliseconds_are_refused(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp,title\nu,a,1700000000,t\nu,b,1700000000000,t\n"
    options = ("--item-field", "title=title", "--time-format", "milliseconds")
    result = run(tmp_path, {"log.csv": text}, *options)
    assert "times lie between 1970 and 2023, as if units were mixed" in str(result.exception)


def test_a_time_format_that_there_is_not_is_refused_by_its_name(tmp_path: Path) -> None:
    options = ("--item-field", "title=title", "--time-format", "foo")
    result = run(tmp_path, {"log.csv": "user_id,item_id,timestamp,title\nu,a,1,t\n"}, *options)
    assert "`--time-format foo` is no time format" in str(result.exception)
    assert "seconds, milliseconds, iso, and formats such as %d.%m.%Y" in str(result.exception)


def test_a_numeric_tie_key_with_one_letter_is_refused(make_folder) -> None:
    text = "user_id,item_id,timestamp,n\nu,a,1,9\nu,b,1,10\nu,c,1,x\n"
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": text})
    with pytest.raises(DataError, match="tie key `n` mixes kinds of values: `x`"):
        load_folder(folder, Reading(tie_key="n"))


FAR = "1234567890123456790"


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        ([FAR, "1234567890123456789", "1234567890123456788"], "cba"),
        (["-" + FAR, "-1234567890123456789", "1.5"], "abc"),
        (["0.12345678901234567891", "0.1234567890123456789", "-0.5"], "cba"),
        (["1e400", "10", "9"], "cba"),
        (["9" * 5_000, "9" * 400, "1"], "cba"),
    ],
)
def test_a_tie_key_orders_by_every_digit(tmp_path: Path, make_folder, keys: list[str], order: str) -> None:
    rows = "".join(f"u,{item},1,{key},t\n" for item, key in zip("abc", keys, strict=True))
    text = f"user_id,item_id,timestamp,n,title\n{rows}"
    result = run(tmp_path, {"log.csv": text}, "--item-field", "title=title", "--tie-key", "n")
    assert result.exit_code == 0, result.exception
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": text})
    for dataset in (load_folder(tmp_path / "out"), load_folder(folder, Reading(tie_key="n"))):
        assert "".join(dataset.items.ids[item] for item in dataset.sequences.values) == order


@pytest.mark.parametrize("number", ["1_0", "\uff13", "0x3", "nan", ""])
def test_what_only_python_takes_for_a_number_is_no_tie_key_and_no_rating(tmp_path: Path, number: str) -> None:
    text = f"user_id,item_id,timestamp,n\nu,a,1,{number}\nu,b,1,4\nu,c,1,5\n"
    tied = run(tmp_path, {"log.csv": text}, "--allow-empty-text", "--tie-key", "n")
    what = "has a value that is not finite" if number == "nan" else "mixes kinds of values"
    assert f"tie key `n` {what}" in str(tied.exception)
    rated = run(
        tmp_path, {"log.csv": text}, "--allow-empty-text", "--min-rating", "3", "--rating-column", "n"
    )
    assert "`n` is not a number" in str(rated.exception)


def test_spaces_around_ids_are_refused_in_a_folder_and_cut_off_by_an_import(
    tmp_path: Path, make_folder
) -> None:
    text = "user_id,item_id,timestamp,title\nu1,a,1,t\nu1 ,b,2,t\n"
    folder = make_folder({"sequences.jsonl": None, "interactions.csv": text})
    with pytest.raises(DataError, match="`user_id` begins or ends with a space"):
        load_folder(folder)
    result = run(tmp_path, {"log.csv": text}, "--item-field", "title=title")
    assert "1  ids with spaces around them, cut off" in result.output
    assert "1 users, 2 items" in result.output


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"user_id":"u","user_id":"v","item_ids":["a"]}', "line has one name twice: `user_id`"),
        ('{"user_id":"u","x":{"y":1,"y":2},"item_ids":["a"]}', "line has one name twice: `y`"),
        ('{"user_id":"u","x":' + "[" * 980 + "]" * 980 + "}", "line is nested too deep"),
        ('{"user_id":"\\ud800","item_ids":["a"]}', "line is not JSON"),
    ],
)
def test_json_that_no_data_needs_is_refused(tmp_path: Path, line: str, says: str) -> None:
    path, defects = tmp_path / "x.jsonl", Defects()
    path.write_text(line + "\n")
    assert list(records(path, defects)) == []
    assert says in str(defects.found[0])


@pytest.mark.parametrize(
    "line", ['{"a" : "x\\":y", "b": {"c": 1, "d": {"e": [{"f": 2}, {"f": 3}]}}}', '{"a":"b","c":["d:e"]}']
)
def test_names_are_not_counted_inside_texts(tmp_path: Path, line: str) -> None:
    path, defects = tmp_path / "x.jsonl", Defects()
    path.write_text("\ufeff" + line + "\n")
    assert len(list(records(path, defects))) == 1
    assert not defects


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "user_id,item_id,item_id,timestamp\nu,a,b,1\n"
    result = run(tmp_path, {"log.csv": text}, "--item-field", "title=item_id")
    assert "two columns have one name: `item_id`" in str(result.exception)


def test_a_cell_that_never_ends_is_named(tmp_path: Path) -> None:
    text = LOG + 'v,"' + "x" * 140_000 + '",5\n'
    result = run(tmp_path, {"log.csv": text}, "--allow-empty-text")
    assert "a cell is longer than 131,072 letters" in str(result.exception)


RATINGS = "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n"
FILMS = "1193::Caf\u00e9 \"L'Atalante\" (1934)::Drama\n661::James (1996)::Animation|Children's\n"


def test_movielens_files_import_as_downloaded_in_one_command(tmp_path: Path) -> None:
    result = run(
        tmp_path, {"ratings.dat": RATINGS, "movies.dat": FILMS.encode("latin-1")},
        "--columns", "user_id,item_id,rating,timestamp", "--items", str(tmp_path / "movies.dat"),
        "--item-columns", "item_id,title,genres", "--split-field", "genres=|", "--delimiter", "::",
        "--encoding", "latin-1", log="ratings.dat",
    )  # fmt: skip
    assert result.exit_code == 0, result.exception
    assert items_of(tmp_path)["1193"] == {"title": 'Caf\u00e9 "L\'Atalante" (1934)', "genres": ["Drama"]}
    assert items_of(tmp_path)["661"]["genres"] == ["Animation", "Children's"]
    assert "2 users, 2 items, 3 interactions" in result.output


def test_a_tab_may_be_written_as_backslash_t(tmp_path: Path) -> None:
    text = LOG.replace(",", "\t")
    result = run(tmp_path, {"log.csv": text}, "--delimiter", "\\t", "--allow-empty-text")
    assert result.exit_code == 0, result.exception


def test_a_date_column_of_parquet_is_a_time(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    days = pa.array([19_000, 19_001, 19_002], pa.int32()).cast(pa.date32())
    table = pa.table({"user_id": ["u"] * 3, "item_id": ["a", "b", "c"], "timestamp": days})
    pq.write_table(table, tmp_path / "log.parquet")
    plain = run(tmp_path, {}, "--allow-empty-text", log="log.parquet")
    assert "--time-format iso" in str(plain.exception)
    assert run(tmp_path, {}, "--allow-empty-text", "--time-format", "iso", log="log.parquet").exit_code == 0
    assert load_folder(tmp_path / "out", Reading(allow_empty_text=True)).times.tolist()[0] == 19_000 * 86_400


def test_parquet_texts_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    bad = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"user_id": bad, "item_id": ["a"], "timestamp": [1]}), tmp_path / "log.parquet")
    result = run(tmp_path, {}, "--allow-empty-text", log="log.parquet")
    assert "Parquet file cannot be read: `column user_id: a text is not UTF-8`" in str(result.exception)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_no_data_files(tmp_path: Path, make_folder) -> None:
    os.mkfifo(tmp_path / "log.csv.gz")
    result = run(tmp_path, {}, "--allow-empty-text", log="log.csv.gz")
    assert "is not a regular file: `log.csv.gz`" in str(result.exception)
    folder = make_folder({"items.jsonl": None})
    (folder / "items.jsonl").symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"`items\.jsonl` is no regular file \(other\)"):
        load_folder(folder)


def test_a_broken_link_is_no_absent_file(make_folder) -> None:
    folder = make_folder({})
    (folder / "users.jsonl").symlink_to("nowhere")
    with pytest.raises(DataError, match=r"`users\.jsonl` is no regular file \(broken link\)"):
        load_folder(folder)


def test_a_path_that_is_too_long_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be looked at: File name too long"):
        load_folder(tmp_path / ("x" * 300))
    result = run(tmp_path, {}, "--allow-empty-text", log="x" * 300 + ".csv")
    assert "File name too long" in str(result.exception)


def test_a_gzip_file_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lines, "UNPACKED_FREE", 1 << 20)
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b'{"a":1}\n' * 400_000))
    defects = Defects()
    assert len(list(records(tmp_path / "x.jsonl.gz", defects))) < 400_000
    assert "gzip file unpacks to more than 200 times its size" in str(defects.found[0])


def test_a_parquet_file_of_rows_without_end_is_refused(tmp_path: Path, monkeypatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr(parquet, "ROWS_FREE", 10_000)
    columns = {"user_id": ["u"] * 3_000_000, "item_id": ["a"] * 3_000_000, "timestamp": [1] * 3_000_000}
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    result = run(tmp_path, {}, "--allow-empty-text", log="log.parquet")
    assert "`log.parquet` claims 3,000,000 rows in" in str(result.exception)


@pytest.mark.parametrize(
    ("texts", "repeated"), [(["x" * 4_000_000], 1), (["x" * 9_000], 1_000)], ids=["one long text", "repeated"]
)
def test_a_parquet_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch, texts, repeated
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr(lines, "UNPACKED_FREE", 1 << 20)
    columns = {"item_id": [f"i{row}" for row in range(repeated)], "title": texts * repeated}
    pq.write_table(pa.table(columns), tmp_path / "i.parquet", compression="zstd")
    result = run(tmp_path, {}, "--items", str(tmp_path / "i.parquet"))
    assert "column `title` of `i.parquet` unpacks to" in str(result.exception)
    named = ("--item-field", "item=item_id")  # a column that nobody reads harms nobody
    result = run(tmp_path, {}, "--items", str(tmp_path / "i.parquet"), *named, "--allow-empty-text")
    assert "unpacks" not in str(result.exception)


def test_a_cell_of_parquet_is_no_longer_than_a_line(tmp_path: Path, monkeypatch) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr(parquet, "LONGEST_LINE", 1_000)
    columns = {"item_id": ["a"], "tags": [["short", "x" * 2_000]]}
    pq.write_table(pa.table(columns), tmp_path / "i.parquet")
    result = run(tmp_path, {}, "--items", str(tmp_path / "i.parquet"))
    assert "a cell of column `tags` is 2,000 bytes long, 1,000 are allowed" in str(result.exception)


NO_PYTHON_VALUE = {"date32": 1 << 30, "date64": 1 << 62, "timestamp[us]": 1 << 62, "zone": 1, "binary": 1}


@pytest.mark.parametrize("kind", NO_PYTHON_VALUE)
@pytest.mark.parametrize("table", ["log", "items", "users", "new items", "folder"])
def test_parquet_values_that_python_has_not_are_named(tmp_path: Path, kind, table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"date32": pa.date32(), "date64": pa.date64(), "timestamp[us]": pa.timestamp("us")}
    raw = pa.array([NO_PYTHON_VALUE[kind]], pa.int32() if kind == "date32" else pa.int64())
    odd = raw.cast(pa.timestamp("us", "Nowhere/Place")) if kind == "zone" else None
    odd = pa.array(["x"]) if kind == "binary" else odd if odd is not None else raw.view(types[kind])
    ids = {"user_id": pa.array(["u"]), "item_id": pa.array(["a"])}
    if kind == "binary":
        ids["item_id"] = pa.Array.from_buffers(
            pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
        )
        ids["user_id"] = ids["item_id"]
    if table == "users":
        del ids["item_id"]
    (tmp_path / "folder").mkdir()
    file = tmp_path / ("folder/interactions.parquet" if table == "folder" else "x.parquet")
    pq.write_table(pa.table({**ids, "timestamp": odd, "title": odd}), file)
    if table in ("log", "items", "users"):
        options = ("--allow-empty-text",) if table == "log" else (f"--{table}", str(file))
        caught = run(tmp_path, {}, *options, log="x.parquet" if table == "log" else "log.csv").exception
    else:
        (tmp_path / "folder" / "items.jsonl").write_text('{"item_id": "a", "title": "A"}\n')
        with pytest.raises(DataError) as found:
            read_new_items(file, Items(("z",), {})) if table == "new items" else load_folder(file.parent)
        caught = found.value
    assert isinstance(caught, DataError)
    assert "Parquet file cannot be read: `column " in str(caught)
    assert str(file) in str(caught)


def test_parquet_values_come_as_the_file_has_them(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        "text": pa.array(["a", None]),
        "large": pa.array([b"a", b"b"], pa.large_binary()),
        "view": pa.array(["a", "b"], pa.string_view()),
        "lists": pa.array([["a", None], []]),
        "struct": pa.array([{"a": "x", "b": [{"c": "y"}]}, None]),
        "map": pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string())),
        "category": pa.array(["a", "b"]).dictionary_encode(),
        "nothing": pa.array([None, None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    (batch,) = parquet.parquet_batches(tmp_path / "x.parquet", list(columns))
    assert batch.to_pydict() == pq.read_table(tmp_path / "x.parquet").to_pydict()


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE", 1_000)
    (tmp_path / "x.jsonl").write_bytes(b"x" * 5_000)
    defects = Defects()
    assert list(records(tmp_path / "x.jsonl", defects)) == []
    assert "line is too long" in str(defects.found[0])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_table_of_wide_letters_is_imported(tmp_path: Path, encoding) -> None:
    items = 'item_id,title\r\na,Comb ਅ\nb,Soap\nc,"Gel\n2"'
    files = {
        "i.csv": ("\ufeff" * encoding.endswith("e") + items).encode(encoding),
        "log.csv": LOG.encode(encoding),
    }
    cut = run(tmp_path, {"log.csv": files["log.csv"][:-1]}, "--encoding", encoding)
    assert f"log.csv:4: line is not {encoding}" in str(cut.exception)
    result = run(tmp_path, files, "--encoding", encoding, "--items", str(tmp_path / "i.csv"))
    assert result.exit_code == 0, result.exception
    assert [fields["title"] for fields in items_of(tmp_path).values()] == ["Comb ਅ", "Soap", "Gel\n2"]


@pytest.mark.parametrize("encoding", ["punycode", "idna", "undefined", "\0", "rot13", "base64", "x" * 500])
def test_an_encoding_that_is_none_of_texts_is_refused(tmp_path: Path, encoding) -> None:
    result = run(tmp_path, {"log.csv": LOG + "ü-,b.,9\n"}, "--encoding", encoding, "--allow-empty-text")
    assert isinstance(result.exception, DataError)


@pytest.mark.parametrize("form", ["%d%d", "%c%c", "%Z%Z"])
def test_a_time_format_that_names_a_part_twice_is_refused(tmp_path: Path, form) -> None:
    result = run(tmp_path, {}, "--time-format", form, "--allow-empty-text")
    assert f"`{form}` is no time format: it names a part of a time twice" in str(result.exception)
