"""Loading: a pipeline file to a checked pipeline, or to a list of mistakes with their places.

    pipeline.yaml:9:11: recommender `core/beam` has no option `beems`
      → did you mean `beams`?

Every mistake that can be known is told at once, each on the place where it can be mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from pydantic import ValidationError

from genrec_core.contracts.component import Component, components_in
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.overrides import override
from genrec_core.pipeline.paths import Anchor
from genrec_core.pipeline.spec import Spec, default_blocks, shaped
from genrec_core.pipeline.wiring import Wiring, wire
from genrec_core.pipeline.yaml_source import Document, Keys, read
from genrec_core.registry.problems import Problem, problems_of, shown
from genrec_core.registry.registry import Registry


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

    def refuse(self, problems: Sequence[Problem]) -> None:
        """Raise one error that tells all of these mistakes; do nothing when there are none."""
        if problems:
            raise _told(problems, self.document)


def load_pipeline(file: Path, registry: Registry, overrides: Sequence[str] = ()) -> Pipeline:
    """The pipeline in a file.

    Args:
        file: a YAML file (DESIGN §2).
        registry: the components it may name.
        overrides: `path=value`, as given with `--set`, applied in order.

    Raises:
        GenrecError: with every mistake, its place and what to do.
    """
    document = read(file)
    for text in overrides:
        override(document, text, default_blocks())
    if not isinstance(document.values, dict):
        raise GenrecError(
            "a pipeline is a block of `name: value` lines",
            where=str(document.place(())),
            hint="start with `genrec: 1` and `name: …`",
        )
    spec = _checked(document, registry, file.absolute().parent)
    wiring, problems = wire(spec)
    if problems:
        raise _told(problems, document)
    prompts = {
        slot: wiring.prompts.get(slot) or _default_prompt(registry) for slot in type(spec.recommend).slots
    }
    return Pipeline(spec, wiring, prompts, document)


def _default_prompt(registry: Registry) -> Corpus:
    corpus = registry.build("corpus", "core/next-item")
    assert isinstance(corpus, Corpus)
    return corpus


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a null character
        return False


def _missing_files(component: Component) -> Iterator[Problem]:
    options = list(component.paths(operational=True))

    def step(path: Path | None) -> Keys:
        found = [way for way, one in options if path is None or one == path or one in path.parents]
        return tuple(found[0].split(".")) if found else ()

    try:
        inputs = component.inputs()
    except GenrecError as error:
        yield Problem(step(None), error.message, error.hint)
        return
    for path in inputs:
        if not _exists(path):
            hint = "check the path; in a file a relative one starts at the folder of that file"
            what = f"{component.kind} `{component.name}`"
            yield Problem(step(path), f"{shown(str(path), 200)} is not there, but the {what} reads it", hint)


def _checked(document: Document, registry: Registry, folder: Path) -> Spec:
    here = Path.cwd()

    def base_of(path: Keys) -> Path:
        return folder if document.place(path).file == document.file else here

    values = Anchor(registry, base_of).block(Spec, shaped(document.values))
    try:
        return Spec.model_validate_json(orjson.dumps(values), context={"builder": registry})
    except ValidationError as error:
        raise _told(problems_of(error, Spec, "a pipeline"), document) from error


def _told(problems: Sequence[Problem], document: Document) -> GenrecError:
    """One error out of many: each line has its own place and hint."""
    told = [
        GenrecError(
            problem.message, where=str(document.place(problem.path, key=problem.on_key)), hint=problem.hint
        )
        for problem in problems
    ]
    return told[0] if len(told) == 1 else GenrecError("\n".join(str(error) for error in told))
