"""`--set a.b.c=value`: a change to a pipeline made on the command line.

The value is YAML, as it would stand in the file. Every step of the path but the last must be there, in the
file or among the defaults, so that a misspelled block is an error and not a new block that nobody reads. A
component in short form (`recommend: core/beam`) opens up when an option of it is set.

    >>> document = parse("recommend: core/beam", "p.yaml")
    >>> override(document, "recommend.beams=50", {})
    >>> document.values
    {'recommend': {'use': 'core/beam', 'beams': 50}}
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.yaml_source import Document, Keys, Place, parse
from genrec_core.registry.problems import did_you_mean, dotted

_SHORT_FORM = re.compile(r"[a-z0-9._-]+/[a-z0-9._-]+")


def override(document: Document, text: str, defaults: Mapping[str, Any]) -> None:
    """Apply one `path=value` to a document, in place.

    Args:
        document: changed; what is set is placed at `--set …`.
        text: what stood behind `--set`.
        defaults: top-level blocks that a pipeline has even if its file leaves them out.

    Raises:
        GenrecError: the text has no `=`, the path leads nowhere, or the value is no YAML.
    """
    where = f"--set {text}"
    path_text, equals, value_text = text.partition("=")
    path = tuple(path_text.split("."))
    if not equals or not all(path):
        raise GenrecError(
            f"`{text}` is no `path=value`", where=where, hint="write it like --set train.sft.epochs=3"
        )
    value = parse(value_text, where).values if value_text.strip() else None
    if not isinstance(document.values, dict):
        raise GenrecError("the pipeline is no block of `name: value` lines", where=document.file)
    block, steps = _enter(document, path, defaults, where)
    last = _step(block, path[-1], steps, where)
    block[last] = value
    _replace_places(document, (*steps, last), value, Place(where))


def _enter(
    document: Document, path: tuple[str, ...], defaults: Mapping[str, Any], where: str
) -> tuple[Any, Keys]:
    """The block that holds the last step, opening defaults and short forms on the way."""
    block: Any = document.values
    steps: Keys = ()
    if path[0] in defaults and path[0] not in block and len(path) > 1:
        block[path[0]] = copy.deepcopy(defaults[path[0]])
    for part in path[:-1]:
        key = _step(block, part, steps, where)
        if isinstance(block, dict) and key not in block:
            hint = did_you_mean(part, (str(known) for known in block))
            inside = f"`{dotted(steps)}`" if steps else "the pipeline"
            raise GenrecError(f"{inside} has no `{part}`", where=where, hint=hint)
        if isinstance(block[key], str) and _SHORT_FORM.fullmatch(block[key]):
            block[key] = {"use": block[key]}
        block, steps = block[key], (*steps, key)
    return block, steps


def _step(block: Any, part: str, steps: Keys, where: str) -> str | int:
    """One step as a key of this block: a name in a mapping, a position in a list."""
    if isinstance(block, dict):
        return part
    if not isinstance(block, list):
        raise GenrecError(
            f"`{dotted(steps)}` is the value `{block}`, which has no `{part}`",
            where=where,
            hint=f"set `{dotted(steps)}` itself",
        )
    if not part.isdecimal() or int(part) >= len(block):
        raise GenrecError(
            f"`{dotted(steps)}` is a list of {len(block)}, which has no position `{part}`",
            where=where,
            hint=f"write a number below {len(block)}" if block else "set the whole list",
        )
    return int(part)


def _replace_places(document: Document, path: Keys, value: Any, place: Place) -> None:
    for places in (document.places, document.keys):
        for known in [known for known in places if known[: len(path)] == path]:
            del places[known]
    for end in range(1, len(path)):
        document.places.setdefault(path[:end], place)
    document.keys[path] = place
    _mark(document, path, value, place)


def _mark(document: Document, path: Keys, value: Any, place: Place) -> None:
    document.places[path] = place
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, entry in entries:
        _mark(document, (*path, key), entry, place)
