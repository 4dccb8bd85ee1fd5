"""Checkpoint folders: safetensors and JSON, complete or ignored.

A checkpoint is written into a temporary folder, its manifest (sha256 of every file) last, and renamed into
place. A reader takes the newest folder whose manifest is there, whose files have the digests it names and
whose identity is that of the run that asks; anything else is as if it were not there. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from genrec_core.contracts.context import Context
from genrec_core.engine.training.best_tracker import BestTracker

CHECKPOINT, BEST = "checkpoint", "best"
"""What folders of the work folder are called, each with its step behind: `checkpoint-120`, `best-80`."""

MANIFEST = "manifest.json"
FORMAT = 1


def write_checkpoint(
    folder: Path, identity: str, write: Callable[[Path], None], state: Mapping[str, Any] | None = None
) -> None:
    """Write a checkpoint so that it is either whole or absent.

    Args:
        folder: where it shall be; replaced if it is there.
        identity: hash of what the run is; a run with another identity never reads it.
        write: writes the files into the folder it is given.
        state: JSON values kept in the manifest.
    """
    torn = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(torn, ignore_errors=True)
    torn.mkdir(parents=True)
    write(torn)
    files = {path.name: _digest(path) for path in sorted(torn.iterdir())}
    manifest = {"format": FORMAT, "identity": identity, "files": files, "state": dict(state or {})}
    with (torn / MANIFEST).open("wb") as out:
        out.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        out.flush()
        os.fsync(out.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    torn.rename(folder)


def read_manifest(folder: Path, identity: str) -> dict[str, Any] | None:
    """The state of a checkpoint, or None when it is torn, altered or of another run."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if manifest.get("format") != FORMAT or manifest.get("identity") != identity:
        return None
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file() or _digest(folder / name) != digest:
            return None
    state: dict[str, Any] = manifest["state"]
    return state


def newest_checkpoint(parent: Path, prefix: str, identity: str) -> tuple[Path, dict[str, Any]] | None:
    """The usable checkpoint `<prefix>-<step>` with the highest step, and its state."""
    folders = [path for path in parent.glob(f"{prefix}-*") if path.name.rpartition("-")[2].isdigit()]
    for folder in sorted(folders, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        state = read_manifest(folder, identity)
        if state is not None:
            return folder, state
    return None


def resumable(
    folder: Path, identity: str, patience: int | None, *, needs_best: bool
) -> tuple[Path | None, BestTracker]:
    """The checkpoint to go on from and what it knows; none if the best weights it counts on are damaged.

    Args:
        folder: the work folder.
        identity: of the run that asks.
        patience: of a tracker that starts anew.
        needs_best: whether the run hands on its best weights, which then have to be there.
    """
    found = newest_checkpoint(folder, CHECKPOINT, identity)
    if found is not None:
        tracker = BestTracker.restored(found[1])
        best = folder / f"{BEST}-{tracker.best_step}"
        evaluated = tracker.best_value is not None
        if not (needs_best and evaluated) or read_manifest(best, identity) is not None:
            return found[0], tracker
    return None, BestTracker(patience)


@contextlib.contextmanager
def work_folder(context: Context) -> Iterator[Path]:
    """The context's workspace, or a folder that does not outlive the run."""
    if context.workspace is not None:
        context.workspace.mkdir(parents=True, exist_ok=True)
        yield context.workspace
        return
    with tempfile.TemporaryDirectory(prefix="genrec-") as name:
        yield Path(name)


def save_weights(network: torch.nn.Module, file: Path) -> None:
    """Every weight and persistent buffer once, tied ones under their first name."""
    save_file({name: value.detach().cpu().contiguous() for name, value in _weights(network).items()}, file)


@torch.no_grad()
def load_weights(network: torch.nn.Module, file: Path) -> None:
    """Copy saved weights into a network of the same shape, in place: ties and optimisers keep theirs."""
    saved = load_file(file)
    for name, value in _weights(network).items():
        value.copy_(saved[name])


def _weights(network: torch.nn.Module) -> dict[str, Tensor]:
    persistent = network.state_dict().keys()
    buffers = {name: value for name, value in network.named_buffers() if name in persistent}
    return {**dict(network.named_parameters()), **buffers}


def save_optimizer(state: Mapping[str, Any], tensors: Path, plain: Path) -> None:
    """A torch optimiser's `state_dict()`: tensors to safetensors, everything else to JSON."""
    flat: dict[str, Tensor] = {}
    rest: dict[str, dict[str, Any]] = {}
    for parameter, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                flat[f"{parameter}.{name}"] = value.detach().cpu().contiguous().clone()
            else:
                rest.setdefault(str(parameter), {})[name] = value
    save_file(flat, tensors)
    plain.write_bytes(orjson.dumps({"groups": state["param_groups"], "state": rest}))


def load_optimizer(tensors: Path, plain: Path) -> dict[str, Any]:
    """What `save_optimizer` was given."""
    loaded = orjson.loads(plain.read_bytes())
    state: dict[int, dict[str, Any]] = {int(key): dict(values) for key, values in loaded["state"].items()}
    for name, value in load_file(tensors).items():
        parameter, _, key = name.partition(".")
        state.setdefault(int(parameter), {})[key] = value
    for group in loaded["groups"]:
        group["betas"] = tuple(group["betas"])
    return {"state": state, "param_groups": loaded["groups"]}


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
