"""Wheels: built from the repository and from a copy elsewhere, they are the same, name no folder, and run."""

from __future__ import annotations

import email
import gzip
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.testing.installing import GENREC, ROOT

FOLDERS = [ROOT, *sorted((ROOT / "plugins").glob("genrec-*")), *sorted((ROOT / "contrib").glob("genrec-*"))]
KEPT = ("pyproject.toml", "README.md", "LICENSE", "genrec_*")
"""What a wheel is made of; copying it elsewhere leaves the repository's own build folders out."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Name of a package → its wheel from the repository's folder and its wheel from a copy elsewhere."""
    home = tmp_path_factory.mktemp("wheels")
    built = []
    for place in ("plugins/beside", "elsewhere"):
        copies = [_copied(folder, home / place / folder.name) for folder in FOLDERS]
        built.append(_built(copies, home / "built" / place))
    return {folder.name: tuple(wheels[folder.name] for wheels in built) for folder in FOLDERS}


def _copied(folder: Path, to: Path) -> Path:
    to.mkdir(parents=True)
    for pattern in KEPT:
        for part in folder.glob(pattern):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(part, to / part.name, ignore=ignore) if part.is_dir() else shutil.copy(part, to)
    return to


def _built(sources: list[Path], to: Path) -> dict[str, Path]:
    """Name of a folder → the wheel of the package in it, all built by one command."""
    arguments = [
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--quiet",
        "--wheel-dir",
        str(to),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, *map(str, sources)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for source in sources:
        name = tomllib.loads((source / "pyproject.toml").read_text())["project"]["name"]
        (found[source.name],) = to.glob(f"{name.replace('-', '_')}-*.whl")
    return found


def _needs(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []


def test_no_wheel_names_a_folder_and_all_say_the_same(wheels):
    for name, (first, second) in wheels.items():
        assert _needs(first) == _needs(second), name
        assert not [need for need in _needs(first) if "file:" in need or "@" in need], name


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_a_package_needs_is_bounded_on_both_sides(folder):
    needs = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
    assert needs
    assert not [need for need in needs if ">=" not in need or ",<" not in need]


def test_a_plugin_that_uses_an_extra_of_the_core_brings_it():
    project = tomllib.loads((ROOT / "plugins/genrec-plugin-singer/pyproject.toml").read_text())["project"]
    (core,) = (need for need in project["dependencies"] if need.startswith("genrec-core"))
    assert "rl" in core.partition("[")[2].partition("]")[0].split(",")


@pytest.fixture(scope="module")
def from_wheels(wheels, tmp_path_factory):
    """Runs Python in a folder, with the packages of the wheels alone; gives back what it printed."""
    packages = tmp_path_factory.mktemp("installed")
    arguments = ["install", "--no-deps", "--no-index", "--quiet", "--target", str(packages)]
    files = [str(wheel) for wheel, _ in wheels.values()]
    subprocess.run([sys.executable, "-m", "pip", *arguments, *files], check=True, capture_output=True)

    def ran(folder: Path, *command: str) -> str:
        return _ran(folder, {"PYTHONPATH": str(packages)}, *command)

    assert str(packages) in ran(packages, "-c", "import genrec_core; print(genrec_core.__file__)")
    return ran


def _ran(folder: Path, settings: dict[str, str], *command: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def quickstart(from_wheels, tmp_path_factory):
    """A folder in which the quickstart ran from wheels, on little data."""
    home = tmp_path_factory.mktemp("quickstart")
    shutil.copy(ROOT / "examples" / "quickstart.yaml", home)
    quick = ("train.sft.epochs=1", "data.source.users=60", "evaluate.resamples=20")
    settings = [part for change in quick for part in ("--set", change)]
    from_wheels(home, "-c", GENREC, "run", "quickstart.yaml", *settings)
    return home


def test_the_quickstart_runs_from_wheels_alone(quickstart):
    assert (quickstart / "runs" / "quickstart" / "latest" / "report.html").stat().st_size > 10_000


def test_a_bundle_opens_in_a_fresh_environment_with_the_store_gone(quickstart, from_wheels, tmp_path):
    items = next((quickstart / "store").glob("data-*")) / "catalogue.json.gz"
    ids = json.loads(gzip.decompress(items.read_bytes()))["ids"]
    asked = ("--history", f"{ids[0]},{ids[7]}", "--json")
    run = quickstart / "runs" / "quickstart" / "latest"
    before = json.loads(_ran(tmp_path, {}, "-c", GENREC, "recommend", str(run), *asked))
    _ran(tmp_path, {}, "-c", GENREC, "bundle", str(run), "--out", "shop.zip")
    for folder in ("store", "runs"):
        (quickstart / folder).rename(quickstart / f"{folder}-gone")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "shop.zip").rename(tmp_path / "elsewhere" / "shop.zip")
    try:
        from_wheels(tmp_path / "elsewhere", "-c", GENREC, "unbundle", "shop.zip")
        after = json.loads(from_wheels(tmp_path / "elsewhere", "-c", GENREC, "recommend", "shop", *asked))
        examined = from_wheels(tmp_path / "elsewhere", "-c", GENREC, "doctor", "shop", "--json")
    finally:
        for folder in ("store", "runs"):
            (quickstart / f"{folder}-gone").rename(quickstart / folder)
    assert after == before
    assert len(after["items"]) == 10
    assert json.loads(examined)["neighbours"]["recall"] > 0
