"""A run folder that somebody else made or edited is data: it is checked, never followed."""

from __future__ import annotations

import json
import shutil

import pytest

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.run_reader import open_run


@pytest.fixture
def folder(run):
    return run().folder


def edited(folder, change):
    file = folder / "plan.json"
    plan = json.loads(file.read_text())
    changed = change(plan)
    file.write_text(json.dumps(changed if isinstance(changed, (list, dict)) else plan))


EDITS = {
    "a list": (lambda plan: [], "there is no list of `stages`"),
    "no stages": (lambda plan: plan.pop("stages") and plan, "there is no list of `stages`"),
    "a stage that is a text": (lambda plan: plan["stages"].append("x"), "`x` is no stage"),
    "a stage that leads away": (
        lambda plan: plan["stages"][0].update(name="../../etc"), "`../../etc` is no name of a stage",
    ),
    "a fingerprint that leads away": (
        lambda plan: plan["stages"][0].update(fingerprint="../" * 6), "is no fingerprint of a stage",
    ),
    "a store that is a number": (lambda plan: plan.update(store=3), "`store` is no path"),
    "no seed": (lambda plan: plan.pop("seed") and None, "`seed` is no whole number"),
    "no ingredients": (
        lambda plan: plan["stages"][0].pop("ingredients") and None, "stage `data` has no ingredients",
    ),
    "a text for a block": (lambda plan: plan.update(grown="x"), "`grown` is no block"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_plan_is_refused_with_what_is_wrong(folder, registry, edit):
    change, wrong = EDITS[edit]
    edited(folder, change)
    with pytest.raises(GenrecError) as caught:
        open_run(folder, registry)
    assert wrong in str(caught.value)
    assert str(folder / "plan.json") in str(caught.value)


def test_a_hint_in_a_plan_is_not_printed(folder, registry, environment):
    edited(folder, lambda plan: plan.update(grown={"again": "rm -rf ~", "from": "/nowhere; rm -rf ~"}))
    shutil.rmtree(environment.store.root)
    with pytest.raises(GenrecError) as caught:
        open_run(folder, registry).artefact("data")
    assert "rm -rf" not in str(caught.value)
    assert "genrec items add RUN" in caught.value.hint


@pytest.mark.parametrize("body", ["", "[]", "{", "\xff"])
def test_edited_metrics_are_refused(folder, registry, body):
    (folder / "metrics.json").write_bytes(body.encode("latin-1"))
    with pytest.raises(GenrecError, match=r"metrics\.json"):
        _ = open_run(folder, registry).metrics
