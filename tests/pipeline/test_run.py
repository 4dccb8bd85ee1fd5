"""Runs: what they leave, how they go on after trouble, several seeds, identifiers that training replaces."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest

from genrec_core.contracts.errors import ContractError, GenrecError, StageError
from genrec_core.pipeline.graph import Graph
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import StageSelection, run_pipeline, run_seeds
from genrec_core.pipeline.run_reader import open_run
from genrec_core.store.store import Store


def without_cost(metrics):
    return {key: value for key, value in metrics.items() if key != "cost"}


def test_a_run_folder_holds_everything_that_was_promised(run, tmp_path):
    finished = run()
    names = {path.name for path in finished.folder.iterdir()}
    assert {
        "pipeline.yaml",
        "plan.json",
        "metrics.json",
        "log.jsonl",
        "report.html",
        "ranks.safetensors",
    } <= names
    metrics = json.loads((finished.folder / "metrics.json").read_text())
    assert len(metrics["protocol"]["hash"]) == 12
    assert {"recall@1", "recall@5"} <= set(metrics["test"])
    assert metrics["baselines"]["core/popular"]["recall@5"] >= 0
    assert metrics["identifiers"]["collision_rate"] == 0
    assert metrics["cost"]["train.count"]["tokens"] == 10
    assert metrics["cost"]["recommend"]["tokens"] == 2 * 2 * 5 * 20  # two views, two tokens, five beams
    assert (tmp_path / "runs" / "quick" / "latest").resolve() == finished.folder
    with gzip.open(finished.folder / "recommendations.jsonl.gz", "rt") as file:
        lines = [json.loads(line) for line in file]
    assert len(lines) == 20
    assert set(lines[0]) >= {"user", "items", "scores", "how"}


def test_the_resolved_pipeline_runs_again_as_it_is(run, environment):
    finished = run()
    again = run_pipeline(load_pipeline(finished.folder / "pipeline.yaml", environment.registry), environment)
    assert set(again.done.outcomes.values()) == {"reused"}


def test_two_fresh_stores_give_identical_metrics(load, environment, tmp_path):
    other = replace(environment, store=Store(tmp_path / "store2"), runs=tmp_path / "runs2")
    first, second = run_pipeline(load(), environment), run_pipeline(load(), other)
    assert without_cost(first.metrics) == without_cost(second.metrics)


def test_a_flipped_byte_is_noticed_and_the_artefact_made_anew(run):
    first = run()
    table = first.done.folders["train.count"] / "models" / "main" / "table.json"
    body = bytearray(table.read_bytes())
    body[3] ^= 1
    table.write_bytes(bytes(body))
    again = run()
    assert again.done.outcomes["train.count"] == "run"
    reason = again.done.plan.entry("train.count").reason
    assert "models/main/table.json" in reason.what
    assert again.metrics["test"] == first.metrics["test"]


def test_a_stage_that_breaks_names_itself_and_keeps_the_others(run):
    with pytest.raises(
        StageError, match=r"stage `train\.count` failed: ValueError: the loss exploded"
    ) as caught:
        run("train.count.fail=value")
    assert "quick_plugin.py" in caught.value.where
    assert any("train.count" in note for note in caught.value.__notes__)
    assert run().done.outcomes["tokenize"] == "reused"


def test_a_failed_run_leaves_no_latest_and_a_log_that_says_why(run, tmp_path):
    with pytest.raises(StageError):
        run("train.count.fail=value")
    home = tmp_path / "runs" / "quick"
    assert not (home / "latest").exists()
    events = [json.loads(line) for log in home.glob("2*/log.jsonl") for line in log.read_text().splitlines()]
    failed = [event for event in events if event.get("outcome") == "failed"]
    assert [event["stage"] for event in failed] == ["train.count"]
    assert "the loss exploded" in failed[0]["error"]


def test_checkpoints_survive_a_failure_and_go_when_the_artefact_stands(
    run, environment, monkeypatch, registry
):
    trainer = registry.resolve("trainer", "quick/counting")
    original = trainer.train

    def broken(self, *arguments):
        original(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "train", broken)
    with pytest.raises(KeyboardInterrupt):
        run()
    kept = list((environment.store.root / "workspaces").glob("*/checkpoint.json"))
    assert len(kept) == 1
    monkeypatch.setattr(trainer, "train", original)
    run()
    assert not kept[0].exists()


def test_identifiers_that_training_learns_are_read_by_every_later_stage(run, registry):
    finished = run("train.count.use=quick/renaming")
    opened = open_run(finished.folder, registry)
    assert opened.catalogue.identifiers.tokens(0) == ("<a0>", "<b0>", "<x>")
    assert finished.metrics["test"]["vr@5"] == 1.0
    assert finished.metrics["identifiers"]["length"]["min"] == 3


def test_a_trainer_that_hides_new_identifiers_breaks_its_contract(run):
    with pytest.raises(ContractError, match="without having said so"):
        run("train.count.use=quick/sneaky")


def test_too_few_answers_break_the_contract(run):
    with pytest.raises(ContractError, match="gave 19 answers to 20 requests"):
        run("recommend.short=true")


def test_a_step_can_leave_its_model_in_another_slot(pipeline_file, load, run):
    text = pipeline_file.read_text()
    text = text.replace("quick/follow", "quick/pair")
    text = text.replace(
        "recommend:",
        "  finish: {use: quick/counting, corpora: [quick/next], from: main, to: finisher}\nrecommend:",
    )
    pipeline_file.write_text(text)
    finished = run()
    stage = finished.done.plan.entry("recommend").stage
    assert stage.inputs["model.main"] == "train.count"
    assert stage.inputs["model.finisher"] == "train.finish"


def test_encoders_named_twice_are_embedded_once(load, registry, environment):
    graph = Graph(load("tokenizer.encoder={use: quick/lengths}"), registry)
    assert [name for name in graph.stages if name.startswith("embed")] == ["embed"]


def test_several_seeds_share_what_no_seed_touches_and_report_the_spread(load, environment, tmp_path):
    finished = run_seeds(load(), environment, [1, 2, 3])
    outcomes = [run.done.outcomes for run in finished.runs.values()]
    assert [outcome["data"] for outcome in outcomes] == ["run", "reused", "reused"]
    assert [outcome["train.count"] for outcome in outcomes] == ["run"] * 3
    values = [run.metrics["test"]["recall@5"] for run in finished.runs.values()]
    assert finished.metrics["test"]["recall@5"] == pytest.approx(sum(values) / 3)
    assert finished.metrics["spread"]["test"]["recall@5"]["n"] == 3
    assert (finished.folder / "seed-2" / "metrics.json").exists()
    page = (finished.folder / "report.html").read_text()
    assert [page.count(f'href="seed-{seed}/report.html"') for seed in (1, 2, 3)] == [1, 1, 1]
    assert page.count('class="mark"') == 2 * 3, "in two plots: each seed of the model is a dot"
    assert (tmp_path / "runs" / "quick" / "latest").resolve() == finished.folder


def test_several_seeds_of_a_stage_without_results_are_refused(load, environment):
    with pytest.raises(GenrecError, match="no results to average"):
        run_seeds(load(), environment, [1, 2], StageSelection(only="tokenize"))


def test_observers_are_told_and_one_that_raises_is_left_out(run, tmp_path, capsys):
    notes = tmp_path / "notes.txt"
    run(f"observe=[{{use: quick/scribe, path: {notes}}}, {{use: quick/scribe, path: {notes}, fail: true}}]")
    lines = notes.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("started", "finished")
    assert "train.count run" in lines
    assert capsys.readouterr().err.count("is left out") == 1


def test_teachers_answers_are_paid_for_once(run, tmp_path):
    notes = tmp_path / "asked.txt"
    change = f"train.count.ask={{use: quick/parrot, notes: {notes}}}"
    run(change)
    run(change, "train.count.epochs=2")
    assert notes.read_text().splitlines() == ["5"]


def test_an_opened_run_recommends(run, registry):
    finished = run()
    opened = open_run(finished.folder.parent, registry)
    with opened.open() as session:
        (ranked,) = session.recommend([[0, 1, 2]])
    assert opened.catalogue.items.ids[ranked.items[0]] == "i3"


def test_a_run_without_its_artefacts_says_how_to_get_them_back(run, registry):
    import shutil

    finished = run()
    shutil.rmtree(finished.done.folders["model"])
    with pytest.raises(GenrecError, match="artefact of `model`") as caught:
        open_run(finished.folder, registry).catalogue  # noqa: B018 - reading it is the point
    assert "genrec run" in caught.value.hint
