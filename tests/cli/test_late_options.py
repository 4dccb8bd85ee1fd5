"""Options that once passed `genrec check` and failed hours later: it refuses each now, with its line."""

from __future__ import annotations

from typing import Annotated, get_args, get_origin

import pytest
from annotated_types import Ge, Gt

from genrec_core.cli.environment import StoreAndRuns, environment

KINDS = (
    "source", "split", "tokenizer", "encoder", "corpus", "backbone", "trainer", "reward", "recommender",
    "grounder", "baseline", "teacher", "loss", "observer",
)  # fmt: skip
PIPELINE = """\
genrec: 1
name: late
data: {source: {use: core/synthetic, items: 240, users: 40}}
model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2}
tokenizer: {use: quick/numbers, base: 8}
train:
  sft: {use: core/sft, corpora: [{use: core/next-item}]}
recommend: {use: core/beam, beams: 20}
evaluate: {at: [5], baselines: [{use: core/transitions}]}
"""
LATE = {
    "a seed below nought": ("seed=-1", "`seed` is `-1`"),
    "a width beyond any memory": ("model.hidden=9223372036854775808", "`hidden` is `9223372036854775808`"),
    "a weight that is nearly nothing": ("train.sft.corpora.0.weight=1e-320", "`weight` is `1e-320`"),
    "nothing to learn from": ("train.sft.corpora=[]", "corpora"),
    "a learning rate beyond any number": ("train.sft.learning_rate=1e308", "`learning_rate` is `1e+308`"),
    "a batch of fewer than no tokens": ("recommend.batch_tokens=-1", "`batch_tokens` is `-1`"),
    "resamples without end": ("evaluate.resamples=100000000", "`resamples` is `100000000`"),
    "a cut-off deeper than the beams": ("evaluate.at=[5, 50]", "50"),
    "a version that is no number": ("genrec=true", "`genrec` is `true`, but must be the number `1`"),
    "a number with an underscore": ("train.sft.batch_size='1_000'", "`batch_size`"),
    "heads that do not divide the width": ("model.heads=5", "does not divide into `heads: 5` of even width"),
    "requests handled none at a time": (
        "evaluate.baselines=[{use: core/transitions, chunk: 0}]",
        "`chunk` is `0`",
    ),
    "a thought without end": ("recommend={use: core/think, budget: 1000000000}", "`budget` is `1000000000`"),
    "answers without end": ("recommend={use: core/free-beam, max_tokens: 1000000000}", "`max_tokens` is"),
    "a sample that counts for a million billion": (
        "train.sft.corpora.0.weight=1e15",
        "`weight` is `1000000000000000.0`",
    ),
    "factors beyond any memory": (
        "evaluate.baselines=[{use: core/sasrec, factors: 100000000000}]",
        "`factors` is `100000000000`",
    ),
    "an encoder's seed below nought": (
        "tokenizer={use: sid/rq-kmeans, encoder: {use: core/ngrams, seed: -1}}",
        "`seed` is `-1`",
    ),
    "an encoder trained for less than nothing": (
        "tokenizer={use: sid/rq-vae, encoder: core/ngrams, epochs: -1}",
        "`epochs` is `-1`",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_of_every_component_has_a_lowest_value(kind, tmp_path):
    registry = environment(StoreAndRuns(tmp_path / "store", tmp_path / "runs"), quiet=True).registry
    open_ended = [
        f"{name}.{option}"
        for name in registry.names(kind)
        for option, field in registry.resolve(kind, name).Options.model_fields.items()
        if _unbounded(field.annotation, field.metadata)
    ]
    assert not open_ended, f"write `Field(ge=…)` for {open_ended}"


def _unbounded(annotation, checks):
    """Whether a number may stand there that no check keeps from below."""
    parts = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _unbounded(parts[0], [*checks, *parts[1:]])
    held = [one for check in checks for one in (check, *getattr(check, "metadata", ()))]
    if any(isinstance(one, (Ge, Gt)) for one in held):
        return False
    return annotation in (int, float) or any(_unbounded(part, []) for part in parts)


@pytest.mark.parametrize("case", LATE)
@pytest.mark.parametrize("command", [("check",), ("run",)])
def test_an_option_that_failed_late_is_refused_before_anything_runs(
    genrec, tmp_path, monkeypatch, case, command
):
    monkeypatch.delenv("GENREC_PLUGINS")
    (tmp_path / "late.yaml").write_text(PIPELINE)
    change, says = LATE[case]
    shown = genrec(*command, "late.yaml", "--set", change)
    assert shown.code == 2
    assert "Traceback" not in shown.err
    assert shown.err.startswith(f"Error: --set {change}: ") or "late.yaml:" in shown.err, shown.err
    assert says in shown.err
    assert not (tmp_path / "store").exists()
