"""The pytest shell: one item a check, skips with reasons, a floor, a summary line."""

from __future__ import annotations

import subprocess
import sys

from tests.testing.installing import ROOT

SUITE = """
from genrec_core.testing.contracts import {kind}Contract
from tests.testing.broken import {name}

class TestIt({kind}Contract):
    component = {name}
"""


def _pytest(folder, suite, *arguments):
    (folder / "test_it.py").write_text(suite)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rsf", *arguments, "test_it.py"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_sound_component_is_green_and_its_skips_have_reasons(tmp_path):
    done = _pytest(tmp_path, SUITE.format(kind="Tokenizer", name="Good"))
    assert done.returncode == 0, done.stdout
    assert "cannot name items it was not fitted on" in done.stdout
    assert "tokenizer Good: 17 passed, 0 failed, 6 skipped" in done.stdout


def test_a_broken_component_fails_in_the_item_of_that_check(tmp_path):
    done = _pytest(tmp_path, SUITE.format(kind="Reward", name="NotANumber"))
    assert done.returncode == 1
    assert "test_keeps_its_promise[scores_a_group_that_missed]" in done.stdout
    assert "scores are not finite" in done.stdout


def test_the_floor_is_only_demanded_of_a_whole_run(tmp_path):
    suite = SUITE.format(kind="Tokenizer", name="Good")
    done = _pytest(tmp_path, suite, "-k", "is_documented or enough")
    assert done.returncode == 0
    assert "only 1 of 23 checks were selected" in done.stdout


def test_the_pytest_plugin_loads_neither_torch_nor_the_contracts():
    load = "import sys, genrec_core.testing.pytest_plugin"
    code = f"{load}; print({{'torch', 'pydantic', 'numpy'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
