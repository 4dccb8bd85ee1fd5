"""Business rules behind a grounder: filters that the search knows of, boosts, and limits a value."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

import genrec_core as genrec
from genrec_core import Candidate, Candidates, Catalogue, Context, GenrecError, Identifiers, Items
from genrec_core.builtin.rules import BusinessRules
from genrec_core.testing.contracts import GrounderContract
from tests.pipeline.conftest import PIPELINE, QUICK

BRANDS = ["Zorg", "Zorg", "Zorg", "Acme", None, "Nils"]
CATALOGUE = Catalogue(
    Items(
        tuple(f"i{n}" for n in range(6)),
        {"brand": BRANDS, "tags": [["new"], ["new", "sale"], None, None, ["sale"], None], "size": [1.0] * 6},
    ),
    Identifiers.of([(f"<{n}>",) for n in range(6)]),
)
WRITTEN = Candidates(tuple(Candidate((f"<{n}>",), -1.0 - 0.1 * n) for n in range(6)))


class TestRules(GrounderContract):
    component = BusinessRules


def ground(**rules):
    with BusinessRules(**rules).open(CATALOGUE, Context()) as session:
        return session.ground(WRITTEN)


def items(**rules):
    return ground(**rules).items.tolist()


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"only": {"brand": "Zorg"}}, [0, 1, 2]),
        ({"only": {"brand": ["Zorg", "Nils"], "tags": "new"}}, [0, 1]),
        ({"never": {"tags": "sale"}}, [0, 2, 3, 5]),
        ({"only": {"brand": "Zorg"}, "never": {"tags": ["new"]}}, [2]),
        ({"at_most": {"brand": 1}}, [0, 3, 4, 5, 1, 2]),
        ({"at_most": {"brand": 2, "tags": 1}}, [0, 2, 3, 4, 5, 1]),
        ({"boost": [{"field": "brand", "value": ["Acme", "Nils"], "by": 0.35}]}, [3, 0, 1, 5, 2, 4]),
        ({"boost": [{"field": "size", "value": "1", "by": 2}]}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_rules_filter_and_order(rules, left):
    ranked = ground(**rules)
    assert ranked.items.tolist() == left
    assert (np.diff(ranked.scores) <= 0).all()
    assert ranked.candidates == 6
    assert [WRITTEN.beams[beam].tokens for beam in ranked.beams] == [(f"<{item}>",) for item in left]


def test_boosts_add_up_in_the_score():
    boosts = [{"field": "brand", "value": "Zorg", "by": 0.5}, {"field": "tags", "value": "sale", "by": 0.25}]
    ranked = ground(boost=boosts)
    assert dict(zip(ranked.items.tolist(), ranked.scores.round(4).tolist(), strict=True)) == pytest.approx(
        {0: -0.5, 1: -0.35, 2: -0.7, 3: -1.3, 4: -1.15, 5: -1.5}
    )


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (
            {"only": {"brnd": "Zorg"}},
            r"names the field `brnd`, which items do not have\n  → did you mean `brand`",
        ),
        (
            {"never": {"brand": "Zorq"}},
            r"no item has the value `Zorq` in the field `brand`\n  → did you mean `Zorg`",
        ),
        ({"only": {"brand": "Acme"}, "never": {"brand": "Acme"}}, "leave no item"),
        ({"at_most": {"brnd": 2}}, "names the field `brnd`"),
    ],
)
def test_rules_about_what_is_not_there_are_refused(rules, message):
    with pytest.raises(GenrecError, match=message):
        items(**rules)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(QUICK))
    monkeypatch.setenv("GENREC_PLUGINS", "quick")

    def go(rules):
        pipeline = {**yaml.safe_load(PIPELINE), "ground": {"use": "core/rules", **rules}}
        return genrec.run(pipeline, store=tmp_path / "store", runs=tmp_path / "runs", quiet=True)

    return go


def test_a_pipeline_with_rules_searches_evaluates_and_answers_by_them(run):
    titles = ["Thing 03", "Thing 07", "Thing 10"]
    with run({"only": {"title": titles}}) as opened:
        assert set(opened.recommend([["i2"]], k=9).items()) <= {"i3", "i7", "i10"}
        assert opened.recommend([["i2"]], k=9).items()[0] == "i3"
        assert set(opened.recommend([[]], k=9).items()) == {"i3", "i7", "i10"}, "popular ones too"
        assert opened.recommend([["i2"]], k=9, exclude=["i3"], only={"title": titles[:2]}).items() in (
            ["i7"],
            [],
        )
        stages = {stage["name"]: stage for stage in opened.reader.plan["stages"]}
    assert "rules" in stages["recommend"]["ingredients"]["components"]
    with run({"boost": [{"field": "title", "value": "Thing 05", "by": 100}]}) as opened:
        assert opened.metrics["test"]["recall@5"] >= 0
