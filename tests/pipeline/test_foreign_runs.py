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


def moved(plan, way, to):
    plan["moved"] = {way: {"to": to, "was": "there"}}


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
    "a file that moved out of the run": (
        lambda plan: moved(plan, "data.source.prices", "../../secret/key.txt"),
        "`../../secret/key.txt`, which `data.source.prices` shall read, leads out of the run",
    ),
    "a file that moved to a place of its own": (
        lambda plan: moved(plan, "data.source.prices", "/etc/hosts"), "`/etc/hosts`, which",
    ),
    "a file that moved behind a link": (
        lambda plan: moved(plan, "data.source.prices", "away/key.txt"), "`away/key.txt`, which",
    ),
    "a folder in which a link leads out": (
        lambda plan: moved(plan, "data.source.prices", "files"), "`files`, which",
    ),
    "a run that grew from any folder": (
        lambda plan: plan.update(grown={"from": "../../secret"})
        or moved(plan, "data.source.prices", "../../secret/key.txt"),
        "leads out of the run",
    ),
    "a run that grew from itself": (
        lambda plan: plan.update(grown={"from": "."})
        or moved(plan, "data.source.prices", "../../secret/key.txt"),
        "leads out of the run",
    ),
    "a name that moved": (
        lambda plan: moved(plan, "name", "plan.json"), "`moved` changes options that do not take it",
    ),
    "an option that moved and is no file": (
        lambda plan: moved(plan, "evaluate.domain_field", "plan.json"),
        "`evaluate.domain_field`, which is no option that names a file",
    ),
    "a text for a block": (lambda plan: plan.update(grown="x"), "`grown` is no block"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_plan_is_refused_with_what_is_wrong(folder, registry, edit):
    secret = folder.parents[1] / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("mine")
    (folder / "away").symlink_to(secret)
    (folder / "files").mkdir()
    (folder / "files" / "key.txt").symlink_to(secret / "key.txt")
    change, wrong = EDITS[edit]
    edited(folder, change)
    with pytest.raises(GenrecError) as caught:
        open_run(folder, registry)
    assert wrong in str(caught.value)
    assert str(folder / "plan.json") in str(caught.value)


@pytest.mark.parametrize("store", ["..", "../../..", "absolute"])
def test_nothing_is_written_into_a_folder_that_a_plan_calls_its_store(folder, registry, tmp_path, store):
    edited(folder, lambda plan: plan.update(store=str(tmp_path) if store == "absolute" else store))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(GenrecError, match="it is not there"):
        open_run(folder, registry).artefact("data")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_is_noted_in_the_store_that_holds_its_artefacts(folder, registry, environment, tmp_path):
    shutil.rmtree(environment.store.root / "references")
    folder = folder.rename(tmp_path / "moved")
    elsewhere = environment.store.root.rename(tmp_path / "elsewhere")
    open_run(folder, registry, elsewhere).artefact("data")
    assert len([*(elsewhere / "references").glob("*.json")]) == 1


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
