"""What starts without the engine: help, show, check and explain; and what a run says when it is absent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
QUICKSTART = str(ROOT / "examples" / "quickstart.yaml")
ENGINE = ("torch", "transformers", "accelerate", "tokenizers", "scipy", "gguf")

GENREC = """
import sys
from genrec_core.cli import main
main(sys.argv[1:])
"""

LISTING = f"""
import atexit, json, sys
atexit.register(lambda: print("\\n" + json.dumps(sorted(sys.modules))))
{GENREC}
"""
"""Runs `genrec`, then prints as its last line what was imported."""

WITHOUT_ENGINE = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {ENGINE}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
"""Makes this Python one that has the base installation alone."""

READ_OPTIONS = """
from genrec_core.registry.discovery import load_plugins
registry, _ = load_plugins()
for entry in registry:
    if entry.name.startswith(("core/", "sid/")):
        registry.resolve(entry.kind, entry.name).Options.model_json_schema()
        print(entry.name)
"""
"""Prints the components whose options can be read."""


def started(code, *arguments, folder=ROOT, path=ROOT):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(path), str(ROOT)))}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True, text=True, cwd=folder, env=environment, check=False,
    )  # fmt: skip


def imported(*arguments, folder=ROOT, path=ROOT):
    """Top-level names of the modules that a command imports; `path` holds further packages."""
    ended = started(LISTING, *arguments, folder=folder, path=path)
    assert ended.returncode == 0, ended.stderr
    return {name.partition(".")[0] for name in json.loads(ended.stdout.splitlines()[-1])}


def test_help_imports_nothing_but_click():
    modules = imported("--help")
    assert "click" in modules
    assert not modules & {*ENGINE, "pydantic", "numpy", "yaml", "rich"}


def test_the_package_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "genrec_core", "--version"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout.split()[0]) == (0, "genrec,"), ended.stderr


@pytest.mark.parametrize(
    "arguments",
    [("check", QUICKSTART), ("show", "core/beam"), ("run", QUICKSTART, "--explain"), ("plugins",)],
    ids=lambda arguments: arguments[0],
)
def test_looking_at_a_pipeline_imports_no_engine(arguments, tmp_path):
    modules = imported(*arguments, folder=tmp_path)
    assert "pydantic" in modules
    assert not modules & set(ENGINE)


@pytest.mark.parametrize("command", [("check",), ("run", "--explain")], ids=lambda command: command[0])
def test_a_pipeline_is_checked_and_explained_without_the_engine(command, tmp_path):
    ended = started(WITHOUT_ENGINE + GENREC, *command, QUICKSTART, folder=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "train.sft" in ended.stdout


def test_every_component_of_core_and_sid_has_options_that_are_read_without_the_engine():
    ended = started(WITHOUT_ENGINE + READ_OPTIONS)
    assert ended.returncode == 0, ended.stderr
    assert {"core/sft", "core/sentence", "core/gguf", "sid/rq-kmeans"} <= set(ended.stdout.split())


def test_a_run_without_the_engine_ends_in_one_error_that_says_what_to_install(tmp_path):
    ended = started(WITHOUT_ENGINE + GENREC, "run", QUICKSTART, folder=tmp_path)
    assert ended.returncode == 2
    assert "needs the module `scipy`, which is not installed" in ended.stderr
    assert "pip install 'genrec-core[engine]'" in ended.stderr
    assert ended.stderr.count("Error:") == 1
    assert "Traceback" not in ended.stderr
