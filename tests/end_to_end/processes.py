"""`genrec` as processes of their own that need not import torch anew.

A server imports the engine once and forks for every command. What runs is a real process with its own
memory, that can be killed for good, but it starts in milliseconds instead of seconds. The server itself
computes nothing, so there are no threads that a fork could lose.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

ENGINE = (
    "torch",
    "transformers.models.qwen3.modeling_qwen3",
    "transformers.trainer",
    "genrec_core.engine.models.tiny",
    "genrec_core.engine.training.sft",
    "genrec_core.engine.decoding.decoder",
    "scipy.sparse.linalg",
    "genrec_plugin_sid.rq_kmeans",
)
"""What the server imports beforehand."""

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(list(ENGINE))


@dataclass
class Started:
    """A command that runs."""

    process: BaseProcess
    output: Path
    """Where its standard output and error go, with the endings `.out` and `.err`."""

    def wait(self, seconds: float = 180) -> str:
        """Its standard output once it ended well."""
        self.process.join(seconds)
        assert self.process.exitcode == 0, (self.process.exitcode, self.err)
        return self.out

    def kill(self) -> bool:
        """Kill -9; says whether it was still running."""
        self.process.kill()
        self.process.join()
        return self.process.exitcode == -9

    @property
    def out(self) -> str:
        return self.output.with_suffix(".out").read_text()

    @property
    def err(self) -> str:
        return self.output.with_suffix(".err").read_text()


def start(folder: Path, *arguments: object) -> Started:
    """Start `genrec` with these arguments in a folder."""
    output = folder / f".{time.monotonic_ns()}"
    words = [str(argument) for argument in arguments]
    process = _server.Process(target=_genrec, args=(str(folder), str(output), words))
    process.start()
    return Started(process, output)


def genrec(folder: Path, *arguments: object) -> str:
    """Run `genrec` to its end; its standard output."""
    return start(folder, *arguments).wait()


def _genrec(folder: str, output: str, words: list[str]) -> None:
    from genrec_core.cli import main

    os.chdir(folder)
    with (
        Path(f"{output}.out").open("w") as out,
        Path(f"{output}.err").open("w") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        sys.argv = ["genrec", *words]
        main(words)
