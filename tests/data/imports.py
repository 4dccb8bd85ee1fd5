"""Imports of a small table that is spoilt in some way, as `genrec data import` runs them."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from genrec_core.cli.data import data
from genrec_core.data.folder import Reading, load_folder

LOG = "user_id,item_id,timestamp\nu,a,1\nu,b,2\nu,c,3\n"


def run(tmp_path: Path, files: dict[str, str | bytes], *options: str, log: str = "log.csv") -> Result:
    """`genrec data import` over files that are written first."""
    for name, content in {"log.csv": LOG, **files}.items():
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(raw)
    return CliRunner().invoke(data, ["import", str(tmp_path / log), "--out", str(tmp_path / "out"), *options])


def with_items(tmp_path: Path, content: str | bytes, *options: str, name: str = "items.jsonl") -> Result:
    return run(tmp_path, {name: content}, "--items", str(tmp_path / name), *options)


def items_of(tmp_path: Path) -> dict[str, dict[str, object]]:
    items = load_folder(tmp_path / "out", Reading(allow_empty_text=True)).items
    return {
        item_id: {name: column[index] for name, column in items.fields.items()}
        for index, item_id in enumerate(items.ids)
    }
