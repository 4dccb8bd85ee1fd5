"""Loading: a pipeline file to a checked pipeline, or to a list of mistakes with their places.

    pipeline.yaml:9:11: recommender `core/beam` has no option `beems`
      → did you mean `beams`?

Every mistake that can be known is named at once, each on the place where it can be mended.

A relative path is meant from the folder of whoever wrote it: an option typed as `Path` is taken relative to
the pipeline file's folder when it stands in the file (so a pipeline and its data can be moved together), and
relative to the current folder when it was given with `--set` (so that the shell completes it). A text option
that may also be a hub name is left alone. The types are known only from the components' classes, so the raw
values are walked beside the spec.

A change made on the command line (`--set a.b.c=value`) holds YAML, as it would stand in the file. Every step
of the path but the last must be there, in the file or among the defaults, so that a misspelled block is an
error and not a new block that nobody reads. A component in short form (`recommend: core/beam`) opens up when
an option of it is set.

    >>> document = parse("recommend: core/beam", "p.yaml")
    >>> override(document, "recommend.beams=50", {})
    >>> document.values
    {'recommend': {'use': 'core/beam', 'beams': 50}}
"""

from __future__ import annotations

import copy
import errno
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import orjson
import yaml
from pydantic import BaseModel, ValidationError

from genrec_core.contracts.component import Component, components_in
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.contracts.options import expanded, has_half_characters, recordable, regular_file
from genrec_core.pipeline.spec import Spec, default_blocks, shaped
from genrec_core.pipeline.wiring import Wiring, wire
from genrec_core.pipeline.yaml_source import Document, Keys, Place, parse, read
from genrec_core.registry.loading import missing_modules, not_installed
from genrec_core.registry.problems import OptionsError, Problem, did_you_mean, dotted, problems_of, shown
from genrec_core.registry.registry import Registry

_POSITION = re.compile("[0-9]{1,9}")
_SHORT_FORM = re.compile(r"[a-z0-9._-]+/[a-z0-9._-]+")


@dataclass(frozen=True)
class Pipeline:
    """A checked pipeline.

    Attributes:
        spec: what it says.
        wiring: who reads what.
        prompts: slot of the recommender → the corpus that writes the prompts of its model.
        document: the file it came from, for places in messages.
    """

    spec: Spec
    wiring: Wiring
    prompts: Mapping[str, Corpus]
    document: Document

    def refuse_missing_files(self) -> None:
        """Raise an error that names every file a component reads and that is not there, with its line.

        Not a part of loading: a finished run can be opened after its data went away.
        """
        problems = []
        for way, component in components_in(self.spec):
            if not way.startswith("observe."):  # what observers name is written, not read
                path = tuple(int(part) if part.isdecimal() else part for part in way.split("."))
                problems += [problem.below(path) for problem in _missing_files(component)]
        self.refuse(problems)

    def refuse_unusable(self) -> None:
        """Raise an error that names what keeps components from working here, with their lines.

        Packages that are not installed, and what `Component.refuse_unusable` finds. Not a part of planning: a
        pipeline can be explained where it cannot run.
        """
        problems = []
        for way, component in components_in(self.spec):
            path = tuple(int(part) if part.isdecimal() else part for part in way.split("."))
            problems += [problem.below(path) for problem in _unusable(component)]
        self.refuse(problems)

    def refuse_items(self, items: Items) -> None:
        """Raise an error that names what components ask of items that these do not have, with their lines."""
        problems = []
        for way, component in components_in(self.spec):
            path = tuple(int(part) if part.isdecimal() else part for part in way.split("."))
            try:
                component.refuse_items(items)
            except GenrecError as error:
                problems.append(Problem(path, error.message, error.hint))
        self.refuse(problems)

    def refuse(self, problems: Sequence[Problem]) -> None:
        """Raise one error that names all of these mistakes; do nothing when there are none."""
        if problems:
            raise _as_error(problems, self.document)


def load_pipeline(file: Path, registry: Registry, overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline in a file.

    Args:
        file: a YAML file (DESIGN §2).
        registry: the components it may name.
        overrides: `path=value`, as given with `--set`, applied in order.

    Raises:
        GenrecError: with every mistake, its place and what to do.
    """
    return _loaded(read(file), registry, overrides, file.absolute().parent)


def pipeline_of(values: Mapping[str, Any], registry: Registry, overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline that a dictionary says; relative paths are meant from the current folder.

    Raises:
        GenrecError: see `load_pipeline`; places are lines of the dictionary as YAML.
    """
    try:
        plain = orjson.loads(orjson.dumps(dict(values), default=str, option=orjson.OPT_SERIALIZE_NUMPY))
    except orjson.JSONEncodeError as error:
        raise GenrecError(
            f"this dictionary cannot be written as a file: {error}", hint="give texts, numbers and lists"
        ) from error
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    return _loaded(parse(text, "pipeline"), registry, overrides, Path.cwd())


def _loaded(document: Document, registry: Registry, overrides: Sequence[str], folder: Path) -> Pipeline:
    for text in overrides:
        override(document, text, default_blocks())
    if not isinstance(document.values, dict):
        raise GenrecError(
            "a pipeline is a block of `name: value` lines",
            where=str(document.place(())),
            hint="start with `genrec: 1` and `name: …`",
        )
    spec = _checked(document, registry, folder)
    wiring, problems = wire(spec)
    if problems:
        raise _as_error(problems, document)
    prompts = {
        slot: wiring.prompts.get(slot) or _default_prompt(registry) for slot in type(spec.recommend).slots
    }
    return Pipeline(spec, wiring, prompts, document)


def _default_prompt(registry: Registry) -> Corpus:
    corpus = registry.build("corpus", "core/next-item")
    assert isinstance(corpus, Corpus)
    return corpus


def _absent(path: Path) -> str:
    """What is wrong with a path that shall be read; empty for a file or a folder."""
    try:
        regular_file(path)
    except (OSError, ValueError) as error:  # a name that is too long, or holds a null character
        return "is a pipe or a device" if getattr(error, "errno", 0) == errno.EINVAL else "is not there"
    return ""


def _unusable(component: Component) -> Iterator[Problem]:
    who = f"{component.kind} `{component.name}`"
    missing = missing_modules(component.needed_modules())
    for module in missing:
        error = not_installed(who, ModuleNotFoundError(name=module))
        yield Problem(("use",), error.message, error.hint)
    if not missing:
        try:
            component.refuse_unusable()
        except GenrecError as error:
            yield Problem((), error.message, error.hint)


def _missing_files(component: Component) -> Iterator[Problem]:
    options = list(component.paths(operational=True))
    texts = [(name, value) for name, value in component.options if isinstance(value, str)]
    local = [(name, value) for name, value in texts if value.startswith((".", "/", "~"))]
    options += [(name, expanded(value, known=False)) for name, value in local]

    def step(path: Path | None) -> Keys:
        found = [way for way, one in options if path is None or one == path or one in path.parents]
        return tuple(found[0].split(".")) if found else ()

    try:
        inputs = component.inputs()
    except GenrecError as error:
        yield Problem(step(None), error.message, error.hint)
        return
    for path in inputs:
        if absent := _absent(path):
            hint = "check the path; in a file a relative one starts at the folder of that file"
            what = f"{component.kind} `{component.name}`"
            yield Problem(step(path), f"{shown(str(path), 200)} {absent}, but the {what} reads it", hint)


def _checked(document: Document, registry: Registry, folder: Path) -> Spec:
    here = Path.cwd()

    def base_of(path: Keys) -> Path:
        return folder if document.place(path).file == document.file else here

    try:
        values = Anchor(registry, base_of).block(Spec, shaped(document.values))
        return Spec.model_validate_json(orjson.dumps(values), context={"builder": registry})
    except OptionsError as error:
        raise _as_error(error.problems, document) from error
    except ValidationError as error:
        raise _as_error(problems_of(error, Spec, "a pipeline"), document) from error


def _as_error(problems: Sequence[Problem], document: Document) -> GenrecError:
    """One error out of many: each line has its own place and hint."""
    errors = [
        GenrecError(
            problem.message, where=str(document.place(problem.path, key=problem.on_key)), hint=problem.hint
        )
        for problem in problems
    ]
    return errors[0] if len(errors) == 1 else GenrecError("\n".join(str(error) for error in errors))


BaseOf = Callable[[Keys], Path]
"""From the place of a value to the folder that its relative paths start at."""


class Anchor:
    """Makes relative paths absolute.

    Args:
        registry: knows the components' classes.
        base_of: see `BaseOf`.
    """

    def __init__(self, registry: Registry, base_of: BaseOf) -> None:
        self.registry, self.base_of = registry, base_of

    def block(self, model: type[BaseModel], values: Any, path: Keys = ()) -> Any:
        """A block of options with every path in it made absolute; anything malformed stays as it is.

        Raises:
            OptionsError: a path is not UTF-8, as where the folder's name is not.
        """
        if not isinstance(values, dict):
            return values
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        return {
            key: self._value(fields[key], value, (*path, key)) if key in fields else value
            for key, value in values.items()
        }

    def _value(self, annotation: Any, value: Any, path: Keys) -> Any:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if isinstance(annotation, type) and origin is None:
            return self._plain(annotation, value, path)
        if hasattr(annotation, "__metadata__"):  # Annotated[type, ...]
            return self._value(arguments[0], value, path)
        if origin in (Union, types.UnionType):
            for arm in arguments:
                value = self._value(arm, value, path)
            return value
        if isinstance(value, list) and arguments:
            return [self._value(arguments[0], entry, (*path, place)) for place, entry in enumerate(value)]
        if isinstance(value, dict) and len(arguments) == 2:
            return {key: self._value(arguments[1], entry, (*path, key)) for key, entry in value.items()}
        return value

    def _plain(self, annotation: type, value: Any, path: Keys) -> Any:
        if annotation is Path and isinstance(value, str):
            whole = self.base_of(path) / expanded(value, known=False)
            try:
                return str(recordable(whole, "give the file, or the folder around it, another name"))
            except GenrecError as error:
                raise OptionsError([Problem(path, error.message, error.hint)]) from error
        if issubclass(annotation, BaseModel):
            return self.block(annotation, value, path)
        if issubclass(annotation, Component) and isinstance(value, dict):
            return self._component(annotation.kind, value, path)
        return value

    def _component(self, kind: str, value: dict[str, Any], path: Keys) -> Any:
        try:
            cls = self.registry.resolve(kind, str(value.get("use")))
        except GenrecError:
            return value  # building it will say what is wrong, with the place
        return self.block(cls.Options, value, path)


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
    if has_half_characters(path_text):
        raise GenrecError(f"`{path_text}` holds half a character", where=where, hint="write it as UTF-8")
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
    if not _POSITION.fullmatch(part) or int(part) >= len(block):
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
