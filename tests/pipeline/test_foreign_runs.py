"""A run folder that somebody else made or edited is data: it is checked, never followed."""

from __future__ import annotations

import copy
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from genrec_core import Items
from genrec_core.cli.compare import compare
from genrec_core.contracts.errors import GenrecError
from genrec_core.evaluation.compare import load_run
from genrec_core.evaluation.metrics_file import wrong_with
from genrec_core.evaluation.report.facts import ReportFacts
from genrec_core.evaluation.report.page import write_report
from genrec_core.pipeline.add_items import add_items
from genrec_core.pipeline.bundle import needed_stages
from genrec_core.pipeline.diagnosed import inputs_of
from genrec_core.pipeline.run import run_seeds
from genrec_core.pipeline.run_folder import last_ingredients
from genrec_core.pipeline.run_reader import open_run
from genrec_core.store.content import save_arrays


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
    "components that are a number": (
        lambda plan: plan["stages"][1]["ingredients"].update(components=1),
        "the `components` of stage `embed` are no block with `encoder`",
    ),
    "an encoder's stage without encoder": (
        lambda plan: plan["stages"][1]["ingredients"]["components"].clear(), "are no block with `encoder`",
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


ODD = (None, True, "x", 3, -1.5, [], [1], {}, {"x": 1})


def ways(value, way=()):
    """Every key of a JSON value, inner ones too."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*way, key)
        yield from ways(part, (*way, key))


def edits(whole):
    """A JSON value with one part of another type, for every key; the types take turns."""
    for turn, (*steps, last) in enumerate(ways(whole)):
        changed = copy.deepcopy(whole)
        block = changed
        for step in steps:
            block = block[step]
        others = [odd for odd in ODD if type(odd) is not type(block[last])]
        block[last] = others[turn % len(others)]
        yield ".".join(map(str, [*steps, last])), changed


@pytest.fixture(params=["one seed", "two seeds"])
def finished(request, run, load, environment):
    return run() if request.param == "one seed" else run_seeds(load(), environment, [1, 2])


def test_metrics_of_which_one_key_is_of_another_type_are_refused_or_shown(finished, tmp_path):
    folder = finished.folder
    other = shutil.copytree(folder, tmp_path / "other")
    told, shown = 0, set()
    for way, metrics in edits(json.loads((folder / "metrics.json").read_text())):
        if wrong := wrong_with(metrics):
            assert way.split(".")[0] in wrong
            if way in ("test", "test.recall@1", "settings.at", "baselines", "seeds"):
                (other / "metrics.json").write_text(json.dumps(metrics))
                with pytest.raises(GenrecError) as caught:
                    load_run(other)
                assert f"this is not what a run writes: `{way}` is" in str(caught.value)
                told += 1
            continue
        kind = way.split(".")[0], way.split(".")[-1]  # one stage's cost for all
        if kind in shown:
            continue
        shown.add(kind)
        (other / "metrics.json").write_text(json.dumps(metrics))
        options = ["--html", str(tmp_path / "x.html"), "--resamples", "20"]
        done = CliRunner().invoke(compare, [str(folder), str(other), *options])
        assert done.exit_code == 0 or isinstance(done.exception, GenrecError), (way, metrics)
        write_report(tmp_path / "report.html", ReportFacts("shop", "1", metrics))
    assert told == (5 if "seeds" in metrics else 4)


@pytest.mark.parametrize("form", ["--csv", "--latex", "--markdown", "--json", "--runs=."])
def test_odd_names_and_figures_are_printed_as_they_are(folder, tmp_path, form):
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["test"] |= {"recall@[/x]": 1e300, "ndcg@": -1e300}
    metrics["protocol"]["hash"] = "[/x]"
    (folder / "metrics.json").write_text(json.dumps(metrics))
    done = CliRunner().invoke(compare, [str(folder), str(folder), form], catch_exceptions=False)
    assert done.exit_code == 0


@pytest.mark.parametrize("array", [[[1]], [-1], [1.5]])
def test_ranks_that_are_none_are_refused(folder, array):
    save_arrays(folder / "ranks.safetensors", {"model": np.array(array)})
    with pytest.raises(GenrecError, match=r"ranks\.safetensors: `model` is .* not a row of ranks from 0"):
        load_run(folder)


def test_a_plan_of_which_one_key_is_of_another_type_is_refused_or_read(
    folder, registry, environment, tmp_path
):
    whole = json.loads((folder / "plan.json").read_text())
    for way, plan in edits(whole):
        (folder / "plan.json").write_text(json.dumps(plan))
        last_ingredients(environment.runs, whole["name"], 0)
        try:
            opened = open_run(folder, registry)
            needed_stages(opened)
            inputs_of(opened).vectors()
            if "components" in way.split(".")[-1]:
                add_items(opened, Items(("n0",), {"title": ["New"]}), environment, tmp_path / "grown")
        except GenrecError:
            continue
        except Exception as error:
            raise AssertionError(way) from error
        finally:
            shutil.rmtree(tmp_path / "grown", ignore_errors=True)
