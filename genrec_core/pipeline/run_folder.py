"""Run folders: what is left of a run for people and other programs.

    runs/<name>/<id>/  pipeline.yaml  plan.json  metrics.json  recommendations.jsonl.gz  ranks.safetensors
                       log.jsonl  report.html
    runs/<name>/latest → the newest that ended well
    runs/<name>/current → the newest that began: `tail -f runs/<name>/current/log.jsonl`

A run that items were added to (`add_items`) has `pipeline.yaml`, `plan.json`, `items.json` and the items.

Files are written beside their place and renamed, so a reader never sees half of one; `latest` is a link
that is exchanged the same way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import recordable, regular_file
from genrec_core.pipeline.plan import Ingredients, Plan

LATEST, CURRENT = "latest", "current"
PIPELINE = "pipeline.yaml"
PLAN = "plan.json"
ITEMS = "items.json"
NEW_ITEMS = "new-items.jsonl"
"""The items that were added to a run: what it takes to make its artefacts anew."""
LOG = "log.jsonl"
REPORT = "report.html"


def new_run_folder(runs: Path, name: str) -> Path:
    """A new folder `runs/<name>/<time>`; of two runs in one second the later gets a number."""
    recordable(runs.absolute(), "name another folder with --runs, or work in one with another name")
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    parent = runs / name
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            folder = parent / (stamp if number == 1 else f"{stamp}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            _point(folder, CURRENT)
            return folder
    except OSError as error:
        raise GenrecError(
            f"the folder `{parent}` for runs cannot be written: {error.strerror}",
            hint="name another with --runs",
        ) from error
    raise GenrecError(
        f"`{parent}` already holds ten thousand runs of this second", hint="name another --runs"
    )


def write_readable(path: Path, value: Any) -> None:
    """Write JSON for people: indented, keys in the order given."""
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)
    _write(path, body + b"\n")


def write_pipeline(path: Path, described: Mapping[str, Any]) -> None:
    """Write a resolved pipeline; it can be run again as it is."""
    text = yaml.safe_dump(dict(described), sort_keys=False, allow_unicode=True, width=100)
    _write(path, text.encode())


def point_latest(folder: Path) -> str:
    """Let `latest` beside this folder lead to it; says why it does not, empty when it does."""
    return _point(folder, LATEST)


def _point(folder: Path, name: str) -> str:
    place = folder.parent / name
    if place.exists() and not place.is_symlink():
        return f"`{place}` is a folder of its own, so it does not lead to this run; move it away"
    link = folder.parent / f".{name}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(place)
    return ""


def plan_record(
    plan: Plan, home: Path, store: Path, versions: Mapping[str, str], outcomes: Mapping[str, str]
) -> Any:
    """The content of `plan.json`: every stage with its fingerprint, the reason, and what became of it.

    Args:
        plan: what runs.
        home: the run folder.
        store: where the artefacts are.
        versions: package → version.
        outcomes: stage → what became of it.
    """
    return {
        "name": plan.name,
        "seed": plan.seed,
        **store_record(home, store),
        "versions": dict(versions),
        "stages": [
            {
                "name": entry.stage.name,
                "kind": entry.stage.kind,
                "fingerprint": entry.key,
                "inputs": dict(entry.stage.inputs),
                "seed": entry.seed,
                "reason": entry.reason.plain(),
                "outcome": outcomes.get(entry.stage.name, "pending"),
                "ingredients": entry.ingredients,
            }
            for entry in plan.entries
        ],
    }


def store_record(home: Path, store: Path) -> dict[str, str]:
    """Where the store is, as `plan.json` says it: from the run folder, and on this machine.

    Runs and their store can so be moved together, and a run folder alone on the machine where it was made.
    """
    return {"store": way_to(home, store), "store_was": str(store.absolute())}


def way_to(home: Path, place: Path) -> str:
    """The way from a run folder to a place, with `/` between its steps."""
    return Path(os.path.relpath(place.parent.resolve() / place.name, home.resolve())).as_posix()


def store_of(home: Path, plan: Mapping[str, Any]) -> Path:
    """The store that a `plan.json` names: seen from the run folder, else where it was when that was made.

    What an artefact holds is known by its digests, so it does not matter in which of both it is found.
    """
    beside = Path(os.path.normpath(home.resolve() / plan["store"]))
    was = Path(plan.get("store_was", plan["store"]))
    return was if was.is_absolute() and was.is_dir() and not beside.is_dir() else beside


def last_ingredients(runs: Path, name: str, seed: int) -> dict[str, Ingredients]:
    """Stage → ingredients at the latest run of a pipeline; empty when it never ran."""
    latest = runs / name / LATEST
    for path in (latest / f"seed-{seed}" / PLAN, latest / PLAN, *sorted(latest.glob(f"seed-*/{PLAN}"))):
        try:
            record = orjson.loads(regular_file(path).read_bytes())
            found = {stage["name"]: stage["ingredients"] for stage in record["stages"]}
            if all(isinstance(ingredients, dict) for ingredients in found.values()):
                return found
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no such run, or somebody edited it: reasons are then given without a comparison
    return {}


def _write(path: Path, body: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(body)
    part.replace(path)
