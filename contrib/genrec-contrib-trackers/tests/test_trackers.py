"""Each tracker under its real library: what a run logs can be read back from what the library wrote."""

from __future__ import annotations

import json
import time

import pytest
from genrec_contrib_trackers import figures
from genrec_contrib_trackers.mlflow import MLflow
from genrec_contrib_trackers.tensorboard import TensorBoard
from genrec_contrib_trackers.wandb import WeightsAndBiases
from pydantic import ValidationError

from genrec_core import GenrecError
from genrec_core.pipeline.run_log import RunLog

SFT = {"use": "core/sft", "options": {"epochs": 3, "to": {"x": 1}}}
PLAN = {
    "name": "shop",
    "seed": 7,
    "stages": [
        {
            "ingredients": {
                "components": {"train.sft": {"use": "core/sft", "options": {"epochs": 3, "to": {"x": 1}}}}
            }
        }
    ],
}
METRICS = {"test": {"recall@5": 0.5}, "valid": None, "baselines": {"core/popular": {"recall@5": 0.25}}}


def told(observer, tmp_path):
    """A short run, as the pipeline tells it."""
    log = RunLog(tmp_path / "log.jsonl", (observer,))
    log.run_started("one", PLAN)
    log.logged("train.sft", "arithmetic", {"precision": "float32"})
    for step in (1, 2):
        log.logged("train.sft", "train", {"step": step, "loss": 1.0 / step, "bad": float("nan")})
    log.logged("train.sft", "valid", {"step": 2, "recall@5": 0.125})
    log.run_finished("one", METRICS)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line for line in lines if line["event"] == "warning"] == []


def test_what_trackers_are_given():
    assert figures.scalars("a", {"step": 3, "x": 1, "y": {"r@5": 0.5}, "no": "text", "flag": True}) == {
        "a/x": 1.0,
        "a/y/r at 5": 0.5,
    }
    assert figures.results(METRICS) == {"test/recall at 5": 0.5, "baselines/core/popular/recall at 5": 0.25}
    assert figures.settings(PLAN) == {
        "seed": "7",
        "train.sft": "core/sft",
        "train.sft.epochs": "3",
        "train.sft.to.x": "1",
    }


def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    told(TensorBoard(folder=str(tmp_path / "tb")), tmp_path)
    events = EventAccumulator(str(tmp_path / "tb" / "shop-one"))
    events.Reload()

    def read(tag):
        return [(e.step, float(tensor_util.make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]

    assert read("train.sft/train/loss") == [(1, 1.0), (2, 0.5)]
    assert read("train.sft/valid/recall_at_5") == [(2, 0.125)]
    assert read("test/recall_at_5") == [(0, 0.5)]


def test_mlflow_reads_what_was_written(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    uri = f"file:{tmp_path / 'mlruns'}"
    told(MLflow(uri=uri, experiment="shop"), tmp_path)
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("shop").experiment_id])
    assert (run.info.run_name, run.info.status) == ("shop-one", "FINISHED")
    assert run.data.params["train.sft.epochs"] == "3"
    assert run.data.metrics["test/recall at 5"] == 0.5
    history = client.get_metric_history(run.info.run_id, "train.sft/train/loss")
    assert [(one.step, one.value) for one in history] == [(1, 1.0), (2, 0.5)]


def test_wandb_writes_a_run_without_a_network(tmp_path):
    pytest.importorskip("wandb")
    told(WeightsAndBiases(project="shop", folder=str(tmp_path)), tmp_path)
    (written,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    names = (b"train/sft/train/loss", b"train/sft/valid/recall at 5", b"test/recall at 5")
    for _ in range(300):  # wandb's own process writes the file, and may still be at it
        if all(name in written.read_bytes() for name in names):
            return
        time.sleep(0.1)
    pytest.fail(f"not all of {names} were written")


def test_a_tracker_that_fails_is_told_and_the_run_goes_on(tmp_path, capsys):
    pytest.importorskip("tensorboard")
    (tmp_path / "tb").write_text("a file where a folder should be")
    log = RunLog(tmp_path / "log.jsonl", (TensorBoard(folder=str(tmp_path / "tb")),))
    log.run_started("one", PLAN)
    log.logged("train.sft", "train", {"step": 1, "loss": 1.0})
    assert "failed and is left out: NotADirectoryError" in capsys.readouterr().err


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wandb", None)
    with pytest.raises(GenrecError, match="this tracker needs `wandb`, which is not installed") as caught:
        WeightsAndBiases().run_started("one", PLAN)
    assert caught.value.hint == "pip install 'genrec-contrib-trackers[wandb]'"


def test_an_address_with_a_password_is_refused():
    with pytest.raises(ValidationError, match="uri"):
        MLflow(uri="https://me:secret@example.invalid")


@pytest.mark.parametrize(
    ("kind", "package"), [(MLflow, "mlflow"), (TensorBoard, "tensorboard"), (WeightsAndBiases, "wandb")]
)
def test_the_library_of_a_tracker_is_looked_for_before_a_run(kind, package):
    assert package in kind().needed_modules()
