"""`genrec items add`: new items beside known ones, in a run folder of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec_core.identifiers.storage import load_identifiers
from genrec_core.pipeline.run_folder import store_of
from genrec_core.store.content import load_arrays

NEW = """\
{"item_id": "n0", "title": "Thing 03"}
{"item_id": "n1", "title": "Quite another thing"}
"""


@pytest.fixture
def ran(genrec, tmp_path):
    """A finished run, and a file of new items."""
    assert genrec("run", "pipeline.yaml").code == 0
    (tmp_path / "new.jsonl").write_text(NEW)
    return (tmp_path / "runs" / "quick" / "latest").resolve()


@pytest.fixture
def add(genrec, ran):
    def go(*arguments, run="runs/quick/latest"):
        shown = genrec("items", "add", run, *arguments, "--json")
        assert shown.code == 0, shown.err
        return json.loads(shown.out)

    return go


def artefact(run, stage):
    plan = json.loads((Path(run) / "plan.json").read_text())
    (key,) = (one["fingerprint"] for one in plan["stages"] if one["name"] == stage)
    return store_of(Path(run), plan) / f"{stage}-{key[:16]}"


def everything_in(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_new_items_get_identifiers_and_no_old_one_moves_by_a_bit(ran, add):
    grown = add("new.jsonl")
    old = load_identifiers(artefact(ran, "tokenize") / "identifiers")
    new = load_identifiers(artefact(grown["run"], "tokenize") / "identifiers")
    assert (new.codes[: len(old.codes)] == old.codes).all()
    assert new.vocabulary[: len(old.vocabulary)] == old.vocabulary
    assert (new.offsets[:13] == old.offsets).all()
    assert [new.text(item) for item in (12, 13)] == ["<a3><b0>", "<a3><b1>"]


def test_the_run_that_grew_stays_as_it_was(ran, add, tmp_path):
    before = everything_in(ran)
    grown = add("new.jsonl")
    assert everything_in(ran) == before
    assert Path(grown["run"]).resolve().parent == ran.parent
    assert (tmp_path / "runs" / "quick" / "latest").resolve() == ran


def test_new_items_are_told_with_those_they_begin_like_and_those_nearest(add):
    found = add("new.jsonl")
    assert (found["known"], found["new"], found["colliding"]) == (12, 2, 0)
    assert found["sharing"] == {"1": 0, "2": 0}
    first = found["items"][0]
    assert (first["item"], first["identifier"], first["shared"]) == ("n0", "<a3><b0>", 0)
    assert first["nearest"][0] == {"item": "i3", "title": "Thing 03", "cosine": 1.0}
    assert json.loads((Path(found["run"]) / "items.json").read_text())["items"] == found["items"]


def test_embeddings_grow_by_the_new_items_and_keep_the_old_bits(ran, add):
    grown = add("new.jsonl")
    old, new = (
        load_arrays(artefact(run, "embed") / "embeddings.safetensors")[0]["embeddings"]
        for run in (ran, grown["run"])
    )
    assert new.shape == (14, 2)
    assert (new[:12] == old).all()


def test_recommend_and_doctor_work_on_the_grown_run_and_know_the_new_items(genrec, add):
    run = add("new.jsonl")["run"]
    answer = json.loads(genrec("recommend", run, "--history", "n1,i1", "--json").out)
    assert answer["history"][0] == {"item": "n1", "title": "Quite another thing"}
    assert answer["items"][0]["item"] == "i2"
    wide = genrec(
        "recommend", run, "--history", "i1", "--history", "Quite another thing", "-k", "14", "--json"
    )
    assert wide.code == 0
    shown = genrec("doctor", run)
    assert shown.code == 0, shown.err
    assert "14" in shown.out


def test_the_same_items_added_again_are_the_same_run_and_others_are_another(add, tmp_path):
    first = add("new.jsonl")
    before = everything_in(Path(first["run"]))
    assert add("new.jsonl") == first
    after = everything_in(Path(first["run"]))
    assert {path.name for path in before if before[path] != after[path]} <= {"plan.json"}, "outcomes only"
    (tmp_path / "other.jsonl").write_text('{"item_id": "n0", "title": "Thing 99"}')
    assert add("other.jsonl")["run"] != first["run"]


def test_items_are_added_to_a_run_that_grew_before(add, tmp_path):
    once = add("new.jsonl")
    (tmp_path / "more.jsonl").write_text('{"item_id": "m0", "title": "One more"}')
    twice = add("more.jsonl", run=once["run"])
    assert (twice["known"], twice["new"]) == (14, 1)
    (tmp_path / "all.jsonl").write_text(NEW + '{"item_id": "m0", "title": "One more"}')
    together = add("all.jsonl")
    one, other = (
        load_identifiers(artefact(run["run"], "tokenize") / "identifiers") for run in (twice, together)
    )
    assert one.digest == other.digest


def test_a_dry_run_says_the_same_and_writes_nothing(add, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    dry = add("new.jsonl", "--dry-run")
    assert sorted(tmp_path.rglob("*")) == before
    assert dry.pop("run") is None
    wet = add("new.jsonl")
    assert wet.pop("run")
    assert dry == wet


def test_out_names_the_folder_and_holds_nothing_else(genrec, add, tmp_path):
    assert add("new.jsonl", "--out", "runs/spring")["run"] == "runs/spring"
    assert add("new.jsonl", "--out", "runs/spring")["new"] == 2
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    shown = genrec("items", "add", "runs/quick/latest", "new.jsonl", "--out", "taken")
    assert shown.code == 2
    assert "`taken` is there already" in shown.err


def test_the_text_names_what_a_person_wants_to_know(genrec, ran):
    shown = genrec("items", "add", ran, "new.jsonl").out
    assert "2 new items beside 12 known ones" in shown
    assert "n1  <a3><b1>  Quite another thing" in shown
    assert "nearest: i3 Thing 03 (1.00)" in shown
    assert "nothing was written" in genrec("items", "add", ran, "new.jsonl", "--dry-run").out


def test_a_damaged_artefact_is_told_with_the_command_that_makes_it_again(genrec, add):
    run = add("new.jsonl")["run"]
    for file in (artefact(run, "tokenize") / "identifiers").iterdir():
        file.unlink()
    shown = genrec("recommend", run, "--history", "i1")
    assert shown.code == 2
    again = shown.err.rpartition("→ ")[2].splitlines()[0]
    assert again.startswith("genrec items add")
    assert genrec(*again.split()[1:]).code == 0
    assert genrec("recommend", run, "--history", "n0").code == 0


def test_identifiers_that_training_made_are_extended_too(genrec, ran, tmp_path):
    text = (tmp_path / "pipeline.yaml").read_text().replace("quick/counting", "quick/renaming")
    (tmp_path / "renaming.yaml").write_text(text)
    genrec("run", "renaming.yaml")
    shown = json.loads(genrec("items", "add", "runs/quick", "new.jsonl", "--json").out)
    identifiers = load_identifiers(artefact(shown["run"], "tokenize") / "identifiers")
    assert (identifiers.text(0), identifiers.text(12)) == ("<a0><b0><x>", "<a3><b0>")
    assert genrec("recommend", shown["run"], "--history", "n0").code == 0


def line(item_id, title="A", field="title"):
    return json.dumps({"item_id": item_id, field: title})


BAD = {
    "known id": (
        [line("n0"), line("i3")],
        "new.jsonl:2: item is in the catalogue already: `i3`",
        "of its own",
    ),
    "known ids": ([line("i1"), line("i3")], "(2 times): `i1` (line 1), `i3` (line 2)", "of its own"),
    "misspelt field": (
        [line("n0", field="titel")],
        "new.jsonl:1: items of the catalogue have no",
        "are: title",
    ),
    "no text": ([line("n0", " ")], "new.jsonl:1: item has no text", "--allow-empty-text"),
    "id twice": ([line("n0"), line("n0", "B")], "new.jsonl:2: item id occurs twice: `n0`", "line 1"),
    "id that is a number": ([line(7)], "new.jsonl:1: `item_id` is not a string: `7`", "in quotes"),
    "cut line": ([line("n0")[:-1]], "new.jsonl:1: line is not JSON", "one complete JSON object"),
    "nothing": ([], "file is empty", "one JSON object a line"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_items_are_refused_with_their_lines_and_nothing_is_written(genrec, ran, tmp_path, case):
    lines, wrong, advice = BAD[case]
    (tmp_path / "new.jsonl").write_text("\n".join(lines))
    before = sorted(tmp_path.rglob("*"))
    shown = genrec("items", "add", "runs/quick/latest", "new.jsonl")
    assert shown.code == 2
    assert wrong in shown.err
    assert advice in shown.err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_or_a_run_that_is_not_there_is_named(genrec, ran):
    shown = genrec("items", "add", "runs/quick/latest", "none.jsonl")
    assert (shown.code, "none.jsonl" in shown.err, "Traceback" in shown.err) == (2, True, False)
    assert "is no run folder" in genrec("items", "add", "runs/none", "new.jsonl").err


def test_a_tokenizer_that_cannot_name_new_items_says_so(genrec, ran, monkeypatch):
    from quick_plugin import Numbers

    from genrec_core import Tokenizer

    monkeypatch.setattr(Numbers, "extend", Tokenizer.extend)
    shown = genrec("items", "add", "runs/quick/latest", "new.jsonl")
    assert shown.code == 2
    assert "`quick/numbers` cannot name items that it was not fitted on" in shown.err


@pytest.mark.parametrize("killed_at", ["pipeline.yaml", "new-items.jsonl", "items.json", "plan.json"])
def test_adding_that_was_killed_between_two_files_can_be_repeated(ran, add, genrec, monkeypatch, killed_at):
    from genrec_core.pipeline import add_items, run_folder

    def killed(write):
        def go(path, *rest):
            if path.name == killed_at:
                raise MemoryError("killed here")
            write(path, *rest)

        return go

    with monkeypatch.context() as patch:
        for name in ("write_pipeline", "write_records", "write_readable"):
            patch.setattr(add_items, name, killed(getattr(add_items, name)))
        assert genrec("items", "add", "runs/quick/latest", "new.jsonl").code == 2
    assert not [path for path in ran.parent.iterdir() if path.name.startswith(f"{ran.name}+")], "whole or not"
    grown = add("new.jsonl")
    assert sorted(path.name for path in Path(grown["run"]).iterdir()) == sorted(
        [run_folder.PIPELINE, run_folder.PLAN, run_folder.ITEMS, run_folder.NEW_ITEMS]
    )
    assert not list(ran.parent.glob(f".{ran.name}*")), "what the killed command left was swept away"
