"""`genrec store`: what takes space, and what of it no run needs. `genrec store prune`: delete that.

genrec store                 26 artefacts, 1.2 GB; 310 MB of 4 artefacts no run needs
genrec store prune           deletes those 4
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genrec_core.cli.environment import JSON
from genrec_core.pipeline.console import echo, echo_json, terminal

if TYPE_CHECKING:
    from genrec_core.store.references import Kept

_PATH = click.Path(path_type=Path)

_MEANINGS = {
    "needed": "runs need them",
    "unneeded": "no run needs them: `genrec store prune` deletes them",
    "unreachable": "of runs whose folder of runs is not there; kept (`--unreachable` prunes them)",
    "unknown": "of no run that the store knows; kept (`--unknown` prunes them, `--runs DIR` looks for runs)",
}
_BESIDE = {
    "answers": "teachers' answers, paid for: never pruned",
    "workspaces": "checkpoints of runs that were stopped; deleted when the stage is done, or after 30 days",
    "tmp": "half-made artefacts",
}


def _places(command: Callable[..., None]) -> Callable[..., None]:
    """`--store` and `--runs`."""

    @click.option(
        "--store", "root", type=_PATH, default=Path("store"), show_default=True, help="Which store."
    )
    @click.option(
        "--runs",
        type=_PATH,
        multiple=True,
        default=(Path("runs"),),
        show_default=True,
        help="Folders to look for runs in, besides those that the store knows of. Repeatable.",
    )
    @functools.wraps(command)
    def wrapped(**given: Any) -> None:
        command(**given)

    return wrapped


@click.group(invoke_without_command=True)
@_places
@JSON
@click.pass_context
def store(context: click.Context, root: Path, runs: tuple[Path, ...], as_json: bool) -> None:
    """Show what a store of artefacts holds, and what of it no run needs."""
    if context.invoked_subcommand is not None:
        sources = [context.get_parameter_source(name) for name in ("root", "runs", "as_json")]
        if any(source is not click.core.ParameterSource.DEFAULT for source in sources):
            raise click.UsageError(f"write options behind `{context.invoked_subcommand}`")
        return
    from genrec_core.store.references import survey

    _refuse_other(root)
    kept = survey(_store(root), runs)
    beside = {name: size for name in _BESIDE if (size := _size(root / name))}
    if as_json:
        echo_json({"artefacts": [_plain(one) for one in kept], "beside": beside})
        return
    _print_stages(kept)
    for need, meaning in _MEANINGS.items():
        found = [one for one in kept if one.need == need]
        if found or need == "needed":
            echo(f"{len(found):>6,} artefacts {_bytes(found):>10}  {meaning}")
    for name, size in beside.items():
        echo(f"{name:>16} {_in_words(size):>10}  {_BESIDE[name]}")


@store.command("prune")
@_places
@click.option("--dry-run", is_flag=True, help="Say what would go; delete nothing.")
@click.option("--unknown", is_flag=True, help="Also artefacts that no known run names.")
@click.option("--unreachable", is_flag=True, help="Also those of runs whose folder of runs is not there.")
@JSON
def prune_command(
    root: Path, runs: tuple[Path, ...], dry_run: bool, unknown: bool, unreachable: bool, as_json: bool
) -> None:
    """Delete artefacts that no run needs, because the run folders that named them were deleted.

    What a run folder names, and what a process at work may read, stays. To free space, delete run folders
    first. Whatever goes is made again when a pipeline wants it.
    """
    from genrec_core.store.references import Need, prune

    _refuse_other(root)
    also = [need for need, asked in ((Need.UNKNOWN, unknown), (Need.UNREACHABLE, unreachable)) if asked]
    whole = _store(root)
    gone = prune(whole, runs, also, dry=dry_run)
    if not dry_run:
        whole.sweep()
    if as_json:
        echo_json({"pruned": [_plain(one) for one in gone], "dry_run": dry_run})
        return
    for one in gone:
        echo(f"{_in_words(one.bytes):>10}  {one.name}")
    echo(f"{'would delete' if dry_run else 'deleted'} {len(gone):,} artefacts, {_bytes(gone)}")


def _store(root: Path) -> Any:
    from genrec_core.store.store import Store

    return Store(root)


def _refuse_other(root: Path) -> None:
    from genrec_core.contracts.errors import GenrecError

    if not root.is_dir():
        raise GenrecError(f"there is no store `{root}`", hint="name it with --store")


def _print_stages(kept: Sequence[Kept]) -> None:
    """One row a stage, largest first."""
    from rich.markup import escape
    from rich.table import Table

    stages: dict[str, list[Kept]] = defaultdict(list)
    for one in kept:
        stages[one.stage].append(one)
    table = Table("stage", box=None)
    for column in ("artefacts", "size", "unneeded"):
        table.add_column(column, justify="right")
    for stage, found in sorted(stages.items(), key=lambda entry: -sum(one.bytes for one in entry[1])):
        spare = [one for one in found if one.need == "unneeded"]
        table.add_row(escape(stage), f"{len(found):,}", _bytes(found), _bytes(spare) if spare else "")
    terminal().print(table)


def _plain(one: Kept) -> dict[str, Any]:
    return {**vars(one), "need": str(one.need), "runs": list(one.runs)}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _bytes(found: Sequence[Kept]) -> str:
    return _in_words(sum(one.bytes for one in found))


def _in_words(size: int) -> str:
    """Bytes in the unit that leaves at most three digits before the point."""
    amount, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 999.95 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"
