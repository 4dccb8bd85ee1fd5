"""Options that once passed `genrec check` and failed hours later: it refuses each now, with its line."""

from __future__ import annotations

import pytest

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
    "an encoder's seed below nought": (
        "tokenizer={use: sid/rq-vae, encoder: core/ngrams, epochs: -1}",
        "`epochs` is `-1`",
    ),
}


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
