"""YAML with places: plain values, and where in the file each of them stands.

A pipeline file needs a small, predictable part of YAML. Scalars follow the core schema of YAML 1.2 (`no` is
a text, `1e-4` a number), where PyYAML follows version 1.1. What can harm is refused with its place:
keys given twice, tags, anchors and aliases (a few lines of which can unfold into gigabytes), keys that are
no text, NaN and infinity, several documents in one file.

    >>> document = parse("seed: 7\\ndata: {max_history: 10}", "pipeline.yaml")
    >>> document.values["data"]["max_history"], str(document.place(("data", "max_history")))
    (10, 'pipeline.yaml:2:21')
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import has_half_characters
from genrec_core.registry.problems import shown

LIMIT = 1 << 20
"""A pipeline file is written by people; one longer than this many bytes is a mistake."""
_DEEPEST = 50

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """A place in a file; `line` and `column` count from 1, 0 for a whole file or a command-line option."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass
class Document:
    """A parsed file.

    Attributes:
        file: its name, for messages.
        values: mappings, lists, texts, numbers, booleans and None.
        places: where each value stands, by the keys that lead to it.
        keys: where each mapping key stands.
    """

    file: str
    values: Any
    places: dict[Keys, Place] = field(default_factory=dict)
    keys: dict[Keys, Place] = field(default_factory=dict)

    def place(self, path: Keys, *, key: bool = False) -> Place:
        """The place of a value (or of its key), or of the nearest block around it that is in the file.

        Checks see a few steps that files leave out (`model.main.hidden` for `model.hidden`), so a step
        that leads nowhere is passed over.
        """
        there: Keys = ()
        for part in path:
            if (*there, part) in self.places:
                there = (*there, part)
        whole = bool(path) and there[-1:] == path[-1:]
        if key and whole and there in self.keys:
            return self.keys[there]
        return self.places.get(there, Place(self.file))


def read(path: Path) -> Document:
    """The document in a file.

    Raises:
        GenrecError: the file cannot be read or is no plain YAML, with the place.
    """
    try:
        if path.is_dir():
            raise GenrecError(f"`{path}` is a folder", hint="name the pipeline file in it")
        if path.exists() and not path.is_file():
            raise GenrecError(f"`{path}` is no file but a device or a pipe", hint="name a pipeline file")
        raw = path.read_bytes()
    except ValueError as error:  # a null character
        raise GenrecError(f"{shown(str(path))} is no path: {error}") from None
    except FileNotFoundError:
        raise GenrecError(f"there is no file `{path}`", hint="check the path of the pipeline file") from None
    except OSError as error:
        raise GenrecError(f"`{path}` cannot be read: {error.strerror}") from error
    if len(raw) > LIMIT:
        raise GenrecError(
            f"`{path.name}` has `{len(raw):,}` bytes, more than the {LIMIT:,} a pipeline file may have",
            where=str(path),
            hint="is this a data file? Its path belongs into `data.source`",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise GenrecError(
            f"byte `0x{raw[error.start]:02x}` is not UTF-8", where=f"{path}:{line}", hint="save it as UTF-8"
        ) from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Document:
    """The document in a text; `file` is what messages call it.

    Raises:
        GenrecError: see `read`.
    """
    _refuse_tabs(text, file)
    document = Document(file, None)
    try:
        _Reader(yaml.parse(text, Loader=yaml.SafeLoader), document).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        said = "; ".join(part for part in (error.context, error.problem) if part)
        raise GenrecError(
            f"this is no valid YAML: {said}",
            where=str(place),
            hint="check the indentation, the colons and the quotes around this place",
        ) from error
    except yaml.YAMLError as error:
        message = str(error).replace("\n", " ")
        raise GenrecError(f"this is no valid YAML: {message}", where=file, hint="remove it") from error
    return document


class _Reader:
    """Builds a document from parser events; the parser keeps no recursion, and depth is bounded here."""

    def __init__(self, events: Iterator[Event], document: Document) -> None:
        self.events, self.document = events, document

    def read(self) -> None:
        self._expect(StreamStartEvent)
        first = next(self.events)
        if isinstance(first, StreamEndEvent):
            raise GenrecError("the file is empty", where=self.document.file, hint="write a pipeline into it")
        self._only(first, DocumentStartEvent)
        self.document.values = self._node(next(self.events), ())
        self._expect(DocumentEndEvent)
        after = next(self.events)
        if not isinstance(after, StreamEndEvent):
            raise self._error(after, "a second document begins here", "keep one pipeline a file")

    def _expect(self, kind: type[Event]) -> None:
        self._only(next(self.events), kind)

    def _only(self, event: Event, kind: type[Event]) -> None:
        if not isinstance(event, kind):
            raise self._error(event, f"unexpected {type(event).__name__}", "keep one pipeline a file")

    def _node(self, event: Event, path: Keys) -> Any:
        self._refuse(event, path)
        self.document.places[path] = self._place(event)
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        assert isinstance(event, ScalarEvent)
        return self._scalar(event)

    def _mapping(self, path: Keys) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event, path)
            if key in values:
                first = self.document.keys[(*path, key)].line
                raise self._error(event, f"`{key}` is given twice, first in line {first}", "keep one of them")
            self.document.keys[(*path, key)] = self._place(event)
            values[key] = self._node(next(self.events), (*path, key))
        return values

    def _key(self, event: Event, path: Keys) -> str:
        self._refuse(event, path)
        if not isinstance(event, ScalarEvent):
            raise self._error(event, "a key must be a text, not a list or a block", "write `name: value`")
        key = self._scalar(event)
        if not isinstance(key, str):
            raise self._error(
                event, f"the key `{event.value}` is no text", f'write "{event.value}" in quotes'
            )
        return key

    def _sequence(self, path: Keys) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            values.append(self._node(event, (*path, len(values))))
        return values

    def _scalar(self, event: ScalarEvent) -> Any:
        if has_half_characters(event.value):
            raise self._error(event, f"{shown(event.value)} holds half a character", "write it as UTF-8")
        if not event.implicit[0]:  # quoted, or a block text
            return event.value
        try:
            return scalar(event.value)
        except ValueError as error:
            raise self._error(event, str(error), "write a smaller, finite number") from None

    def _refuse(self, event: Event, path: Keys) -> None:
        if isinstance(event, AliasEvent):
            raise self._error(event, f"the alias `*{event.anchor}` is not allowed", "write the value out")
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor:
            raise self._error(event, f"the anchor `&{anchor}` is not allowed", "write each value out")
        if tag:
            raise self._error(event, f"the tag `{tag}` is not allowed", "write a plain value")
        if len(path) > _DEEPEST:
            raise self._error(event, f"blocks are nested more than `{_DEEPEST}` deep", "flatten them")

    def _place(self, event: Event) -> Place:
        mark = event.start_mark
        return (
            Place(self.document.file, mark.line + 1, mark.column + 1) if mark else Place(self.document.file)
        )

    def _error(self, event: Event, message: str, hint: str) -> GenrecError:
        return GenrecError(message, where=str(self._place(event)), hint=hint)


def _refuse_tabs(text: str, file: str) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            raise GenrecError(
                "this line is indented with a tab",
                where=str(Place(file, number, indent.index("\t") + 1)),
                hint="indent with spaces",
            )


def scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted word, by the core schema of YAML 1.2.

    >>> [scalar(word) for word in ("no", "1e-4", "12:30", "0x1f", "~")]
    ['no', 0.0001, '12:30', 31, None]

    Raises:
        ValueError: a number that is not finite or has more than 64 bits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        number = _integer(text)
        if not -(2**63) <= number < 2**64:
            raise ValueError(f"`{text[:40]}` has more than 64 bits")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"`{text}` is no finite number")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"`{text[:40]}` is no finite number")
        return value
    return text


def _integer(text: str) -> int:
    if text[:2] in ("0o", "0x"):
        return int(text, 0)
    return int(text[:40])  # Python refuses to read thousands of digits; forty are too many already
