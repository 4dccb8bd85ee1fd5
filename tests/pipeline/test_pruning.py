"""Pruning: what a run needs stays, whoever runs, moves or was killed; what nobody needs goes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from genrec_core import Items
from genrec_core.pipeline.add_items import add_items
from genrec_core.pipeline.bundle import verify_bundle, write_bundle
from genrec_core.pipeline.run import StageSelection
from genrec_core.pipeline.run_reader import open_run
from genrec_core.store.references import Claim, Need, note_run, prune, survey
from genrec_core.store.store import Store

EPOCHS = "train.count.epochs=2"


@pytest.fixture
def store(environment):
    return environment.store


def stages(found):
    return sorted(one.stage for one in found)


def whole(folder, registry):
    """Everything that a run named is there and can be read."""
    opened = open_run(folder, registry)
    return [opened.artefact(stage["name"]) for stage in opened.plan["stages"]]


def test_nothing_goes_while_runs_name_it(run, store, registry):
    folders = [run().folder, run(EPOCHS).folder]
    assert prune(store) == []
    assert {one.need for one in survey(store)} == {Need.NEEDED}
    assert all(whole(folder, registry) for folder in folders)


def test_what_only_a_deleted_run_named_goes(run, store, registry):
    kept, deleted = run().folder, run(EPOCHS).folder
    shutil.rmtree(deleted)
    told = prune(store, dry=True)
    assert stages(told) == ["evaluate", "ground", "recommend", "train.count"]
    assert len(whole(kept, registry)) == 10, "a dry one deletes nothing"
    assert [one.name for one in prune(store)] == [one.name for one in told]
    assert not any((store.root / one.name).exists() for one in told)
    assert whole(kept, registry)
    assert prune(store) == []
    assert len([*store.root.glob("references/*.json")]) == 1, "what is gone is forgotten"
    assert {stage for stage, outcome in run(EPOCHS).done.outcomes.items() if outcome == "run"} == {
        "train.count", "recommend", "ground", "evaluate",
    }, "and is made again when it is wanted"  # fmt: skip


def test_a_run_that_is_going_on_keeps_what_it_has_found_and_made(run, store, registry, monkeypatch):
    """Pruned in the middle of it, with its own folder deleted: only its claim speaks for what it reads."""
    first = run().folder
    trainer = registry.resolve("trainer", "quick/counting")
    original = trainer.train

    def pruned(self, *arguments):
        shutil.rmtree(first)
        for folder in first.parent.glob("2*"):
            (folder / "plan.json").unlink()
        seen.append(stages(prune(store, also=[Need.UNKNOWN, Need.UNREACHABLE])))
        return original(self, *arguments)

    seen = []
    monkeypatch.setattr(trainer, "train", pruned)
    finished = run(EPOCHS)
    assert seen == [["evaluate", "ground", "recommend", "train.count"]], "only what the first run alone needs"
    assert whole(finished.folder, registry)
    assert [*store.root.glob("claims/*")] == []


def test_runs_and_pruning_at_the_same_time_disturb_nobody(load, environment, registry, tmp_path):
    """Two threads run and delete their runs again and again while a third prunes all the time."""
    from genrec_core.pipeline.run import run_pipeline

    ended, errors, rounds = threading.Event(), [], []

    def pruning():
        while not ended.is_set():
            prune(environment.store, also=[Need.UNKNOWN, Need.UNREACHABLE])
            rounds.append(1)

    def running(name):
        try:
            own = replace(environment, runs=tmp_path / name)
            for epochs in (1, 2, 1):
                finished = run_pipeline(load(f"train.count.epochs={epochs}"), own)
                whole(finished.folder, registry)
                shutil.rmtree(finished.folder)
        except Exception as error:  # told by the test
            errors.append(error)

    threads = [threading.Thread(target=running, args=(name,)) for name in ("runs-a", "runs-b")]
    beside = threading.Thread(target=pruning)
    for thread in (*threads, beside):
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    beside.join()
    assert errors == []
    assert len(rounds) > 1
    prune(environment.store)
    assert survey(environment.store) == []


def test_of_a_killed_process_nothing_stays_claimed(store):
    made = store.obtain("data", {"a": 1}, lambda folder: {}, versions={}).folder.name
    code = (
        "import os, sys; from pathlib import Path; from genrec_core.store.store import Store\n"
        "from genrec_core.store.references import Claim\n"
        "claim = Claim(Store(Path(sys.argv[1]))).__enter__(); claim.take([sys.argv[2]])\n"
        "print('claimed', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(store.root), made], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"claimed\n"
    assert prune(store, also=[Need.UNKNOWN]) == []
    process.kill()
    process.communicate()
    assert stages(prune(store, also=[Need.UNKNOWN])) == ["data"]
    assert [*store.root.glob("claims/*")] == []


def test_a_claim_of_this_process_ends_with_its_context(store):
    made = store.obtain("data", {"a": 1}, lambda folder: {}, versions={}).folder.name
    with Claim(store) as claim:
        claim.take([made])
        assert [one.need for one in survey(store)] == [Need.NEEDED]
    assert [one.need for one in survey(store)] == [Need.UNKNOWN]


def test_runs_that_moved_with_their_store_are_found(run, store, registry, tmp_path):
    folder = run().folder
    (tmp_path / "away").mkdir()
    for name in ("runs", "store"):
        (tmp_path / name).rename(tmp_path / "away" / name)
    moved = Store(tmp_path / "away" / "store")
    assert prune(moved) == []
    assert whole(tmp_path / "away" / "runs" / "quick" / folder.name, registry)


def test_runs_that_are_out_of_reach_keep_what_they_named(run, store, tmp_path):
    run()
    (tmp_path / "runs").rename(tmp_path / "unmounted")
    assert {one.need for one in survey(store)} == {Need.UNREACHABLE}
    assert prune(store) == []
    assert survey(store, [tmp_path / "unmounted"])[0].need is Need.NEEDED
    assert len(prune(store, also=[Need.UNREACHABLE])) == 10


def test_a_run_that_moved_alone_is_known_once_it_was_opened(run, store, registry, tmp_path):
    folder = run().folder
    folder.rename(tmp_path / "kept")
    assert {one.need for one in survey(store)} == {Need.UNNEEDED}
    assert whole(tmp_path / "kept", registry)
    assert prune(store) == []


def test_what_older_versions_made_is_unknown_and_stays(run, store, tmp_path):
    run()
    shutil.rmtree(store.root / "references")
    assert {one.need for one in survey(store)} == {Need.UNKNOWN}
    assert prune(store) == []
    assert prune(store, [tmp_path / "runs"], [Need.UNKNOWN]) == [], "found where it was said to look"
    assert len(prune(store, also=[Need.UNKNOWN])) == 10


def test_a_stage_that_ran_alone_is_unknown(run, store):
    run(selection=StageSelection(only="data"))
    assert [(one.stage, one.need) for one in survey(store)] == [("data", Need.UNKNOWN)]


def test_what_an_extended_run_shares_and_has_of_its_own_stays(run, store, registry, environment):
    first = run().folder
    new = Items(("n0",), {"title": ["Thing 03"]})
    grown = add_items(open_run(first, registry), new, environment).folder
    shutil.rmtree(first)
    assert {"evaluate", "ground", "recommend"} <= set(stages(prune(store)))
    assert whole(grown, registry)
    with open_run(grown, registry).open() as session:
        assert len(session.recommend([[0, 1]])[0].items) == 5


def test_an_edited_reference_protects_nothing_and_breaks_nothing(run, store):
    run()
    (reference,) = store.root.glob("references/*.json")
    for body in (b"[]", b"{", b'{"artefacts": 3}', b"\xff"):
        reference.write_bytes(body)
        assert {one.need for one in survey(store)} == {Need.UNKNOWN}
    record = {"run": "../../..", "run_was": "/", "runs": "x", "runs_was": "/", "artefacts": ["../../etc"]}
    reference.write_text(json.dumps(record))
    prune(store, also=[Need.UNKNOWN])
    assert survey(store) == []


def test_a_bundles_own_store_is_left_as_it_was_sealed(run, registry, tmp_path):
    write_bundle(run().folder, registry, tmp_path / "bundle")
    open_run(tmp_path / "bundle", registry).catalogue  # noqa: B018 - reading it is the point
    verify_bundle(tmp_path / "bundle")


def test_a_store_that_cannot_be_written_is_read_without_a_claim(store, monkeypatch):
    def refuse(*_, **__):
        raise OSError(30, "read-only")

    made = store.obtain("data", {"a": 1}, lambda folder: {}, versions={}).folder.name
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with Claim(store) as claim:
        with claim.planning():
            pass
        claim.take([made])
    note_run(store, store.root.parent / "runs" / "x", store.root.parent / "runs", [made])
    assert not [*store.root.glob("claims/*"), *store.root.glob("references/*")]
