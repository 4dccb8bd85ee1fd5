"""Times that no unit explains are refused; what is odd about others is said, by imports and `data check`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from genrec_core import Context, DataError
from genrec_core.builtin.folder import Folder
from genrec_core.cli.data import data
from genrec_core.data.folder import Reading, load_folder
from genrec_core.data.frames import from_frames
from tests.data.imports import run

HEAD = "user_id,item_id,timestamp\n"
JANUARY = "times, all of them in January 1970: is the unit (`--time-format`) the true one?"


@pytest.mark.parametrize(
    ("moments", "time_format", "years"),
    [
        (["9999-12-31", "2023-05-01", "2023-05-02"], "iso", "2023 and 9999"),
        (["31.12.9999", "01.05.2023", "02.05.2023"], "%d.%m.%Y", "2023 and 9999"),
        (["1700000000", "17000000001", "1700000002"], "seconds", "2023 and 2508"),
        (["1700000000000", "17000000000001", "1700000000002"], "milliseconds", "2023 and 2508"),
    ],
)
def test_a_date_that_stands_for_no_time_is_no_last_choice(
    tmp_path: Path, moments: list[str], time_format: str, years: str
) -> None:
    text = HEAD + "".join(f"u,{item},{moment}\n" for item, moment in zip("abc", moments, strict=True))
    result = run(tmp_path, {"log.csv": text}, "--allow-empty-text", "--time-format", time_format)
    assert f"times lie between {years}, as if units were mixed" in str(result.exception)
    assert "9999-12-31, that stands for an unknown time must be left out" in str(result.exception)


def test_a_sequence_with_tenths_of_seconds_is_refused(make_folder) -> None:
    line = '{"user_id":"u","item_ids":["a","b"],"timestamps":[1700000000,17000000001]}\n'
    with pytest.raises(DataError, match="times lie between 2023 and 2508"):
        load_folder(make_folder({"sequences.jsonl": line}))


@pytest.mark.parametrize(
    ("first", "says"), [(0, "1 times later than tomorrow"), (9e7, "3 times later than tomorrow")]
)
def test_times_later_than_tomorrow_are_counted(tmp_path: Path, first: float, says: str) -> None:
    now = time.time()
    text = HEAD + f"u,a,{now - 9e6 + first:.0f}\nu,b,{now + first:.0f}\nu,c,{now + 9e7:.0f}\n"
    result = run(tmp_path, {"log.csv": text}, "--allow-empty-text")
    count, what = says.split(" ", 1)
    assert f"{count:>12}  {what} (up to the year " in result.output
    rest = ", as all times are" if first else " beside earlier ones"
    assert f"){rest}\n" in result.output
    checked = CliRunner().invoke(data, ["check", str(tmp_path / "out"), "--allow-empty-text"])
    assert (checked.exit_code, f"note: {says} (up to the year " in checked.output) == (0, True)


def test_a_run_reads_the_same_notes_on_any_day(tmp_path: Path) -> None:
    text = HEAD + f"u,a,1700000000\nu,b,{time.time() + 9e7:.0f}\n"
    assert run(tmp_path, {"log.csv": text}, "--allow-empty-text").exit_code == 0
    assert Folder(path=tmp_path / "out", allow_empty_text=True).load(Context()).notes == (
        "2 items have no text in any field",
    )


@pytest.mark.parametrize(
    ("moment", "time_format", "said"),
    [
        ("1700000000", "milliseconds", True),
        ("1970-01-01", "iso", True),
        ("01.01.1970", "%d.%m.%Y", True),
        ("1970-02-01", "iso", False),
        ("1700000000000", "milliseconds", False),
        ("3", "seconds", False),
    ],
)
def test_dates_that_all_lie_in_january_1970_are_said(
    tmp_path: Path, moment: str, time_format: str, said: bool
) -> None:
    text = HEAD + f"u,a,{moment}\nu,b,{moment}\n"
    result = run(tmp_path, {"log.csv": text}, "--allow-empty-text", "--time-format", time_format)
    assert result.exit_code == 0, result.exception
    assert (f"           2  {JANUARY}" in result.output) == said


@pytest.mark.parametrize(("unit", "said"), [("ns", True), ("s", False)])
def test_seconds_that_a_frame_holds_as_nanoseconds_are_said(tmp_path: Path, unit: str, said: bool) -> None:
    pa = pytest.importorskip("pyarrow")
    moments = pa.array([1_700_000_000, 1_700_000_001], pa.timestamp(unit))
    log = pa.table({"user_id": ["u", "u"], "item_id": ["a", "b"], "timestamp": moments, "title": ["t", "t"]})
    report = from_frames(log, item_fields={"title": "title"}).save(tmp_path / "out")
    assert ((JANUARY, 2) in report.steps) == said


def test_small_numbers_are_steps_and_no_dates(tmp_path: Path) -> None:
    assert run(tmp_path, {}, "--allow-empty-text").output.count("times") == 0
    checked = CliRunner().invoke(data, ["check", str(tmp_path / "out"), "--allow-empty-text"])
    assert "January" not in checked.output
    assert load_folder(tmp_path / "out", Reading(allow_empty_text=True)).times.tolist() == [1, 2, 3]
