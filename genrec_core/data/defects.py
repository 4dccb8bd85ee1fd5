"""Defects: what is wrong with somebody's data, collected before anything is refused.

One bad row is rarely alone. A reader therefore notes each defect and reads on; at the end the defects of
one kind become one message with their number, the first places and the values.

    >>> defects = Defects()
    >>> defects.add("item is not in the catalogue", "x9", Path("test.jsonl"), 3, "add it to items.jsonl")
    >>> print(defects.found[0])
    test.jsonl:3: item is not in the catalogue: `x9`
      → add it to items.jsonl
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.errors import DataError

_EXAMPLES = 3
_LONGEST = 60


@dataclass
class Defect:
    """All defects of one kind in one file.

    Attributes:
        what: the defect, as a sentence without its value.
        hint: what to do.
        path: the file.
        count: how many rows have it.
        examples: (line or 0, value) of the first ones.
    """

    what: str
    hint: str
    path: Path
    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)

    @property
    def where(self) -> str:
        """Place of the first row, `file:line` (the file alone when no line is to blame)."""
        line = self.examples[0][0]
        return f"{self.path}:{line}" if line else str(self.path)

    @property
    def message(self) -> str:
        """The defect with its values and, for more than one row, how many there are."""
        if self.count == 1:
            value = self.examples[0][1]
            return f"{self.what}: `{value}`" if value else self.what
        shown = ", ".join(
            " ".join([f"`{value}`"] * bool(value) + [f"(line {line})"] * bool(line))
            for line, value in self.examples
        )
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.what} ({self.count:,} times): {shown}{more}"

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f"\n  → {self.hint}" if self.hint else "")


class Defects:
    """Collects defects; `refuse()` turns them into one error."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, Path], Defect] = {}
        self.decisions: dict[str, int] = {}
        """What a reader decided without refusing anything → how often, for the summary of an import."""

    def decided(self, what: str, count: int = 1) -> None:
        """Count something that was not refused and must not go unsaid, such as a space cut off an id."""
        self.decisions[what] = self.decisions.get(what, 0) + count

    def blank_lines(self, path: Path, within: int, at_end: int) -> None:
        """Say how many blank lines were passed over; one at the end of a file is how many programs end it.

        A file that is read twice says it once.

        Args:
            path: the file.
            within: blank lines with a row behind them.
            at_end: blank lines behind the last row.
        """
        count = within + (at_end if at_end > 1 else 0)
        if count:
            self.decisions[f"blank lines of {path.name}, passed over"] = count

    def add(self, what: str, value: Any, path: Path, line: int = 0, hint: str = "") -> None:
        """Note one defective row; `value` None or "" means that there is no value to show."""
        defect = self._kinds.setdefault((what, path), Defect(what, hint, path))
        defect.count += 1
        if len(defect.examples) < _EXAMPLES:
            defect.examples.append((line, abbreviated(value)))

    @property
    def found(self) -> list[Defect]:
        """Every kind of defect as it was met; what is wrong with a file as a whole comes first."""
        return sorted(self._kinds.values(), key=lambda defect: defect.examples[0][0] > 0)

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def concern(self, path: Path) -> bool:
        """Whether anything was found in this file."""
        return any(path == file for _, file in self._kinds)

    def refuse(self) -> None:
        """Do nothing when all is well.

        Raises:
            DataError: the first kind of defect, with the number of other kinds.
        """
        if not self._kinds:
            return
        first, *others = self.found
        message = first.message
        if others:
            listed = "; ".join(f"{other.where}: {other.message}" for other in others[:_EXAMPLES])
            message += f"\n  and {len(others)} more kinds of problem: {listed}"
        raise DataError(message, where=first.where, hint=first.hint)


def abbreviated(value: Any) -> str:
    """A value as it stands in a message: JSON unless it is a string, cut when long, always printable."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _json(value)
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot be printed


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode() if value == value else "nan"
    except (TypeError, ValueError):
        return f"a {type(value).__name__}" if isinstance(value, (list, dict)) else repr(value)
