"""`genrec think-ahead`: fills a store from a finished run, and goes on where it was stopped."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from genrec_plugin_onerec_think import command
from genrec_plugin_onerec_think.store import open_store

from genrec_core import GenrecError
from genrec_core.cli import main

PIPELINE = {
    "genrec": 1,
    "name": "ahead",
    "seed": 3,
    "data": {"source": {"use": "core/synthetic", "items": 240, "users": 70}},
    "model": {
        "main": {"use": "core/tiny-causal", "hidden": 16, "layers": 1, "heads": 2, "vocabulary": 300},
        "finisher": {"use": "core/tiny-causal", "hidden": 16, "layers": 1, "heads": 2, "vocabulary": 300},
    },
    "tokenizer": {
        "use": "sid/rq-kmeans",
        "levels": 3,
        "codes": 8,
        "begin": "<|item_begin|>",
        "end": "<|item_end|>",
        "collisions": "next-nearest",
    },
    "train": {
        step: {
            "use": "core/sft",
            "corpora": [
                {"use": "onerec-think/next-item", "instruction": "", "question": "\n", "max_per_user": 2}
            ],
            "max_steps": 3,
            "from": slot,
        }
        for step, slot in (("slow", "main"), ("quick", "finisher"))
    },
    "recommend": {
        "use": "onerec-think/think-ahead",
        "thinker": {"use": "core/think", "budget": 4},
        "depth": 1,
        "beams": 10,
    },
    "evaluate": {"valid": False, "baselines": [], "resamples": 0},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a finished run."""
    folder = tmp_path_factory.mktemp("ahead")
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(PIPELINE))
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "run",
                str(folder / "pipeline.yaml"),
                "--runs",
                str(folder / "runs"),
                "--store",
                str(folder / "s"),
            ]
        )
    assert not ended.value.code
    return folder


@pytest.fixture
def run(folder):
    return folder / "runs" / "ahead" / "latest"


@pytest.fixture
def genrec(capsys):
    """Runs a command; gives its exit code and what it printed."""

    def go(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        shown = capsys.readouterr()
        return ended.value.code or 0, shown.out, shown.err

    return go


def test_both_models_are_judged_in_one_run_and_what_was_prepared_is_counted(run):
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    (counted,) = (line for line in log if line["event"] == "think-ahead")
    assert counted["ahead"] == 70
    (cost,) = (line for line in log if line["event"] == "recommended")
    assert cost["think_tokens"] > 0
    assert cost["prefix_tokens"] > 0
    assert cost["finish_tokens"] > 0


def test_every_user_is_thought_of_once_and_who_is_up_to_date_is_passed_over(genrec, run, tmp_path):
    store = tmp_path / "ahead.sqlite"
    assert genrec("think-ahead", run, "--store", store, "--limit", 5)[:2] == (
        0,
        f"5 users thought of, 0 were up to date; {store}\n",
    )
    assert genrec("think-ahead", run, "--store", store)[1].startswith(
        "65 users thought of, 5 were up to date"
    )
    with open_store(str(store)) as opened:
        entries = opened.get(sorted(opened.users()))
    assert len(entries) == 70
    for entry in entries:
        assert 1 <= len(entry.prefixes) <= 10
        assert {len(prefix) for prefix in entry.prefixes} == {2}
        assert {prefix[0] for prefix in entry.prefixes} == {"<|item_begin|>"}
        assert list(entry.scores) == sorted(entry.scores, reverse=True)
        assert entry.history
    assert genrec("think-ahead", run, "--store", store)[1].startswith(
        "0 users thought of, 70 were up to date"
    )


def test_histories_of_your_own_are_thought_about_and_a_longer_one_again(genrec, run, tmp_path):
    store, newest = tmp_path / "ahead.sqlite", tmp_path / "newest.jsonl"
    newest.write_text('{"user_id": "new", "item_ids": ["i001", "i002"]}\n')
    arguments = ("think-ahead", run, "--store", store, "--histories", newest)
    assert genrec(*arguments)[1].startswith("1 users thought of")
    newest.write_text('{"user_id": "new", "item_ids": ["i001", "i002", "i003"]}\n')
    assert genrec(*arguments)[1].startswith("1 users thought of, 0 were up to date")
    with open_store(str(store)) as opened:
        (entry,) = opened.get(["new"])
    assert entry.history == ("i001", "i002", "i003")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no json", r"newest\.jsonl:1: this line is no history"),
        ('{"user_id": "u"}', r"newest\.jsonl:1: this line is no history: 'item_ids'"),
        ('{"user_id": "u", "item_ids": ["tent"]}', r"newest\.jsonl:1: item `tent` is not in the catalogue"),
    ],
)
def test_histories_that_cannot_be_read_are_named_by_line(genrec, run, tmp_path, line, message):
    newest = tmp_path / "newest.jsonl"
    newest.write_text(line + "\n")
    code, _, error = genrec("think-ahead", run, "--store", tmp_path / "s", "--histories", newest)
    assert code == 2
    assert re.search(message, error)
    assert "Traceback" not in error


def test_a_fill_that_was_killed_goes_on_and_thinks_of_nobody_twice(genrec, run, tmp_path, monkeypatch):
    """The process ends in the middle of the third batch, as a kill would end it."""
    store, asked = tmp_path / "ahead.sqlite", tmp_path / "asked.txt"
    program = f"""
import os
from genrec_plugin_onerec_think import command
command.BATCH = 16
thinking, batches = command._thinker, []
def spied(opened):
    session = thinking(opened)
    real = session.recommend
    def recommend(requests):
        batches.append(1)
        if len(batches) == 3:
            os._exit(9)
        with open({str(asked)!r}, "a") as file:
            file.writelines(request.user + "\\n" for request in requests)
        return real(requests)
    session.recommend = recommend
    return session
command._thinker = spied
from genrec_core.cli import main
main(["think-ahead", {str(run)!r}, "--store", {str(store)!r}])
"""
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert killed.returncode == 9, killed.stderr
    first = asked.read_text().split()
    with open_store(str(store)) as opened:
        assert set(opened.users()) == set(first)
    assert len(first) == 32

    later = []
    thinking = command._thinker

    def spied(opened):
        session = thinking(opened)
        real = session.recommend
        session.recommend = lambda requests: later.extend(r.user for r in requests) or real(requests)
        return session

    monkeypatch.setattr(command, "_thinker", spied)
    assert genrec("think-ahead", run, "--store", store)[1].startswith(
        "38 users thought of, 32 were up to date"
    )
    assert not set(first) & set(later)
    assert len(first) + len(later) == 70


def test_the_finished_run_is_answered_from_the_store_that_its_pipeline_names(genrec, tmp_path, monkeypatch):
    """The run itself thinks on the spot, also where a store is there; who opens it later reads the store."""
    from genrec_core import Request
    from genrec_core.pipeline.run_reader import open_run
    from genrec_core.registry.discovery import load_plugins

    store = tmp_path / "ahead.sqlite"
    pipeline = {**PIPELINE, "recommend": {**PIPELINE["recommend"], "store": str(store)}}
    (tmp_path / "pipeline.yaml").write_text(yaml.safe_dump(pipeline))
    open_store(str(store)).close()
    code, _, error = genrec(
        "run", tmp_path / "pipeline.yaml", "--runs", tmp_path / "runs", "--store", tmp_path / "s"
    )
    assert code == 0, error
    run = tmp_path / "runs" / "ahead" / "latest"
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["ahead"] for line in log if line["event"] == "think-ahead"] == [70]

    assert genrec("think-ahead", run, "--limit", 3)[1].startswith("3 users thought of")
    with open_store(str(store)) as entries:
        user = next(iter(entries.users()))
        (entry,) = entries.get([user])
    opened = open_run(run, load_plugins()[0])
    with opened.open() as session:
        (known, _), (stranger, _) = session.answers([Request(user, (1, 2)), Request("stranger", (1, 2))])
    assert {beam.tokens[:2] for beam in known.beams} <= set(entry.prefixes)
    assert known.thought == entry.thought
    assert "think" not in known.phases
    assert "prefix" not in stranger.phases
    store.unlink()
    said = []
    from genrec_core import Context

    with opened.open(Context(log=lambda event, **values: said.append((event, values)))) as session:
        ((answer, _),) = session.answers([Request(user, (1, 2))])
    assert answer.phases["think"] > 0
    assert said[0][0] == "warning"
    assert "there is no think-ahead store" in said[0][1]["message"]


def test_a_run_of_another_model_finishes_what_a_run_that_thinks_has_prepared(genrec, folder, run, tmp_path):
    """The finisher's pipeline shares data and identifiers, has one model, and is judged with the store."""
    store = tmp_path / "ahead.sqlite"
    pipeline = {key: value for key, value in PIPELINE.items() if key != "train"}
    pipeline |= {"name": "finisher", "model": PIPELINE["model"]["finisher"]}
    pipeline["train"] = {"sft": {**PIPELINE["train"]["quick"], "from": "main", "max_steps": 5}}
    pipeline["recommend"] = {"use": "onerec-think/finish", "store": str(store), "beams": 10}
    (tmp_path / "finisher.yaml").write_text(yaml.safe_dump(pipeline))
    arguments = (tmp_path / "finisher.yaml", "--runs", tmp_path / "runs", "--store", folder / "s")
    code, _, error = genrec("check", arguments[0])
    assert code == 2
    assert "ahead.sqlite" in error
    genrec("think-ahead", run, "--store", store, "--limit", 50)
    assert genrec("run", *arguments)[0] == 0
    assert genrec("think-ahead", run, "--store", store)[1].startswith(
        "20 users thought of, 50 were up to date"
    )
    assert genrec("run", *arguments)[0] == 0
    counted = []
    for log in sorted((tmp_path / "runs" / "finisher").glob("2*/log.jsonl")):
        lines = map(json.loads, log.read_text().splitlines())
        counted += [
            (line["ahead"], line.get("missing", 0)) for line in lines if line["event"] == "think-ahead"
        ]
    assert counted == [(50, 20), (70, 0)]


def test_a_run_that_names_no_store_is_told_to(genrec, run):
    code, _, error = genrec("think-ahead", run)
    assert code == 2
    assert "recommender `onerec-think/think-ahead` of this run names no store" in error
    assert "write --store ahead.sqlite" in error


PAGE = Path(__file__).resolve().parents[3] / "docs" / "think-ahead.md"


def blocks(language):
    """The examples of docs/think-ahead.md in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_pages_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(compile(code, str(PAGE), "exec"), {})
    assert (tmp_path / "ahead.sqlite").is_file()


def test_the_pages_pipeline_with_two_models_checks(genrec, tmp_path):
    (two,) = (block for block in blocks("yaml") if "thinker" in block)
    (tmp_path / "two.yaml").write_text(
        "genrec: 1\nname: two\ndata: {source: core/synthetic}\ntokenizer: sid/rq-kmeans\n" + two
    )
    assert genrec("check", tmp_path / "two.yaml")[0] == 0


def test_several_processes_do_not_think_ahead(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(GenrecError, match="`WORLD_SIZE` is `2`: several processes were started"):
        command.think_ahead.callback(*[None] * 7)
