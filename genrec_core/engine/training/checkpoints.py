"""Checkpoint folders: safetensors and JSON, sealed like artefacts, complete or passed over.

A checkpoint is written into a temporary folder, sealed by the store's manifest (size and SHA-256 of every
file, and of the manifest itself) and renamed into place. A reader takes the newest folder that is whole and
of the run that asks. One that was damaged is passed over, and the log says which and why. Nothing is
pickled.

    workspace/checkpoint-120/   weights, optimiser, schedule, random state, tracker.json, manifest.json
    workspace/best-80/          weights
"""

from __future__ import annotations

import contextlib
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
from genrec_core.store.manifest import damage, read_manifest, replace_folder, write_manifest

CHECKPOINT, BEST = "checkpoint", "best"
"""What folders of the work folder are called, each with its step behind: `checkpoint-120`, `best-80`."""

TRACKER = "tracker.json"
"""What the tracker knew, sealed with the other files."""

FORMAT = 2


def write_checkpoint(
    folder: Path, identity: str, write: Callable[[Path], None], tracker: BestTracker | None = None
) -> None:
    """Write a checkpoint so that it is either whole or absent.

    Args:
        folder: where it shall be; replaced if it is there.
        identity: hash of what the run is; a run with another identity never reads it.
        write: writes the files into the folder it is given.
        tracker: kept beside them.
    """
    building = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    write(building)
    if tracker is not None:
        (building / TRACKER).write_bytes(orjson.dumps(tracker.state()))
    write_manifest(building, "checkpoint", _ingredients(identity), versions={}, cost={})
    replace_folder(folder, building, aside=folder.with_name(f".{folder.name}.old"))


def unusable(folder: Path, identity: str) -> str | None:
    """What is wrong with a checkpoint: "" when nothing is, None when it is whole but of another run."""
    manifest = read_manifest(folder)
    if manifest is not None and manifest.ingredients != _ingredients(identity):
        return None
    return damage(folder, deep=True)


def resumable(
    folder: Path, identity: str, patience: int | None, context: Context, *, needs_best: bool
) -> tuple[Path | None, BestTracker]:
    """The newest checkpoint that can be gone on from, and what it knows; none where there is none.

    Args:
        folder: the work folder.
        identity: of the run that asks.
        patience: of a tracker that starts anew.
        context: its log names every checkpoint that was passed over because it is damaged.
        needs_best: whether the run hands on its best weights, which then have to be there.
    """
    found = [path for path in folder.glob(f"{CHECKPOINT}-*") if path.name.rpartition("-")[2].isdigit()]
    for path in sorted(found, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        wrong = unusable(path, identity)
        if wrong is None:
            continue
        if not wrong:
            tracker = BestTracker.restored(orjson.loads((path / TRACKER).read_bytes()))
            if not needs_best or tracker.best_value is None:
                return path, tracker
            best = folder / f"{BEST}-{tracker.best_step}"
            wrong = unusable(best, identity)
            if wrong == "":
                return path, tracker
            wrong = f"its best weights `{best.name}` cannot be used: {wrong or 'they are of another run'}"
        context.log("passed over", checkpoint=path.name, reason=wrong)
    return None, BestTracker(patience)


def _ingredients(identity: str) -> dict[str, Any]:
    return {"identity": identity, "format": FORMAT}


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
