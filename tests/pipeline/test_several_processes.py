"""Several processes are refused before anything is read, made or written."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from genrec_core.api.batch import write_for_users
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.processes import one_process
from genrec_core.pipeline.add_items import add_items
from genrec_core.pipeline.bundle import unpack_bundle, write_bundle
from genrec_core.pipeline.run import run_pipeline, run_seeds
from genrec_core.store.references import prune
from tests.pipeline.conftest import PIPELINE, QUICK

ROOT = Path(__file__).parents[2]
WRITERS = {
    run_pipeline: 2, run_seeds: 3, add_items: 3, write_bundle: 3, unpack_bundle: 1, prune: 1,
    write_for_users: 5,
}  # fmt: skip
"""What makes runs, artefacts or files of them, and how many things it must be given."""


@pytest.mark.parametrize("size", ["2", "8"])
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_a_launcher_of_several_processes_is_refused_with_the_reason(monkeypatch, writer, size):
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(GenrecError, match=f"`WORLD_SIZE` is `{size}`: several processes were started"):
        writer(*[None] * WRITERS[writer])  # nothing is looked at


@pytest.mark.parametrize("size", [None, "", "0", "1"])
def test_one_process_works_and_gives_back_what_it_made(monkeypatch, size):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if size is not None:
        monkeypatch.setenv("WORLD_SIZE", size)
    assert one_process(lambda out, *, files: [out, files])("a", files="b") == ["a", "b"]


def test_whoever_makes_run_folders_or_claims_artefacts_is_one_process():
    writers, bare = set(), set()
    files = [file for part in ("genrec_core", "contrib", "plugins") for file in (ROOT / part).rglob("*.py")]
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = {ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
        if "tests" not in file.parts and calls & {"Claim", "new_run_folder"}:
            writers.add(file.name)
            functions = [one for one in tree.body if isinstance(one, ast.FunctionDef)]
            marks = {ast.unparse(mark) for one in functions for mark in one.decorator_list}
            bare |= set() if "one_process" in marks else {file.name}
    assert writers >= {"run.py", "add_items.py", "sweeping.py"}
    assert not bare, "these are started by torchrun once a process"


def test_torchrun_with_two_processes_ends_soon_with_the_reason_and_writes_nothing(tmp_path):
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    path = os.pathsep.join((str(QUICK), os.environ.get("PYTHONPATH", "")))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    shown = subprocess.run(
        [*launcher, "-m", "genrec_core", "run", "pipeline.yaml"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": path, "GENREC_PLUGINS": "quick"}, timeout=120,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 1, "torchrun's own code for a process that failed"
    assert "Error: `WORLD_SIZE` is `2`: several processes were started, and each would" in shown.stderr
    assert "start one process, without torchrun" in shown.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["pipeline.yaml"]


def test_several_seeds_leave_no_run_folder_behind(load, environment, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(GenrecError, match="several processes"):
        run_seeds(load(), environment, [1, 2])
    assert not environment.runs.exists()
    assert not environment.store.root.exists()
