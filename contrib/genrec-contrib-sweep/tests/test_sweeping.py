"""Sweeps: shared stages once, selected by validation rows, test rows once, going on where it stopped."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from genrec_contrib_sweep.space import Over, Proposals, changes_of, combinations, parse_over
from genrec_contrib_sweep.sweeping import SweepRequest, run_sweep

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.run_reader import open_run
from genrec_core.pipeline.runner import Runner
from genrec_core.store.references import prune

BEAMS, EPOCHS = "recommend.beams=5,8", "train.count.epochs=1,2,3"


@pytest.fixture
def sweep(pipeline_file, environment):
    def go(*overs, **more):
        return run_sweep(SweepRequest(pipeline_file, tuple(map(parse_over, overs)), **more), environment)

    return go


@pytest.fixture
def made(monkeypatch):
    """How often each stage was made."""
    counted = Counter()
    original = Runner._build

    def build(self, entry, folder):
        counted[entry.stage.name] += 1
        return original(self, entry, folder)

    monkeypatch.setattr(Runner, "_build", build)
    return counted


def test_every_combination_is_tried_and_what_they_share_is_made_once(sweep, made):
    swept = sweep(EPOCHS, BEAMS)
    assert [dict(trial.values) for trial in swept.trials] == [
        {"train.count.epochs": epochs, "recommend.beams": beams} for epochs in (1, 2, 3) for beams in (5, 8)
    ]
    assert (made["data"], made["embed"], made["tokenize"], made["model"]) == (1, 1, 1, 1)
    assert made["train.count"] == 3, "beams do not touch training"
    assert made["validate"] == 6
    assert made["evaluate"] == 1, "test rows are answered once, at the end"


def test_the_best_by_validation_is_run(sweep):
    swept = sweep("tokenizer.base=4,6", metric="mrr", seeds=(1, 2))
    values = [trial.metrics["mrr"] for trial in swept.trials]
    assert swept.selected is swept.trials[int(np.argmax(values))]
    assert swept.finished.metrics["seeds"] == {"1": "seed-1", "2": "seed-2"}
    assert swept.finished.metrics["valid"]["mrr"] == pytest.approx(max(values))
    assert swept.selected.ranks.shape == (2, 20)


def test_a_sweep_that_was_stopped_goes_on(sweep, made, registry, monkeypatch):
    trainer = registry.resolve("trainer", "quick/counting")
    original = trainer.train

    def stopped(self, *arguments):
        if self.options.epochs == 3:
            raise KeyboardInterrupt
        return original(self, *arguments)

    monkeypatch.setattr(trainer, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        sweep(EPOCHS)
    monkeypatch.setattr(trainer, "train", original)
    before = dict(made)
    swept = sweep(EPOCHS)
    assert before["train.count"] == 3
    assert made["train.count"] - before["train.count"] == 1
    assert (made["data"], made["validate"]) == (1, 3)
    assert len(swept.trials) == 3
    again = sweep(EPOCHS)
    assert again.folder == swept.folder
    assert [trial.metrics for trial in again.trials] == [trial.metrics for trial in swept.trials]
    assert made["train.count"] - before["train.count"] == 1


def test_a_trial_can_be_opened_and_is_kept_when_the_store_is_pruned(sweep, registry, environment):
    swept = sweep(EPOCHS)
    assert prune(environment.store) == []
    with open_run(swept.folder / "trial-2", registry).open() as session:
        assert len(session.recommend([[0, 1]])[0].items) == 5
    assert not (swept.folder / "trial-2" / "metrics.json").exists()


def test_one_table_and_one_plot(sweep):
    swept = sweep(EPOCHS, seeds=(1, 2))
    page = (swept.folder / "report.html").read_text()
    assert page.count('<figure class="dots">') == 1
    assert page.count("<table") == 1
    assert page.count("<small>selected</small>") == 1
    record = json.loads((swept.folder / "sweep.json").read_text())
    assert record["selected"] == swept.selected.number
    assert record["metric"] == "ndcg@5"
    assert [trial["values"] for trial in record["trials"]] == [{"train.count.epochs": n} for n in (1, 2, 3)]
    others = [trial for trial in record["trials"] if trial["number"] != record["selected"]]
    assert all(trial["behind"]["difference"] >= 0 for trial in others)
    assert record["run"] == str(swept.finished.folder)


def test_a_trial_that_fails_is_told_and_the_others_are_selected_from(sweep, capsys):
    swept = sweep('train.count.fail="",value')
    assert [bool(trial.failed) for trial in swept.trials] == [False, True]
    assert "the loss exploded" in swept.trials[1].failed
    assert swept.selected.number == 1
    assert "trial 2 failed" in capsys.readouterr().err
    assert "failed: stage" in (swept.folder / "report.html").read_text()
    with pytest.raises(GenrecError, match=r"the first said: stage `train\.count` failed"):
        sweep("train.count.fail=value")


def test_what_is_wrong_with_a_combination_is_said_before_anything_runs(sweep, made, environment):
    with pytest.raises(GenrecError, match="epochs"):
        sweep("train.count.epochs=1,none")
    assert not made
    assert not list(environment.runs.rglob("sweep-*"))


def test_trials_that_are_not_measured_alike_select_nothing(sweep):
    with pytest.raises(
        GenrecError, match="trials 1 and 2 are not measured alike: their protocols differ in `max_hi"
    ):
        sweep("data.max_history=2,3")
    with pytest.raises(GenrecError, match="`filter_viewed`"):
        sweep("evaluate.filter_viewed=true,false")


def test_a_metric_that_is_none_is_refused(sweep):
    with pytest.raises(GenrecError, match="`ndgc@5` is no metric to select by") as caught:
        sweep(EPOCHS, metric="ndgc@5")
    assert "ndcg@5" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("a.b=1,2", Over("a.b", (1, 2))),
        ("a=1e-3, x,true,[1, 2]", Over("a", (0.001, "x", True, [1, 2]))),
        ("a=1..8", Over("a", (), 1, 8)),
        ("a=log:1e-4..1e-2", Over("a", (), 1e-4, 1e-2, True)),
        ("a=0.5..2", Over("a", (), 0.5, 2.0)),
    ],
)
def test_values_and_ranges_are_read(text, over):
    assert parse_over(text) == over


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a", "is no option with values"),
        ("\udc80=1,2", "holds half a character"), ("a=", "is no option with values"),
        (".b=1", "is no option"),
        ("a=1,1", "a value is given twice"), ("a=3..2", "`3..2` is no range"), ("a=log:0..2", "is no range"),
        (f"a=1..1{'0' * 30}", "is no range"), ("a=0.1..1e400", "is no range"),
        ("seed=1,2", "the best of several is only the luckiest"),
    ],
)  # fmt: skip
def test_what_is_no_choice_is_refused(text, wrong):
    with pytest.raises(GenrecError, match=wrong) as caught:
        parse_over(text)
    assert caught.value.where == f"--over {text}"


def test_a_range_needs_optuna():
    with pytest.raises(GenrecError, match="has a range, of which only optuna can choose"):
        combinations([parse_over("a=1..2")])
    assert combinations([parse_over("a=1,2"), parse_over("b=x,y")])[1] == {"a": 1, "b": "y"}
    assert changes_of({"a.b": 0.001, "c": "x y", "d": [1, "2"]}) == ("a.b=0.001", 'c="x y"', 'd=[1,"2"]')


def test_optuna_proposes_finds_the_best_and_the_same_again(sweep, made):
    swept = sweep("recommend.beams=5..8", "tokenizer.base=4,6", trials=6)
    assert 2 <= len(swept.trials) <= 6
    assert made["validate"] == len(swept.trials), "a combination that comes again is not tried again"
    again = sweep("recommend.beams=5..8", "tokenizer.base=4,6", trials=6)
    assert [dict(trial.values) for trial in again.trials] == [dict(trial.values) for trial in swept.trials]
    assert made["validate"] == len(swept.trials)
    assert all(isinstance(trial.values["recommend.beams"], int) for trial in swept.trials)


def test_optuna_learns_where_the_best_is():
    proposals, tried = Proposals([Over("x", (), -1.0, 1.0), Over("log", (), 1e-4, 1.0, True)], 40, 0), []
    for values in proposals:
        tried.append(values["x"])
        proposals.tell(None if values["x"] < -0.9 else -((values["x"] - 0.5) ** 2))
    late = np.abs(np.array(tried[-10:]) - 0.5).mean()
    assert late < np.abs(np.array(tried[:10]) - 0.5).mean()


def test_seeds_of_the_pipeline_are_used(sweep, pipeline_file, environment):
    pipeline_file.write_text(pipeline_file.read_text() + "seeds: [3, 4]\n")
    swept = run_sweep(SweepRequest(pipeline_file, (parse_over(EPOCHS),)), replace(environment))
    assert swept.trials[0].ranks.shape[0] == 2
    assert (swept.folder / "trial-1" / "seed-4" / "plan.json").is_file()


def test_several_processes_do_not_sweep(pipeline_file, environment, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(GenrecError, match="`WORLD_SIZE` is `2`: several processes were started"):
        run_sweep(SweepRequest(pipeline_file, (parse_over(EPOCHS),)), environment)
    assert not environment.runs.exists()
