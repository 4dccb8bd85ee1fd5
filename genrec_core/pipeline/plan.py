"""The plan: which stages run, which are reused, and why; known before anything runs.

A stage's fingerprint is a hash of its ingredients: the kind and version of the stage, the identities and the
source code of its components, its settings, digests of files outside the store, its seed where something
depends on it, and the fingerprints of what it reads. So a change reaches exactly the stages behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genrec_core.contracts.errors import GenrecError
from genrec_core.pipeline.graph import Graph
from genrec_core.pipeline.reasons import Ingredients, Reason, Why, changed
from genrec_core.pipeline.stages.stage import Stage, stage_seed
from genrec_core.registry.problems import did_you_mean
from genrec_core.store.canonical import digest_of, fingerprint
from genrec_core.store.manifest import comparable
from genrec_core.store.store import Presence, Store


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
