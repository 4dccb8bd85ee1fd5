"""`genrec items add`: new items into a finished run, without training anything again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from genrec_core.cli.environment import JSON, STORE, StoreAndRuns, environment
from genrec_core.pipeline.console import echo, echo_json

_PATH = click.Path(path_type=Path)

_SHOWN = 10
"""New items that the summary lists."""


@click.group()
def items() -> None:
    """Add items to a finished run."""


@items.command("add")
@click.argument("run", type=_PATH)
@click.argument("file", type=_PATH)
@click.option("--out", type=_PATH, help="The new run folder; by default beside RUN.")
@click.option("--dry-run", is_flag=True, help="Say how the items would be called; write nothing.")
@click.option("--allow-empty-text", is_flag=True, help="Take items without any text.")
@STORE
@JSON
def add(
    run: Path,
    file: Path,
    out: Path | None,
    dry_run: bool,
    allow_empty_text: bool,
    store: Path | None,
    as_json: bool,
) -> None:
    """Add the items of FILE to the catalogue of RUN, which stays as it is.

    FILE is an items.jsonl, or a CSV or Parquet table, with `item_id` and the fields of the catalogue. The new
    items get identifiers by what the run's tokenizer learnt; no old identifier changes and no model is
    trained. The result is a run folder of its own, for `genrec recommend`, `genrec doctor` and further items.
    """

    from genrec_core.data.new_items import read_new_items
    from genrec_core.pipeline.add_items import add_items, preview, summary
    from genrec_core.pipeline.run_reader import open_run

    shop = environment(StoreAndRuns(Path("store"), Path("runs")), quiet=True)
    opened = open_run(run, shop.registry, store)
    new = read_new_items(file, opened.catalogue.items, allow_empty_text=allow_empty_text)
    extended = preview(opened, new) if dry_run else add_items(opened, new, shop, out)
    found = summary(extended)
    if as_json:
        folder = str(extended.folder) if extended.folder else None
        echo_json({"run": folder, **found})
        return
    _print(found)
    echo(f"run  {extended.folder}" if extended.folder else "nothing was written (--dry-run)")


def _print(found: dict[str, Any]) -> None:
    echo(f"{found['new']:,} new items beside {found['known']:,} known ones")
    for length, count in found["sharing"].items():
        tokens = "first token" if length == "1" else f"first {length} tokens"
        echo(f"{count:>8,}  share their {tokens} with a known item")
    echo(f"{found['colliding']:>8,}  share their whole identifier with another item")
    if unlike := found.get("unlike", []):
        shown = ", ".join(f"{one['item']} ({one['cosine']:.2f})" for one in unlike[:3])
        what = "far less like any known item than those are like one another"
        echo(f"{len(unlike):>8,}  {what}: {shown}{', …' if len(unlike) > 3 else ''}")
    for entry in found["items"][:_SHOWN]:
        echo(f"{entry['item']}  {entry['identifier']}  {entry['title']}")
        if entry["companions"]:
            echo(f"    begins like {', '.join(entry['companions'])} ({entry['shared']} tokens)")
        near = [f"{one['item']} {one['title']} ({one['cosine']:.2f})" for one in entry.get("nearest", ())]
        if near:
            echo(f"    nearest: {'; '.join(near)}")
    if found["new"] > _SHOWN:
        echo(f"… and {found['new'] - _SHOWN:,} more; --json lists all")
