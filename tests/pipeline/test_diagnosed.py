"""Runs before the doctor: in their report, opened later, and with identifiers that no encoder made."""

from __future__ import annotations

import json
import shutil

import pytest

from genrec_core import GenrecError
from genrec_core.identifiers.diagnosis.diagnosis import Depth, examine
from genrec_core.pipeline.diagnosed import inputs_of
from genrec_core.pipeline.run_folder import REPORT
from genrec_core.pipeline.run_reader import open_run


@pytest.fixture
def given(run, pipeline_file, tmp_path):
    """Runs the quick pipeline with identifiers from a file beside it."""
    rows = [{"item_id": f"i{n}", "sid": [f"<a_{n // 4}>", f"<b_{n % 4}>"]} for n in range(12)]
    (tmp_path / "sids.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    block = "{use: core/given, file: sids.jsonl}"
    pipeline_file.write_text(pipeline_file.read_text().replace("{use: quick/numbers, base: 4}", block))
    return run


def test_a_run_is_examined_with_the_embeddings_its_tokenizer_had(run, registry):
    inputs = inputs_of(open_run(run().folder, registry))
    found = examine(inputs)
    assert (found.health["distinct"], found.space) == (12, "quick/lengths")
    assert found.neighbours.queries == 12
    assert found.reconstruction is None, "its tokenizer has no code books"


def test_embeddings_that_are_gone_end_the_examination_but_not_a_quick_one(run, registry):
    opened = open_run(run().folder, registry)
    shutil.rmtree(opened.artefact("embed"))
    assert examine(inputs_of(opened), Depth(full=False)).health["distinct"] == 12
    with pytest.raises(GenrecError, match="the artefact of `embed`"):
        examine(inputs_of(opened))


def test_a_pipeline_runs_on_given_identifiers_and_its_report_says_what_is_missing(given, registry):
    finished = given()
    assert finished.metrics["identifiers"]["distinct"] == 12
    assert finished.metrics["identifiers"]["new_tokens"] == 7
    assert "not examined: neighbours: no embeddings" in (finished.folder / REPORT).read_text()
    assert inputs_of(open_run(finished.folder, registry)).vectors is None


def test_another_content_of_the_file_names_items_anew(given, tmp_path):
    first = given()
    text = (tmp_path / "sids.jsonl").read_text()
    (tmp_path / "sids.jsonl").write_text(text.replace("<b_3>", "<b_9>"))
    again = given()
    assert again.done.outcomes["tokenize"] == "run"
    assert again.done.outcomes["data"] == first.done.outcomes["data"].replace("run", "reused")
