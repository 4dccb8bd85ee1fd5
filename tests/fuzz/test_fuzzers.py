"""A short run of every fuzzer; `python -m tests.fuzz.folders --count 10000` is a long one."""

from __future__ import annotations

import dataclasses
import gzip
import json

import pytest

from genrec_core.data import folder, importing
from tests.fuzz import folders, imports, pipelines
from tests.fuzz.common import fuzz, tried

SHORT = {"pipelines": (pipelines.check, 60), "folders": (folders.check, 100), "imports": (imports.check, 120)}
"""Fuzzer → how it makes an input, and how many are tried for each seed."""


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SHORT)
def test_odd_input_is_accepted_rightly_or_refused_with_a_message(name, seed):
    check, count = SHORT[name]
    assert fuzz(check, count, seed) == []


def test_a_fuzzer_notices_a_traceback_and_a_wrong_acceptance():
    def broken():
        raise KeyError("x")

    assert "KeyError" in tried(broken)
    assert tried(lambda: "accepted 3") == "accepted 3"


FOLDER = {
    "items.jsonl": b'{"item_id":"a","title":"A"}\n{"item_id":"b","title":"B"}\n',
    "interactions.jsonl.gz": gzip.compress(
        b'{"user_id":"u","item_id":"a","timestamp":1}\n{"user_id":"u","item_id":"b","timestamp":2}\n'
    ),
}


def test_the_oracle_of_folders_notices_an_item_that_no_line_named(monkeypatch):
    assert folders.attempt(FOLDER, folder.Reading()) == ""
    right = folder.sequences_of

    def wrong(events, users):
        return right(dataclasses.replace(events, item=events.item * 0), users)

    monkeypatch.setattr(folder, "sequences_of", wrong)
    assert "not in the files: {('u', 'a', 2.0): 1}" in folders.attempt(FOLDER, folder.Reading())


TABLES = {
    "log.csv": b"user_id,item_id,timestamp\nu,a,1\nu,b,2\nv,a,3\n",
    "items.jsonl": b"".join(json.dumps({"item_id": i, "title": i}).encode() + b"\n" for i in "ab"),
}
OPTIONS = ["--time-format", "seconds", "--items", "items.jsonl"]


def test_the_oracle_of_imports_notices_a_row_lost_uncounted(monkeypatch):
    assert imports.attempt(TABLES, OPTIONS) == ""
    right = importing._deduplicated

    def wrong(events, dedupe, report):
        return right(events.kept(events.time > 1), dedupe, report)

    monkeypatch.setattr(importing, "_deduplicated", wrong)
    assert imports.attempt(TABLES, OPTIONS) == "3 read, 0 dropped, 2 kept"


@pytest.mark.parametrize("text", [pipelines.PIPELINE, pipelines.FULL])
def test_what_is_broken_is_accepted_whole(text):
    """From a pipeline that is refused as it stands the fuzzer would learn nothing."""
    assert pipelines.attempt(text, ()) == ""
