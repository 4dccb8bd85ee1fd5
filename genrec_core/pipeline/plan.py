"""The plan: which stages run, which are reused, and why; known before anything runs.

A stage's fingerprint is a hash of its ingredients: the kind and version of the stage, the identities and the
source code of its components, its settings, digests of files outside the store, its seed where something
depends on it, and the fingerprints of what it reads. So a change reaches exactly the stages behind it.

A fingerprint says that something differs; people want to know what. The ingredients of the last run of the
same pipeline are in its `plan.json`; comparing the two names the option, the file, the version, the seed or
the stage that changed.

    train.sft   option `trainer.epochs` changed from 3 to 5
    recommend   its input `train.sft` changed
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.graph import Graph
from genrec_core.pipeline.stages.stage import Stage, stage_seed
from genrec_core.registry.problems import did_you_mean, shown
from genrec_core.store.content import digest_of, fingerprint
from genrec_core.store.manifest import comparable
from genrec_core.store.store import Presence, Store

Ingredients = Mapping[str, Any]


class Why(enum.StrEnum):
    """The kind of reason."""

    REUSED = "reused"
    FIRST_RUN = "first-run"
    OPTION_CHANGED = "option-changed"
    INPUT_CHANGED = "input-changed"
    VERSION_CHANGED = "version-changed"
    CODE_CHANGED = "code-changed"
    SEED_CHANGED = "seed-changed"
    FORCED = "forced"
    DAMAGED = "damaged"
    MISSING = "missing"


@dataclass(frozen=True)
class Reason:
    """Why a stage runs or is reused.

    Attributes:
        why: the kind.
        what: the option, input stage, file or component that changed; what is damaged.
        old, new: values before and after, where that says something.
    """

    why: Why
    what: str = ""
    old: Any = None
    new: Any = None

    @property
    def text(self) -> str:
        """The reason as a person reads it."""
        change = f"changed from {shown(self.old)} to {shown(self.new)}"
        return {
            Why.REUSED: "already in the store",
            Why.FIRST_RUN: "never ran before",
            Why.OPTION_CHANGED: f"option `{self.what}` {change}",
            Why.INPUT_CHANGED: f"its input `{self.what}` changed",
            Why.VERSION_CHANGED: f"the version of `{self.what}` {change}",
            Why.CODE_CHANGED: f"the code of `{self.what}` was edited",
            Why.SEED_CHANGED: f"the seed {change}",
            Why.FORCED: "asked for with --from",
            Why.DAMAGED: f"its artefact is damaged: {self.what}",
            Why.MISSING: "it ran before, but its artefact is no longer in the store",
        }[self.why]

    def plain(self) -> dict[str, Any]:
        """The reason as JSON."""
        plain = {"why": self.why.value, "what": self.what, "old": self.old, "new": self.new}
        return {**{key: value for key, value in plain.items() if value not in ("", None)}, "text": self.text}


@dataclass(frozen=True)
class Entry:
    """One stage of a plan.

    Attributes:
        stage: what would run.
        ingredients: all that its fingerprint is a hash of.
        seed: the seed it runs with.
        reason: why it runs or is reused.
    """

    stage: Stage
    ingredients: Ingredients
    seed: int
    reason: Reason

    @property
    def key(self) -> str:
        """The fingerprint, 64 hex digits."""
        return fingerprint(self.ingredients)

    @property
    def runs(self) -> bool:
        """Whether the stage has to run."""
        return self.reason.why is not Why.REUSED


@dataclass(frozen=True)
class Plan:
    """Entries in the order they run."""

    name: str
    seed: int
    entries: tuple[Entry, ...]

    def entry(self, name: str) -> Entry:
        """The entry of a stage; `sft` is short for `train.sft`.

        Raises:
            GenrecError: there is no such stage, or several.
        """
        names = [entry.stage.name for entry in self.entries]
        found = [known for known in names if known == name] or [
            known for known in names if known.partition(".")[2] == name
        ]
        if len(found) != 1:
            raise GenrecError(f"this pipeline has no stage `{name}`", hint=did_you_mean(name, names))
        return self.entries[names.index(found[0])]

    def artefacts(self, store: Store) -> list[str]:
        """Names of the artefacts' folders in a store."""
        return [store.folder(entry.stage.name, entry.key).name for entry in self.entries]


def make_plan(graph: Graph, seed: int, store: Store, last: Mapping[str, Ingredients]) -> Plan:
    """What would run with this store.

    Args:
        graph: the pipeline's stages.
        seed: the pipeline's seed.
        store: where artefacts may be already.
        last: stage → ingredients at the last run of this pipeline.

    Raises:
        GenrecError: a file that a component needs is not there.
    """
    return plan_of(graph.spec.name, list(graph.stages.values()), seed, store, last)


def plan_of(
    name: str,
    stages: Sequence[Stage],
    seed: int,
    store: Store,
    last: Mapping[str, Ingredients],
    known: Mapping[str, str] | None = None,
) -> Plan:
    """What of these stages would run with this store.

    Args:
        name: of the pipeline.
        stages: in order. One that is called like an earlier or a known one takes its place for those behind.
        seed: the pipeline's seed.
        store: where artefacts may be already.
        last: stage → ingredients at the last run of this pipeline.
        known: stage → fingerprint of artefacts that are there, which stages may read.

    Raises:
        GenrecError: a file that a component needs is not there.
    """
    entries: list[Entry] = []
    keys = dict(known or {})
    digests: dict[Path, str] = {}
    for stage in stages:
        own = stage_seed(seed, stage.seed_name) if stage.seeded else 0
        ingredients = _ingredients(stage, own, keys, digests)
        keys[stage.name] = fingerprint(ingredients)
        presence = store.look(stage.name, keys[stage.name])
        reason = _reason(presence, last.get(stage.name), ingredients, stage)
        entries.append(Entry(stage, ingredients, own, reason))
    return Plan(name, seed, tuple(entries))


def forced(plan: Plan, start: str) -> Plan:
    """The plan with one stage and everything that depends on it made anew."""
    dirty = {plan.entry(start).stage.name}
    entries = []
    for entry in plan.entries:
        if entry.stage.name in dirty or dirty.intersection(entry.stage.inputs.values()):
            dirty.add(entry.stage.name)
            entry = replace(entry, reason=Reason(Why.FORCED))
        entries.append(entry)
    return replace(plan, entries=tuple(entries))


def only(plan: Plan, name: str) -> list[str]:
    """The stage alone, behind those it reads; they are in the store and only verified.

    Raises:
        GenrecError: something it reads is not there.
    """
    chosen = plan.entry(name)
    needed = set(chosen.stage.inputs.values())
    for entry in plan.entries:
        if entry.stage.name in needed and entry.runs:
            raise GenrecError(
                f"`--only {name}` reads the artefact of `{entry.stage.name}`, which is not in the store: "
                f"{entry.reason.text}",
                hint="run the pipeline without --only first",
            )
    return [entry.stage.name for entry in plan.entries if entry.stage.name in needed | {chosen.stage.name}]


def _reason(presence: Presence, last: Ingredients | None, now: Ingredients, stage: Stage) -> Reason:
    if presence is Presence.PRESENT:
        return Reason(Why.REUSED)
    if presence is Presence.DAMAGED:
        return Reason(Why.DAMAGED, "a file is missing or has another size")
    return changed(last, now, stage.inputs)


def _ingredients(
    stage: Stage, seed: int, keys: Mapping[str, str], digests: dict[Path, str]
) -> dict[str, Any]:
    ingredients = {
        "kind": stage.kind,
        "version": stage.version,
        "components": {role: component.identity() for role, component in stage.components().items()},
        "settings": {
            **stage.settings(),
            **({"asked": {slot: at.name for slot, at in stage.asked.items()}} if stage.asked else {}),
        },
        "code": {role: type(component).code() for role, component in stage.everything().items()},
        "files": dict(_files(stage, digests)),
        "seed": seed if stage.seeded else None,
        "inputs": {role: keys[name] for role, name in stage.inputs.items()},
    }
    plain: dict[str, Any] = comparable(ingredients)
    return plain


def _files(stage: Stage, digests: dict[Path, str]) -> Iterable[tuple[str, str]]:
    """A label and a digest for every file outside the store; labels hold no folder, so data may move."""
    for role, component in stage.everything().items():
        for number, path in enumerate(component.inputs()):
            if path not in digests:
                digests[path] = digest_of(path)
            yield f"{role}/{number}/{path.name}", digests[path]


def changed(old: Ingredients | None, new: Ingredients, inputs: Mapping[str, str]) -> Reason:
    """Why a stage with these ingredients has no artefact.

    Args:
        old: the ingredients at the last run, None if there was none.
        new: the ingredients now.
        inputs: role → name of the stage it reads, for the message.
    """
    if old is None:
        return Reason(Why.FIRST_RUN)
    if old == new:
        return Reason(Why.MISSING)
    differences = list(_differences(old, new))
    for find in (_version, _option, _code, _file, _seed):
        reason = find(differences)
        if reason:
            return reason
    for path, _, _ in differences:
        if path[0] == "inputs" and len(path) > 1:
            return Reason(Why.INPUT_CHANGED, inputs.get(path[1], path[1]))
    path, before, after = differences[0]
    return Reason(Why.OPTION_CHANGED, ".".join(path), before, after)


ChangedValue = tuple[tuple[str, ...], Any, Any]


def _differences(old: Any, new: Any, path: tuple[str, ...] = ()) -> Iterator[ChangedValue]:
    """Every leaf where two JSON values differ; None stands for a value that is not there."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*new, *(key for key in old if key not in new)]:
            yield from _differences(old.get(key), new.get(key), (*path, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (before, after) in enumerate(zip(old, new, strict=True)):
            yield from _differences(before, after, (*path, str(place)))
    elif old != new:
        yield path, old, new


def _version(differences: list[ChangedValue]) -> Reason | None:
    for path, old, new in differences:
        if path == ("version",):
            return Reason(Why.VERSION_CHANGED, "the stage itself", old, new)
        if path[0] == "components" and path[-1] == "version" and path[-2] != "options":
            return Reason(Why.VERSION_CHANGED, _option_path(path[:-1]), old, new)
    return None


def _option(differences: list[ChangedValue]) -> Reason | None:
    """The first changed option; another component (`use`) goes before what follows from it."""
    options = [found for found in differences if found[0][0] in ("components", "settings")]
    options.sort(key=lambda found: found[0][-1] != "use")
    for path, old, new in options:
        return Reason(Why.OPTION_CHANGED, _option_path(path), old, new)
    return None


def _code(differences: list[ChangedValue]) -> Reason | None:
    for path, _, _ in differences:
        if path[0] == "code":
            return Reason(Why.CODE_CHANGED, path[-1])
    return None


def _file(differences: list[ChangedValue]) -> Reason | None:
    for path, _, _ in differences:
        if path[0] == "files":
            return Reason(Why.INPUT_CHANGED, path[-1])
    return None


def _seed(differences: list[ChangedValue]) -> Reason | None:
    for path, old, new in differences:
        if path == ("seed",):
            return Reason(Why.SEED_CHANGED, "", old, new)
    return None


def _option_path(path: tuple[str, ...]) -> str:
    """`components.train.sft.options.corpora.0.use` as people write it: `train.sft.corpora.0.use`."""
    return ".".join(part for part in path[1:] if part != "options")
