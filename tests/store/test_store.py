"""The store: whole artefacts or none, verified, one maker at a time."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time

import numpy as np
import orjson
import pytest

from genrec_core.contracts.errors import ContractError, DataError, GenrecError
from genrec_core.store.content import canonical, digest_of, fingerprint, load_arrays, save_arrays
from genrec_core.store.manifest import damage, read_manifest
from genrec_core.store.store import Presence, Store

RECIPE = {"kind": "test", "value": 1}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def make(store, text="hello", **more):
    def build(folder):
        (folder / "part").mkdir()
        (folder / "part" / "a.txt").write_text(text)
        return {"seconds": 1.0}

    return store.obtain("stage", RECIPE, build, versions={"genrec-core": "0"}, **more)


def never(folder):
    raise AssertionError("it should have been reused")


def test_an_artefact_is_made_once_and_then_reused(store):
    first = make(store)
    again = store.obtain("stage", RECIPE, never, versions={})
    assert (first.reused, again.reused) == (False, True)
    assert again.manifest.cost == {"seconds": 1.0}
    assert again.manifest.ingredients == RECIPE
    assert (again.folder / "part" / "a.txt").read_text() == "hello"


@pytest.mark.parametrize("name", ["part/a.txt", "manifest.json"])
def test_any_flipped_byte_is_noticed_and_repaired(store, name):
    folder = make(store).folder
    original = (folder / name).read_bytes()
    for position in range(0, len(original), max(1, len(original) // 40)):
        body = bytearray((folder / name).read_bytes())
        body[position] ^= 1
        (folder / name).write_bytes(bytes(body))
        repaired = make(store)
        assert repaired.damage, f"byte {position} of {name}"
        assert (folder / "part" / "a.txt").read_text() == "hello"
        assert damage(folder, deep=True) == ""


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "part" / "a.txt").unlink(), "`part/a.txt` is missing"),
        (lambda folder: (folder / "part" / "a.txt").write_text("hell"), "has 4 bytes, not 5"),
        (lambda folder: (folder / "manifest.json").unlink(), "`manifest.json` is missing"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "`manifest.json` is missing or was"),
    ],
)
def test_damage_that_shows_without_hashing_is_seen_by_a_look(store, spoil, said):
    made = make(store)
    assert store.look("stage", made.manifest.fingerprint) is Presence.PRESENT
    spoil(made.folder)
    assert store.look("stage", made.manifest.fingerprint) is Presence.DAMAGED
    assert said in damage(made.folder, deep=False)


def test_every_single_flipped_bit_of_a_manifest_is_refused(store):
    folder = make(store).folder
    manifest = folder / "manifest.json"
    original = manifest.read_bytes()
    accepted = []
    for bit in range(len(original) * 8):
        body = bytearray(original)
        body[bit // 8] ^= 1 << bit % 8
        manifest.write_bytes(bytes(body))
        if read_manifest(folder) is not None:
            accepted.append(bit)
    assert accepted == []


def test_a_number_written_another_way_is_a_flipped_bit_too(store):
    made = store.obtain("stage", RECIPE, lambda folder: {"seconds": 1e-7}, versions={})
    manifest = made.folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"1e-7", b"1E-7"))
    assert read_manifest(made.folder) is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "run.py").write_text("x"), "`run.py` is not in `manifest.json`"),
        (lambda folder: (folder / "part" / "b").symlink_to("a.txt"), "`part/b` is not in `manifest.json`"),
        (
            lambda folder: [(folder / name).write_text("x") for name in ("y", "x")],
            "`x`, `y` are not in `manifest.json`",
        ),
    ],
)
def test_an_artefact_is_only_what_its_manifest_lists(store, spoil, said):
    made = make(store)
    spoil(made.folder)
    assert damage(made.folder, deep=False) == said
    assert make(store).damage == said


@pytest.mark.parametrize("name", ["../away.txt", "/etc/hostname"])
def test_a_manifest_that_leads_out_of_its_artefact_is_refused(store, name):
    made = make(store)
    body = json.loads((made.folder / "manifest.json").read_bytes())
    del body["seal"]
    body["files"][name] = body["files"]["part/a.txt"]
    body["seal"] = fingerprint(body)
    (made.folder / "manifest.json").write_bytes(
        orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    )
    assert read_manifest(made.folder) is None


def test_a_group_can_share_a_store(tmp_path):
    old = os.umask(0o002)
    try:

        def build(folder):
            save_arrays(folder / "x.safetensors", {"x": np.zeros(3)})
            (folder / "mine").mkdir(mode=0o700)
            (folder / "mine" / "y").touch(mode=0o600)
            return {}

        store = Store(tmp_path / "store")
        made = store.obtain("stage", RECIPE, build, versions={})
    finally:
        os.umask(old)
    modes = {path.name: path.stat().st_mode & 0o777 for path in made.folder.rglob("*")}
    assert modes == {"x.safetensors": 0o664, "mine": 0o775, "y": 0o664, "manifest.json": 0o664}


def test_a_store_that_cannot_be_written_still_gives_out_what_it_holds(store):
    made = make(store)
    shutil.rmtree(store.root / "locks")
    (store.root / "locks").write_text("no folder, so no lock can be made here, not even by root")
    assert store.obtain("stage", RECIPE, never, versions={}).folder == made.folder
    with pytest.raises(GenrecError, match="cannot be written"):
        store.obtain("stage", {**RECIPE, "value": 2}, never, versions={})
    (made.folder / "part" / "a.txt").write_text("jello")
    with pytest.raises(GenrecError, match="cannot be written"):
        make(store)


def test_sweeping_deletes_old_locks_and_checkpoints_that_nobody_holds(store):
    key = fingerprint(RECIPE)
    long_ago = time.time() - 40 * 24 * 3600

    def leave(path, age):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
        for one in (path, path.parent):
            os.utime(one, (age, age))

    leave(store.root / "workspaces" / "aaaa" / "checkpoint", long_ago)
    leave(store.root / "workspaces" / "bbbb" / "checkpoint", time.time())
    leave(store.root / "locks" / "stage-aaaa.lock", long_ago)
    leave(store.root / "locks" / "stage-bbbb.lock", time.time())

    def build(folder):
        leave(store.workspace(key) / "checkpoint", long_ago)
        Store(store.root).sweep()
        assert store.workspace(key).joinpath("checkpoint").exists(), "its maker holds the lock"
        return {}

    store.obtain("stage", RECIPE, build, versions={})
    assert not (store.root / "workspaces" / "aaaa").exists()
    assert (store.root / "workspaces" / "bbbb").exists()
    assert not (store.root / "locks" / "stage-aaaa.lock").exists()
    assert (store.root / "locks" / "stage-bbbb.lock").exists()


def test_an_absent_artefact_is_absent(store):
    assert store.look("stage", fingerprint(RECIPE)) is Presence.ABSENT
    assert store.manifest("stage", fingerprint(RECIPE)) is None


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_a_build_that_breaks_leaves_nothing_but_its_workspace(store, error):
    def build(folder):
        (folder / "half").write_text("x")
        (store.workspace(fingerprint(RECIPE)) / "checkpoint").write_text("1")
        raise error

    with pytest.raises(type(error)):
        store.obtain("stage", RECIPE, build, versions={})
    assert list((store.root / "tmp").iterdir()) == []
    assert not list(store.root.glob("stage-*"))
    assert (store.workspace(fingerprint(RECIPE)) / "checkpoint").exists()
    make(store)
    assert not list((store.root / "workspaces").iterdir())


def test_a_workspace_whose_owner_was_killed_after_it_was_done_goes_at_the_next_use(store):
    make(store)
    (store.workspace(fingerprint(RECIPE)) / "checkpoint").write_text("1")
    store.obtain("stage", RECIPE, never, versions={})
    assert not list((store.root / "workspaces").iterdir())


def test_forcing_replaces_an_artefact(store):
    make(store)
    assert make(store, "other", force=True).reused is False
    assert (store.folder("stage", fingerprint(RECIPE)) / "part" / "a.txt").read_text() == "other"


def test_of_two_at_once_one_builds_and_the_other_waits(store):
    built, results = [], []
    begun = threading.Event()

    def build(folder):
        built.append(folder)
        begun.set()
        threading.Event().wait(0.3)
        (folder / "a").write_text("1")
        return {}

    def obtain():
        results.append(Store(store.root).obtain("stage", RECIPE, build, versions={}))

    threads = [threading.Thread(target=obtain) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert sorted(result.reused for result in results) == [False, True, True]


def test_leftovers_of_killed_runs_are_swept_but_not_what_is_being_made(store):
    stale = store.root / "tmp" / "stage-0123456789abcdef.999.0"
    stale.mkdir(parents=True)

    def build(folder):
        assert Store(store.root).sweep() == 1
        assert folder.exists()
        return {}

    store.obtain("stage", RECIPE, build, versions={})
    assert not stale.exists()


def test_links_have_no_place_in_an_artefact(store, tmp_path):
    with pytest.raises(ContractError, match="the link `away`"):
        store.obtain(
            "stage", RECIPE, lambda folder: (folder / "away").symlink_to(tmp_path) or {}, versions={}
        )


def test_a_store_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(GenrecError, match="cannot be written") as caught:
        make(Store(tmp_path / "file"))
    assert "--store" in caught.value.hint


def test_canonical_json_ignores_key_order_and_refuses_nan():
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1})
    with pytest.raises(ValueError, match="nan"):
        canonical({"a": [float("nan")]})


def test_a_folders_digest_covers_names_and_contents(tmp_path):
    (tmp_path / "a").write_text("1")
    before = digest_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest_of(tmp_path) != before
    with pytest.raises(GenrecError, match="no file or folder"):
        digest_of(tmp_path / "none")


def test_arrays_come_back_and_equal_content_gives_equal_bytes(tmp_path):
    arrays = {"x": np.arange(6, dtype=np.int32).reshape(2, 3).T, "flags": np.array([True, False])}
    for name in ("one", "two"):
        save_arrays(tmp_path / name, arrays, {"b": [1], "a": "text"})
    loaded, metadata = load_arrays(tmp_path / "one")
    np.testing.assert_array_equal(loaded["x"], arrays["x"])
    assert loaded["flags"].dtype == bool
    assert metadata == {"a": "text", "b": [1]}
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_cut_array_file_is_a_data_error(tmp_path):
    save_arrays(tmp_path / "x", {"x": np.zeros(100)})
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:200])
    with pytest.raises(DataError, match="no readable safetensors"):
        load_arrays(tmp_path / "x")


def test_a_manifest_is_read_back_as_it_was_written(store):
    made = make(store)
    assert read_manifest(made.folder) == made.manifest
