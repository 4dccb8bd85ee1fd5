"""Installs a plugin for one test: its own folder of packages, no network, nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENREC = "from genrec_core.cli import main; main()"
"""What the command `genrec` runs: `run("-c", GENREC, "plugins", ...)`."""


def install(source: Path, target: Path, wheels: Path) -> Path:
    """Build the wheel of a plugin folder and install it into `target`; gives the wheel."""
    copy = wheels / "source"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    _pip("wheel", *offline, "--wheel-dir", str(wheels), str(copy))
    (wheel,) = wheels.glob("*.whl")
    _pip("install", *offline[:1], *offline[2:], "--target", str(target), str(wheel))
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
