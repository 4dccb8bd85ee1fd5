"""Wheels: built from the repository and from a copy elsewhere, they are the same, name no folder, and run."""

from __future__ import annotations

import email
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
    home, found = tmp_path_factory.mktemp("wheels"), {}
    for folder in FOLDERS:
        beside = _copied(folder, home / "plugins" / "beside" / folder.name)
        alone = _copied(folder, home / "elsewhere" / folder.name)
        built = [
            _built(source, home / f"from-{number}" / folder.name)
            for number, source in enumerate((beside, alone))
        ]
        found[folder.name] = tuple(built)
    return found


def _copied(folder: Path, to: Path) -> Path:
    to.mkdir(parents=True)
    for pattern in KEPT:
        for part in folder.glob(pattern):
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(part, to / part.name, ignore=ignore) if part.is_dir() else shutil.copy(part, to)
    return to


def _built(source: Path, to: Path) -> Path:
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
        [sys.executable, "-m", "pip", *arguments, str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = to.glob("*.whl")
    return wheel


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


def test_the_quickstart_runs_from_wheels_alone(wheels, tmp_path):
    packages = tmp_path / "packages"
    for wheel, _ in wheels.values():
        arguments = ["install", "--no-deps", "--no-index", "--quiet", "--target", str(packages), str(wheel)]
        subprocess.run([sys.executable, "-m", "pip", *arguments], check=True, capture_output=True)
    shutil.copy(ROOT / "examples" / "quickstart.yaml", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1"}

    def ran(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert str(packages) in ran("-c", "import genrec_core; print(genrec_core.__file__)")
    quick = ("train.sft.epochs=1", "data.source.users=60", "evaluate.resamples=20")
    settings = [part for change in quick for part in ("--set", change)]
    ran("-c", GENREC, "run", "quickstart.yaml", *settings)
    assert (tmp_path / "runs" / "quickstart" / "latest" / "report.html").stat().st_size > 10_000
