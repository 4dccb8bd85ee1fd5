"""Bundles: opened under another path with everything else gone, they do what the run does."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from genrec_core import Items
from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.data import lines
from genrec_core.evaluation.compare import compare_runs, load_run
from genrec_core.identifiers.diagnosis.diagnosis import examine
from genrec_core.pipeline.add_items import add_items
from genrec_core.pipeline.bundle import unpack_bundle, verify_bundle, write_bundle
from genrec_core.pipeline.diagnosed import inputs_of
from genrec_core.pipeline.run import run_seeds
from genrec_core.pipeline.run_reader import open_run
from genrec_core.store.manifest import MANIFEST, write_manifest

NEW = Items(("n0", "n1"), {"title": ["Thing 03", "Quite another thing"]})
IDS = [*(f"i{item}" for item in range(12)), *NEW.ids]


@pytest.fixture
def vectors(tmp_path):
    """The change that makes the tokenizer's encoder read two files outside the store."""
    home = tmp_path / "vectors"
    home.mkdir()
    np.save(home / "shop.npy", np.arange(2 * len(IDS), dtype=np.float32).reshape(-1, 2))
    (home / "ids.txt").write_text("\n".join(IDS) + "\n")
    return f"tokenizer.encoder={{use: core/vectors, path: {home}/shop.npy, ids: {home}/ids.txt}}"


def told(folder, registry):
    """What a run recommends, and what the doctor says of it."""
    opened = open_run(folder, registry)
    with opened.open() as session:
        (ranked,) = session.recommend([[0, 1, 2]])
    found = examine(inputs_of(opened)).plain()
    return ranked.items.tolist(), ranked.scores.tolist(), found


def all_gone(tmp_path, *kept):
    for path in tmp_path.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("form", ["bundle", "bundle.zip"])
def test_a_bundle_does_what_its_run_does_elsewhere_with_everything_else_gone(
    form, run, vectors, registry, environment, tmp_path
):
    folder = run(vectors).folder
    before = told(folder, registry)
    grown = add_items(open_run(folder, registry), NEW, environment)
    made = write_bundle(folder, registry, tmp_path / form)
    (tmp_path / "far" / "away").mkdir(parents=True)
    (tmp_path / form).rename(tmp_path / "far" / "away" / form)
    figures = load_run(folder).metrics["test"]
    all_gone(tmp_path, "far")

    moved = tmp_path / "far" / "away" / form
    moved = unpack_bundle(moved) if form.endswith(".zip") else moved
    verify_bundle(moved)
    assert told(moved, registry) == before
    assert sorted(made.files) == [str(tmp_path / "vectors" / name) for name in ("ids.txt", "shop.npy")]
    again = add_items(open_run(moved, registry), NEW, environment)
    assert [again.identifiers.text(item) for item in range(14)] == [
        grown.identifiers.text(item) for item in range(14)
    ]
    assert again.folder.name.partition("+")[2] == grown.folder.name.partition("+")[2], "named alike"
    one_more = Items(("n2",), {"title": ["One more"]})
    with pytest.raises(DataError, match="n2"):  # read from the bundle's own file, which lacks it
        add_items(open_run(again.folder, registry), one_more, environment)
    assert load_run(moved).metrics["test"] == figures
    assert compare_runs([load_run(moved, "a"), load_run(moved, "b")]).tables[0].pairs


def test_only_what_is_needed_goes_in_and_no_path_leads_out(run, registry, tmp_path):
    made = write_bundle(run().folder, registry, tmp_path / "bundle")
    stages = [name.rpartition("-")[0] for name in made.artefacts]
    assert stages == ["data", "embed", "model", "train.count"]
    plan = json.loads((tmp_path / "bundle" / "plan.json").read_text())
    assert plan["store"] == "store"
    assert str(tmp_path) not in json.dumps(plan)


def test_a_bundle_of_a_run_that_grew_and_of_a_bundle(run, vectors, registry, environment, tmp_path):
    grown = add_items(open_run(run(vectors).folder, registry), NEW, environment).folder
    write_bundle(grown, registry, tmp_path / "first")
    write_bundle(tmp_path / "first", registry, tmp_path / "second")
    expected = told(grown, registry)
    all_gone(tmp_path, "second")
    assert told(tmp_path / "second", registry) == expected
    assert len(open_run(tmp_path / "second", registry).catalogue.items) == 14


def test_a_run_that_grew_twice_reads_its_bundle_s_files_from_any_store(
    run, vectors, registry, environment, tmp_path
):
    write_bundle(run(vectors).folder, registry, tmp_path / "bundle")
    (tmp_path / "bundle" / "store").rename(tmp_path / "elsewhere")
    opened = open_run(tmp_path / "bundle", registry, tmp_path / "elsewhere")
    first = add_items(opened, NEW.subset([0]), environment).folder
    second = add_items(open_run(first, registry), NEW.subset([1]), environment).folder
    assert len(open_run(second, registry).catalogue.items) == 14
    (tmp_path / "elsewhere").rename(tmp_path / "bundle" / "store")
    shutil.rmtree(first)
    plan = json.loads((second / "plan.json").read_text()) | {"store": "../bundle/store"}
    (second / "plan.json").write_text(json.dumps(plan))
    assert told(second, registry), "what it grew from is gone, and the bundle is there"


@pytest.mark.parametrize("column", ["/", "~", "~nobody-here/x", "."])
def test_a_text_option_that_looks_like_a_place_is_left_alone(column, run, vectors, registry, tmp_path):
    folder = run(vectors, f'tokenizer.encoder.id_column="{column}"').folder
    made = write_bundle(folder, registry, tmp_path / "bundle")
    assert [name.rpartition("/")[2] for name in made.files] == ["shop.npy", "ids.txt"]
    left_out = write_bundle(folder, registry, tmp_path / "without", files=False)
    assert [name.rpartition("/")[2] for name in left_out.missing] == ["shop.npy", "ids.txt"]


def test_all_seeds_are_taken_and_what_they_share_once(load, vectors, environment, registry, tmp_path):
    home = run_seeds(load(vectors), environment, [1, 2]).folder
    made = write_bundle(home, registry, tmp_path / "bundle.zip")
    stages = [name.rpartition("-")[0] for name in made.artefacts]
    assert (stages.count("data"), stages.count("train.count"), len(made.files)) == (1, 2, 2)
    before = [told(home / seed, registry) for seed in ("seed-1", "seed-2")]
    all_gone(tmp_path, "bundle.zip")
    moved = unpack_bundle(tmp_path / "bundle.zip", tmp_path / "elsewhere")
    assert [told(moved / seed, registry) for seed in ("seed-1", "seed-2")] == before
    assert told(moved, registry) == before[0]
    assert load_run(moved).metrics["seeds"] == {"1": "seed-1", "2": "seed-2"}


def test_a_file_that_is_gone_is_named_and_may_be_left_out(run, vectors, registry, tmp_path):
    folder = run(vectors).folder
    (tmp_path / "vectors" / "ids.txt").unlink()
    with pytest.raises(GenrecError, match=r"encoder `core/vectors` reads `.*ids\.txt`, which is not there"):
        write_bundle(folder, registry, tmp_path / "bundle")
    assert not [*tmp_path.glob(".bundle*")]
    made = write_bundle(folder, registry, tmp_path / "bundle", files=False)
    assert len(made.missing) == 2
    assert told(tmp_path / "bundle", registry) == told(folder, registry)


def test_damage_is_found_wherever_it_is(run, registry, tmp_path):
    write_bundle(run().folder, registry, tmp_path / "bundle.zip")
    whole = (tmp_path / "bundle.zip").read_bytes()
    (tmp_path / "bundle.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="no whole bundle"):
        unpack_bundle(tmp_path / "bundle.zip")
    assert [path.name for path in tmp_path.glob("*bundle*")] == ["bundle.zip"], "nothing half is left"
    (tmp_path / "bundle.zip").write_bytes(whole)
    folder = unpack_bundle(tmp_path / "bundle.zip")
    table = next(folder.glob("store/train.count-*/models/main/table.json"))
    body = bytearray(table.read_bytes())
    body[3] ^= 1
    table.write_bytes(bytes(body))
    with pytest.raises(DataError, match=r"damaged: .*table\.json` has another SHA-256"):
        verify_bundle(folder)
    with pytest.raises(GenrecError, match="another SHA-256"):
        told(folder, registry)


def test_a_foreign_file_writes_nothing_outside_its_folder(run, registry, tmp_path):
    write_bundle(run().folder, registry, tmp_path / "good")
    manifest = json.loads((tmp_path / "good" / "manifest.json").read_text())
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../../stolen.txt", "x")
        for path in (tmp_path / "good").rglob("*"):
            archive.write(path, path.relative_to(tmp_path / "good").as_posix())
    unpack_bundle(
        tmp_path / "bad.zip", tmp_path / "in" / "here"
    )  # what the manifest does not list is not read
    assert not (tmp_path / "stolen.txt").exists()
    manifest["files"]["../../stolen.txt"] = {"bytes": 1, "sha256": "0" * 64}
    with zipfile.ZipFile(tmp_path / "worse.zip", "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        archive.writestr("../../stolen.txt", "x")
    with pytest.raises(DataError, match="manifest is damaged"):
        unpack_bundle(tmp_path / "worse.zip", tmp_path / "in" / "there")
    assert not (tmp_path / "stolen.txt").exists()


@pytest.mark.parametrize("big", ["metrics.json", "manifest.json"])
def test_a_bundle_that_unpacks_without_end_is_refused(big, run, registry, monkeypatch, tmp_path):
    write_bundle(run().folder, registry, tmp_path / "bundle")
    (tmp_path / "bundle" / big).write_bytes(b" " * 40_000_000)
    if big != MANIFEST:
        (tmp_path / "bundle" / MANIFEST).unlink()
        write_manifest(tmp_path / "bundle", "bundle", {}, {}, {})
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (tmp_path / "bundle").rglob("*.json"):
            archive.write(path, path.relative_to(tmp_path / "bundle").as_posix())
    monkeypatch.setattr(lines, "UNPACKED_FREE", 1 << 20)
    with pytest.raises(DataError, match="bytes, more than 200 times its size"):
        unpack_bundle(tmp_path / "bad.zip")
    assert not (tmp_path / "bad").exists()


def test_a_bundle_that_was_packed_again_is_unpacked(run, registry, tmp_path):
    write_bundle(run().folder, registry, tmp_path / "bundle")
    packed = shutil.make_archive(str(tmp_path / "again"), "zip", tmp_path / "bundle")
    assert (unpack_bundle(Path(packed)) / "plan.json").is_file()


def test_what_is_there_is_not_written_over(run, registry, tmp_path):
    folder = run().folder
    write_bundle(folder, registry, tmp_path / "bundle.zip")
    with pytest.raises(GenrecError, match=r"bundle\.zip` is there already"):
        write_bundle(folder, registry, tmp_path / "bundle.zip")
    (tmp_path / "bundle").mkdir()
    with pytest.raises(GenrecError, match="is there already"):
        unpack_bundle(tmp_path / "bundle.zip")
    with pytest.raises(GenrecError, match="is no run folder"):
        write_bundle(tmp_path / "bundle", registry, tmp_path / "other.zip")
