"""Installs a plugin for one test: its own folder of packages, no network, nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OFFLINE = ("--no-index", "--disable-pip-version-check", "--quiet")

GENREC = "from genrec_core.cli import main; main()"
"""What the command `genrec` runs: `run("-c", GENREC, "plugins", ...)`."""


def install(source: Path, target: Path, wheels: Path) -> Path:
    """Build the wheel of a plugin folder and install it into `target`; gives the wheel."""
    copy = wheels / "source"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    wheel = build_wheel(copy, wheels)
    _pip("install", "--no-deps", *OFFLINE, "--target", str(target), str(wheel))
    return wheel


def build_wheel(source: Path, wheels: Path) -> Path:
    """The wheel of a package's folder, which gets build files beside its own."""
    _pip("wheel", "--no-deps", "--no-build-isolation", *OFFLINE, "--wheel-dir", str(wheels), str(source))
    (wheel,) = wheels.glob("*.whl")
    return wheel


def run(*command: str, packages: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of this Python in `folder`, with the packages of `packages` installed."""
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(packages), str(ROOT)])}
    environment.pop("GENREC_PLUGINS", None)
    # Two OpenMP threads that share a busy core wait for each other: fifty times slower than one alone.
    environment["OMP_NUM_THREADS"] = "1"
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
