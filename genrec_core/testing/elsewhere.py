"""Another process, with another seed of Python's `hash()`, that answers questions put as JSON.

    ask_elsewhere("genrec_core.testing.results:answer", {...})   # what the function gives there, or `failed`

Loading torch and transformers takes longer than most answers, so one process loads the libraries that are
loaded here and is forked for each question: what is asked starts afresh, with nothing of the component
imported. Where forking is not safe (elsewhere than on Linux) each question gets a process of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

LIBRARIES = {
    "accelerate", "datasets", "peft", "safetensors", "scipy", "tokenizers", "torch", "transformers", "trl",
}  # fmt: skip
"""Packages that are loaded before a question is asked; they know nothing of components."""

_FORKS = sys.platform == "linux"
_started: list[subprocess.Popen[str]] = []


def ask_elsewhere(function: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What a function gives in another process: `failed` holds the error where it gives nothing.

    Args:
        function: `module:name` of a function of one JSON object that gives another.
        asked: what it is given.
    """
    if not _started or not _FORKS or _started[0].poll() is not None:
        _close()
        _started.append(_start())
    process = _started[0]
    assert process.stdin is not None
    assert process.stdout is not None
    question = {
        "function": function, "asked": asked, "path": sys.path, "folder": str(Path.cwd()),
        "environment": {**os.environ, "PYTHONHASHSEED": _other_seed()}, "loaded": _loaded(),
    }  # fmt: skip
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        _close()
        return {"failed": f"exit code {process.returncode}"}
    answered: dict[str, Any] = json.loads(line)
    return answered


def serve() -> None:
    """The other process: reads questions from standard input, one a line, until there are no more."""
    # What components print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in iter(sys.stdin.readline, ""):
        question = json.loads(line)
        sys.path[:] = question["path"]
        for name in question["loaded"]:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
        answers.write((_forked(question) if _FORKS else json.dumps(_answered(question))) + "\n")
        answers.flush()


def _forked(question: dict[str, Any]) -> str:
    """The answer of a child, as JSON."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        with os.fdopen(write, "w") as answer:
            answer.write(json.dumps(_answered(question)))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        found = answer.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return found or json.dumps({"failed": f"exit code {code}"})


def _answered(question: dict[str, Any]) -> dict[str, Any]:
    os.environ.clear()
    os.environ.update(question["environment"])
    os.chdir(question["folder"])
    module, _, name = question["function"].partition(":")
    try:
        found: dict[str, Any] = getattr(importlib.import_module(module), name)(question["asked"])
    except BaseException as error:
        return {"failed": f"{type(error).__name__}: {error}".strip()}
    return found


def _start() -> subprocess.Popen[str]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ) | {"PYTHONHASHSEED": _other_seed()},
        text=True,
    )


def _close() -> None:
    for process in _started:
        process.communicate()
    _started.clear()


def _other_seed() -> str:
    return "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"


def _loaded() -> list[str]:
    """Modules of the libraries that this process has, those that others need first."""
    return [name for name in list(sys.modules) if name.partition(".")[0] in LIBRARIES]


atexit.register(_close)
