"""What every component promises, whatever its kind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import entry_points
from typing import Any, Literal, get_args, get_origin

import orjson
from pydantic import ValidationError

from genrec_core.contracts.errors import GenrecError
from genrec_core.testing.results import difference, result_elsewhere, result_of
from genrec_core.testing.subject import Subject
from genrec_core.testing.verdicts import NotApplicable, require

_CLOSE = 1e-4
"""How far numbers may lie apart that were computed in other batches, as a share."""


def is_of_its_kind(subject: Subject) -> None:
    """A component says its kind and its version."""
    require(subject.cls.kind == subject.kind, f"`kind` is `{subject.cls.kind}`, not `{subject.kind}`")
    version = subject.cls.version
    require(isinstance(version, str) and version, f"`version` must be a non-empty string, is `{version!r}`")


def refuses_unknown_options(subject: Subject) -> None:
    """A misspelled option is refused, not ignored."""
    try:
        subject.component(no_such_option=1)
    except (ValidationError, GenrecError) as error:
        require("no_such_option" in str(error), "the error for an unknown option does not name it")
        return
    require(False, "an unknown option `no_such_option` was accepted: keep `extra='forbid'`")


def has_frozen_options(subject: Subject) -> None:
    """Options cannot change after they were checked, so they can stand in a fingerprint."""
    options = subject.component().options
    require(options.model_config.get("frozen"), "`Options` is not frozen: keep `frozen=True`")


def is_documented(subject: Subject) -> None:
    """`genrec show` has something to show: the class and each of its own options say what they are."""
    require(subject.cls.__doc__, f"`{subject.cls.__name__}` has no docstring")
    fields = subject.cls.Options.model_fields
    silent = [name for name, field in fields.items() if not field.description]
    require(not silent, f"options without a description: {', '.join(silent)}; write a docstring below each")


def has_an_identity_in_json(subject: Subject) -> None:
    """What goes into fingerprints is plain JSON, the same for equal components, and covers their files."""
    first, second = (_json(subject.component().identity()) for _ in range(2))
    require(first == second, "`identity()` differs between two components made from the same options")
    component = subject.component()
    for option, path in component.paths():
        covered = any(path == one or path in one.parents for one in component.inputs())
        require(
            covered, f"`inputs()` does not list the path of option `{option}`, so a change is not noticed"
        )


def can_be_written_down(subject: Subject) -> None:
    """What a run folder's `pipeline.yaml` keeps of a component builds the same component again."""
    component = subject.component()
    written = component.described()
    written.pop("use")
    try:
        again = subject.cls.configured(subject.called, orjson.loads(_json(written)), subject.builder)
    except GenrecError as error:
        if any("." in nested.name.partition("/")[0] for _, nested in component.nested()):
            raise NotApplicable("a component among its options is not registered under a name") from error
        raise
    require(again.identity() == component.identity(), "options written down and read back are not the same")


def registers_without_torch(subject: Subject) -> None:
    """Listing plugins stays instant: the entry point's module imports neither torch nor transformers."""
    package = subject.cls.__module__.partition(".")[0]
    modules = {
        entry.module for entry in entry_points(group="genrec") if entry.module.partition(".")[0] == package
    }
    if not modules:
        raise NotApplicable(f"package `{package}` is not installed with an entry point of the group `genrec`")
    for module in sorted(modules):
        heavy = _heavy_imports(module)
        require(not heavy, f'importing `{module}` imports {heavy}; register lazily: "package.module:Class"')


@lru_cache(maxsize=64)
def _heavy_imports(module: str) -> str:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; import {module}; "
        "print(*sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"`import {module}` fails: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def gives_the_same_in_another_process(subject: Subject) -> None:
    """A result depends neither on Python's `hash()`, another one in each process, nor on the process id."""
    found = difference(result_of(subject), result_elsewhere(subject))
    require(
        not found,
        f"another process gave another result, {found}: use `hashlib`, sort sets, and draw from the context",
    )


def keeps_results_whatever_is_operational(subject: Subject) -> None:
    """An operational option changes speed or memory but never the result, since fingerprints leave it out."""
    component = subject.component()
    options = component.described().keys() - component.identity()["options"].keys() - {"use"}
    tried = 0
    for option in sorted(options):
        value = getattr(component.options, option)
        for number, other in enumerate(_others(subject, option, value)):
            folder = subject.workspace / f"{option}-{number}"
            folder.mkdir()
            given = {**subject.options, option: other}
            changed = replace(subject, options=given, workspace=folder, made={})
            found = difference(result_of(subject), result_of(changed), _CLOSE)
            require(not found, f"operational option `{option}: {other}` changes the result, {found}")
            tried += 1
    if not tried:
        raise NotApplicable("has no operational option whose value can be changed here")


def _others(subject: Subject, option: str, value: Any) -> Iterator[Any]:
    """Other values that an option can have: for numbers the smallest and a larger one."""
    field = subject.cls.Options.model_fields[option]
    if get_origin(field.annotation) is Literal:
        candidates = list(get_args(field.annotation))
    elif isinstance(value, bool):
        candidates = [not value]
    elif isinstance(value, int):
        candidates = [1, 3, value * 2]
    elif isinstance(value, float):
        candidates = [value / 2, value * 2]
    else:
        return
    for other in [one for one in candidates if one != value][:2]:
        try:
            subject.component(**{option: other})
        except (ValidationError, GenrecError):
            continue
        yield other


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


CHECKS = (
    is_of_its_kind,
    refuses_unknown_options,
    has_frozen_options,
    is_documented,
    has_an_identity_in_json,
    can_be_written_down,
    registers_without_torch,
    gives_the_same_in_another_process,
    keeps_results_whatever_is_operational,
)
