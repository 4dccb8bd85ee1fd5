"""Pipes and devices where a file is meant: a message, and no command that waits for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from genrec_core.store.manifest import read_manifest
from tests.pipeline.conftest import PIPELINE, QUICK

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
SECONDS = 60
"""After which a command counts as one that waits."""
ANY = "this is a pipe or a device"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a finished run in it, and pipes."""
    home = tmp_path_factory.mktemp("pipes")
    (home / "pipeline.yaml").write_text(PIPELINE)
    assert genrec(home, "run", "pipeline.yaml").returncode == 0
    latest = home / "runs" / "quick" / "latest"
    for name, file in {"plan": "plan.json", "zero": "plan.json", "pipeline": "pipeline.yaml"}.items():
        shutil.copytree(latest, home / name)
        (home / name / file).unlink()
        if name == "zero":
            (home / name / file).symlink_to("/dev/zero")
        else:
            os.mkfifo(home / name / file)
    for name in ("model", "sentence"):
        (home / name).mkdir()
        os.mkfifo(home / name / "config.json")
    shutil.copytree(home / "store", home / "piped")
    manifest = next(home.glob("piped/data-*/manifest.json"))
    manifest.unlink()
    os.mkfifo(manifest)
    for ending in ("npy", "safetensors", "parquet", "zip", "html", "jsonl", "txt"):
        os.mkfifo(home / f"fifo.{ending}")
    (home / "ids.txt").write_text("i0\n")
    return home


def genrec(home, *arguments):
    """A command in a process of its own, which is killed when it waits."""
    paths = f"{QUICK}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "GENREC_PLUGINS": "quick", "PYTHONPATH": paths}
    command = [sys.executable, "-m", "genrec_core", *arguments]
    return subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


RUN = "runs/quick/latest"
REFUSED = {
    "embeddings in a .npy": (["doctor", RUN, "--embeddings", "fifo.npy"], ANY),
    "embeddings in a .safetensors": (["doctor", RUN, "--embeddings", "fifo.safetensors"], ANY),
    "an encoder's table": (["doctor", RUN, "--encoder", "{use: core/vectors, path: fifo.parquet}"], ANY),
    "an encoder's model": (["doctor", RUN, "--encoder", "{use: core/sentence, path: ./sentence}"], ANY),
    "a bundle": (["unbundle", "fifo.zip", "--to", "x"], ANY),
    "a page that nobody reads": (["compare", RUN, "--html", "fifo.html"], "is a pipe that nobody reads"),
    "a plan that is a pipe": (["recommend", "plan", "--history", "i1"], "`plan.json` cannot be read"),
    "a plan without an end": (["doctor", "zero"], "`plan.json` cannot be read"),
    "a manifest": (
        ["recommend", RUN, "--history", "i1", "--store", "piped"], "`manifest.json` is missing",
    ),
    "a model of check": (
        ["check", "pipeline.yaml", "--set", "model={use: core/pretrained, path: ./model}"], ANY,
    ),
    "a path of check": (
        ["check", "pipeline.yaml", "--set", "data.source={use: quick/shop, prices: fifo.txt}"],
        "is a pipe or a device, but the source `quick/shop` reads it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_pipe_or_a_device_is_refused(home, case):
    arguments, said = REFUSED[case]
    ended = genrec(home, *arguments)
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr
    assert "should not have happened" not in ended.stderr


def test_what_is_not_needed_or_is_made_anew_keeps_nobody_waiting(home):
    assert genrec(home, "compare", "pipeline", RUN).returncode == 0
    assert genrec(home, "store", "prune", "--dry-run", "--store", "piped").returncode == 0
    assert genrec(home, "run", "pipeline.yaml", "--store", "piped").returncode == 0
    assert read_manifest(next(home.glob("piped/data-*"))) is not None


def test_a_page_is_written_into_a_pipe_that_somebody_reads(home):
    with subprocess.Popen(["cat", home / "fifo.html"], stdout=subprocess.PIPE) as reader:
        try:
            ended = genrec(home, "compare", RUN, "--html", "fifo.html")
            assert ended.returncode == 0, ended.stderr
            assert b"</html>" in reader.communicate(timeout=SECONDS)[0]
        finally:
            reader.kill()
