"""Several processes are refused before anything is read, made or written."""

import os
import subprocess
import sys

import pytest

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.run import run_pipeline
from tests.pipeline.conftest import PIPELINE, QUICK


@pytest.mark.parametrize("size", ["2", "8"])
def test_a_launcher_of_several_processes_is_refused_with_the_reason(monkeypatch, size):
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(GenrecError, match=f"`WORLD_SIZE` is `{size}`: several processes were started"):
        run_pipeline(None, None)  # neither is looked at


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
    assert "Error: `WORLD_SIZE` is `2`: several processes were started, and each would train" in shown.stderr
    assert "start one process, with `genrec run`" in shown.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["pipeline.yaml"]
