"""The work folder: where a training run keeps checkpoints while it lasts."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from genrec_core.contracts.context import Context


@contextlib.contextmanager
def work_folder(context: Context) -> Iterator[Path]:
    """The context's workspace, or a folder that does not outlive the run."""
    if context.workspace is not None:
        context.workspace.mkdir(parents=True, exist_ok=True)
        yield context.workspace
        return
    with tempfile.TemporaryDirectory(prefix="genrec-") as name:
        yield Path(name)
