"""Table: named columns that show themselves in Jupyter and become a data frame of any library.

table = Table({"item": ["a1", "b2"], "score": [0.9, 0.4]})
for row in table: ...                      # {"item": "a1", "score": 0.9}
pandas.DataFrame.from_arrow(table)      # polars.DataFrame(table), pyarrow.table(table)
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from genrec_core.api.table_file import format_of, write_table
from genrec_core.data.arrow_writing import frame_stream

SHOWN = 20
"""Rows that a notebook shows."""


class Table:
    """Columns of equal length.

    Args:
        columns: name → values: texts, numbers, or None where there is none.
        notes: what is to be said about it, below it.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], notes: Sequence[str] = ()) -> None:
        self.columns, self.notes = dict(columns), tuple(notes)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: str) -> Sequence[Any]: ...
    def __getitem__(self, key: int | str) -> Any:
        """A row by number, or a column by name."""
        if isinstance(key, str):
            return self.columns[key]
        return {name: values[key] for name, values in self.columns.items()}

    def __repr__(self) -> str:
        shown = [[_cell(value) for value in row.values()] for row in self._first()]
        widths = [max(map(len, column)) for column in zip(self.columns, *shown, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in [list(self.columns), *shown]
        ]
        return "\n".join([*lines, *self._below()])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
            for row in self._first()
        )
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self._below())
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{notes}"

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The columns as one Arrow record batch, for every data frame library; the types are ours."""
        return frame_stream(self.columns)

    def save(self, path: str | Path) -> Path:
        """Write the rows to a .jsonl, .csv or .parquet file, which may be there already.

        Raises:
            GenrecError: another ending; or Parquet without pyarrow.
        """
        file = Path(path)
        format_of(file)
        write_table(file, self.columns)
        return file

    def _first(self) -> list[dict[str, Any]]:
        return [self[row] for row in range(min(SHOWN, len(self)))]

    def _below(self) -> list[str]:
        more = [f"… {len(self) - SHOWN:,} more rows"] if len(self) > SHOWN else []
        return [*more, *self.notes]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())
