"""The settings of the papers say all that shapes a training; what a paper leaves open has its comment."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from genrec_core.cli.environment import StoreAndRuns, environment

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
FILES = sorted(PLUGINS.glob("*/paper.yaml"))
TUNING = {"learning_rate", "schedule", "warmup", "weight_decay", "clip", "precision", "patience"}
SUPERVISED = TUNING | {"batch_size", "accumulation", "scoring", "keep", "select_by"}
REINFORCED = TUNING | {
    "group", "prompts", "updates", "loss", "importance", "epsilon", "std", "kl", "beta", "temperature",
    "metric", "valid_samples",
}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.parent.name)
def test_no_option_that_shapes_a_training_is_left_to_its_default(file, tmp_path):
    registry = environment(StoreAndRuns(tmp_path / "store", tmp_path / "runs"), quiet=True).registry
    for name, step in yaml.safe_load(file.read_text())["train"].items():
        options = registry.resolve("trainer", step["use"]).Options.model_fields
        wanted = (REINFORCED if "group" in options else SUPERVISED) & options.keys()
        assert len(wanted) >= len(SUPERVISED), f"{name}: options have other names now"
        left_out = {option for option in wanted if option not in step}
        assert not left_out, f"{file.parent.name}, `{name}`: write {sorted(left_out)}, with a comment"
        token_wise = step.get("loss", "grpo") != "grpo"
        if "average" in options:
            assert ("average" in step) != token_wise, f"{name}: how rollouts are averaged"


def test_every_paper_has_its_file():
    assert len(FILES) == 5
