"""Comparing runs from Python, over users and seeds."""

from __future__ import annotations

import pytest
import yaml

import genrec_core as genrec
from genrec_core import GenrecError
from tests.pipeline.conftest import PIPELINE, QUICK


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(QUICK))
    monkeypatch.setenv("GENREC_PLUGINS", "quick")

    def go(name, seeds=(), **changes):
        pipeline = {**yaml.safe_load(PIPELINE), "name": name}
        places = {"store": tmp_path / "store", "runs": tmp_path / "runs"}
        return genrec.run(pipeline, changes, seeds=seeds, quiet=True, **places)

    return go


def test_two_schemes_over_three_seeds(run):
    first, second = (
        run(name, (1, 2, 3), **{"tokenizer.base": base}) for name, base in (("four", 4), ("six", 6))
    )
    assert first.metrics["spread"]["test"]["recall@5"]["mean"] == first.metrics["test"]["recall@5"]
    found = genrec.compare(first, second.folder)
    assert list(found.differences("recall@5")) == [("four", "six")]
    one = found.differences("recall@5")["four", "six"]
    assert one.difference == pytest.approx(
        first.metrics["test"]["recall@5"] - second.metrics["test"]["recall@5"], abs=1e-9
    )
    assert one.low <= one.difference <= one.high
    assert r"\toprule" in found.latex()
    assert "four" in found.latex()
    assert found.csv().startswith("protocol,system")
    assert found._repr_markdown_() == found.markdown() == repr(found)
    assert found.plain()["tables"][0]["runs"]


def test_what_cannot_be_compared_is_said(run, tmp_path):
    with pytest.raises(GenrecError, match="1 runs cannot be compared"):
        genrec.compare(run("alone"))
    with pytest.raises(GenrecError, match="is no run folder"):
        genrec.compare(tmp_path / "nowhere", tmp_path / "nowhere")
