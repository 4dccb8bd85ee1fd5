"""Problems: what is wrong with an options block, with the path that leads to each mistake.

Components nest, and each checks its own options. Pydantic alone would glue an inner report into the outer
one as a string and lose where the mistake is. Here an inner report travels as `OptionsError`, which is a
`ValueError`, so that pydantic files it under the outer path; `problems_of` then unfolds the whole tree into
a flat list. Whoever knows the file (the pipeline's spec) turns each path into `file:line:column`.

    tokenizer: {use: sid/rq-kmeans, encoder: {use: core/ngrams, dims: 64}}
    →  Problem(("tokenizer", "encoder", "dims"), "… has no option `dims`", "did you mean `dim`?")
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from genrec_core.contracts.errors import GenrecError, printable

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

OptionPath = tuple[str | int, ...]

_WANTED = {
    "int_type": "write a whole number, like 3",
    "int_from_float": "write a whole number, like 3",
    "float_type": "write a number, like 0.5",
    "string_type": "write a text; put it in quotes if it looks like a number",
    "bool_type": "write true or false",
    "tuple_type": "write a list, like [a, b]",
    "list_type": "write a list, like [a, b]",
    "dict_type": "write a block of `name: value` lines",
    "model_type": "write a block of `name: value` lines",
    "path_type": "write a path in text form",
}


@dataclass(frozen=True)
class Problem:
    """One mistake.

    Attributes:
        path: keys and list positions that lead to it, from the block that was checked.
        message: what is wrong, with the value in backticks.
        hint: what to do.
        on_key: the key itself is wrong, not the value behind it.
    """

    path: OptionPath
    message: str
    hint: str = ""
    on_key: bool = False

    def below(self, prefix: OptionPath) -> Problem:
        """The same mistake seen from an outer block."""
        return replace(self, path=prefix + self.path)


class OptionsError(GenrecError, ValueError):
    """One or more mistakes in a component's block; a `ValueError` so that pydantic files it by path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"{dotted(problem.path)}: {problem.message}".removeprefix(": ") for problem in problems]
        super().__init__("\n".join(lines), hint=problems[0].hint)


def dotted(path: OptionPath) -> str:
    """A path as `--set` writes it: `train.sft.corpora.0.weight`."""
    return ".".join(str(part) for part in path)


def did_you_mean(name: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """A hint that offers the nearest known name, else lists all of them (or says `otherwise`)."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.55)
    if near:
        return f"did you mean `{near[0]}`?"
    return otherwise or (f"known: {', '.join(names)}" if names else "")


def shown(value: Any, limit: int = 60) -> str:
    """A value as a message quotes it: in backticks, shortened."""
    text = value if isinstance(value, str) else repr(value)
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    return f"`{printable(text if len(text) <= limit else text[: limit - 1] + '…')}`"


def problems_of(error: ValidationError, owner: type[BaseModel], what: str) -> list[Problem]:
    """Every mistake in a pydantic report, inner components' included.

    Args:
        error: the report.
        owner: the model that was checked, for the names it knows.
        what: what to call it in messages, like "`core/beam`".
    """
    details = error.errors(include_url=False)
    # A list whose entry was refused is also reported as too short without it; the entry says it all.
    refused = {tuple(detail["loc"])[:-1] for detail in details}
    kept = (one for one in details if one["type"] != "too_short" or tuple(one["loc"]) not in refused)
    return [problem for detail in kept for problem in _unfold(detail, owner, what)]


def _unfold(detail: ErrorDetails, owner: type[BaseModel], what: str) -> Iterator[Problem]:
    path = tuple(detail["loc"])
    on_key = path[-1:] == ("[key]",)  # how pydantic points at the key of a mapping
    path = path[:-1] if on_key else path
    inner = (detail.get("ctx") or {}).get("error")
    if isinstance(inner, OptionsError):
        for problem in inner.problems:
            yield replace(problem.below(path), on_key=problem.on_key or on_key)
        return
    if isinstance(inner, GenrecError):
        yield Problem(path, inner.message, inner.hint)
        return
    yield _said(detail, path, owner, what)


def _said(detail: ErrorDetails, path: OptionPath, owner: type[BaseModel], what: str) -> Problem:
    kind, value = detail["type"], detail["input"]
    last = dotted(path[-2:] if path and isinstance(path[-1], int) else path[-1:])
    if kind == "extra_forbidden":
        known = _names(_block(owner, path[:-1]))
        return Problem(path, f"{what} has no option `{last}`", did_you_mean(last, known), on_key=True)
    if kind == "missing":
        return Problem(path, f"{what} needs the option `{last}`", f"add `{last}: …`")
    if kind == "literal_error":
        expected = str((detail.get("ctx") or {}).get("expected", ""))
        choices = [choice.strip("'\" ") for choice in expected.replace(" or ", ", ").split(",")]
        hint = did_you_mean(str(value), choices, otherwise=f"write one of: {', '.join(choices)}")
        return Problem(path, f"`{last}` cannot be {shown(value)}", hint)
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shows = f"`genrec show {what.split('`')[1]}` says what it may be" if "`" in what else f"change `{last}`"
    given = f'`"{value}"`' if isinstance(value, str) and kind in _WANTED else shown(value)
    return Problem(path, f"`{last}` is {given}, but {_must(message)}", _WANTED.get(kind, shows))


def _must(message: str) -> str:
    return message if message.startswith("should") else f"must fit: {message}"


def _block(owner: type[BaseModel], path: OptionPath) -> type[BaseModel]:
    """The nested model that a path leads to, as far as plain model fields lead."""

    from pydantic import BaseModel

    for part in path:
        field = owner.model_fields.get(str(part))
        annotation = field.annotation if field else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            owner = annotation
    return owner


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]
