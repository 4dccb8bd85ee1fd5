"""The runner: carries out a plan, one stage after another, in the one way there is to run a stage.

Each stage is obtained from the store: found there and verified, or made under its lock, sealed and renamed
into place. Whatever ends a run (an error, Ctrl-C, kill -9), finished stages stay, and the same command goes
on behind them; a training resumes from its own checkpoints.
"""

from __future__ import annotations

import functools
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError, StageError
from genrec_core.contracts.items import Items
from genrec_core.pipeline.artifacts import ArtifactReader, LoadedWhenAsked
from genrec_core.pipeline.console import Console, QuietConsole
from genrec_core.pipeline.graph import DATA
from genrec_core.pipeline.plan import Entry, Plan, Reason, Why
from genrec_core.pipeline.run_log import Meter, RunLog
from genrec_core.pipeline.stages.baseline import stored_fitter
from genrec_core.pipeline.stages.data import stored_embedder
from genrec_core.pipeline.stages.stage import StageContext
from genrec_core.registry.loading import is_of_an_extra, not_installed
from genrec_core.registry.registry import Registry
from genrec_core.store.answers import AnswerStore
from genrec_core.store.store import Obtained, Store


@dataclass(frozen=True)
class RunEnvironment:
    """Where pipelines run.

    Attributes:
        registry: the components.
        store: artefacts.
        runs: folder of run folders.
        versions: installed package → version, noted in manifests and plans.
        screen: what a person sees.
    """

    registry: Registry
    store: Store
    runs: Path
    versions: Mapping[str, str] = field(default_factory=dict)
    console: Console = field(default_factory=QuietConsole)


@dataclass(frozen=True)
class Done:
    """What became of a plan.

    Attributes:
        plan: with the reasons as they turned out (a damaged artefact shows only when it is read).
        folders: stage → artefact.
        outcomes: stage → `run` or `reused`.
        cost: stage → what making its artefact cost, whenever that was.
    """

    plan: Plan
    folders: Mapping[str, Path]
    outcomes: Mapping[str, str]
    cost: Mapping[str, Mapping[str, Any]]


class Runner:
    """Runs the stages of one plan.

    Args:
        environment: where.
        run_log: where every event is written.
        embeds: key of an encoder → name of the stage that keeps its embeddings.
        fits: key of a baseline → name of the stage that fits it.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        run_log: RunLog,
        embeds: Mapping[str, str],
        fits: Mapping[str, str] | None = None,
    ) -> None:
        self.environment, self.run_log, self.embeds, self.fits = environment, run_log, embeds, fits or {}
        self.artifacts = ArtifactReader()
        self.folders: dict[str, Path] = {}

    def carry_out(
        self, plan: Plan, chosen: Sequence[str], look: Callable[[Items], None] = lambda items: None
    ) -> Done:
        """Obtain every chosen stage, in order.

        Args:
            plan: the stages.
            chosen: their names.
            look: raises where components do not fit the items of the stage `data`; called behind it if
                another stage runs.

        Raises:
            StageError: a stage broke; carries a note that says which and what is kept.
        """
        outcomes: dict[str, str] = {}
        cost: dict[str, Mapping[str, Any]] = {}
        entries = list(plan.entries)
        for place, entry in enumerate(entries):
            name = entry.stage.name
            if name not in chosen:
                continue
            obtained = self._stage(entry)
            self.folders[name] = obtained.folder
            outcomes[name] = "reused" if obtained.reused else "run"
            cost[name] = {**obtained.manifest.cost, "reused": obtained.reused}
            entries[place] = replace(entry, reason=_as_it_was(entry.reason, obtained))
            if name == DATA and any(plan.entry(other).runs for other in chosen if other != DATA):
                look(self.artifacts.prepared(obtained.folder).items)
        return Done(replace(plan, entries=tuple(entries)), self.folders, outcomes, cost)

    def _stage(self, entry: Entry) -> Obtained:
        name, began = entry.stage.name, time.monotonic()
        self.run_log.stage_started(name, entry.reason.text)
        if entry.runs:
            self.environment.console.say(f"▸ {name}: {entry.reason.text}")
        try:
            obtained = self.environment.store.obtain(
                name,
                entry.ingredients,
                functools.partial(self._build, entry),
                versions=self.environment.versions,
                force=entry.reason.why is Why.FORCED,
            )
        except BaseException as error:
            trace = "".join(traceback.format_exception(error))
            self.run_log.stage_finished(name, "failed", time.monotonic() - began, error=trace)
            _explain(error, name)
            if isinstance(error, GenrecError) or not isinstance(error, Exception):
                raise
            raise _broken(error, name) from error
        if obtained.damage:
            self.run_log.warn(name, f"the artefact was damaged and is made anew: {obtained.damage}")
        outcome = "reused" if obtained.reused else "run"
        seconds = time.monotonic() - began
        self.run_log.stage_finished(name, outcome, seconds, damage=obtained.damage)
        self.environment.console.say(f"✓ {name} ({outcome}, {seconds:.1f} s)")
        return obtained

    def _build(self, entry: Entry, folder: Path) -> Mapping[str, Any]:
        meter = Meter()
        with AnswerStore(self.environment.store.root / "answers") as answers:
            context = self._context(entry, meter, answers)
            entry.stage.run(StageContext(self._inputs(entry), folder, context, self.artifacts))
        return meter.read()

    def _inputs(self, entry: Entry) -> dict[str, Path]:
        """Role → artefact; found by fingerprint, since with --only the stages before did not run now."""
        keys = entry.ingredients["inputs"]
        return {
            role: self.environment.store.folder(name, keys[role]) for role, name in entry.stage.inputs.items()
        }

    def _context(self, entry: Entry, meter: Meter, answers: AnswerStore) -> Context:
        name = entry.stage.name

        def log(event: str, **values: Any) -> None:
            meter.count(values)
            self.run_log.logged(name, event, values)

        inputs = self._inputs(entry)
        embeddings = {key: inputs[stage] for key, stage in self.embeds.items() if stage in inputs}
        fitted = {key: inputs[stage] for key, stage in self.fits.items() if stage in inputs}
        return Context(
            seed=entry.seed,
            workspace=self.environment.store.workspace(entry.key),
            progress=self.environment.console.progress,
            log=log,
            models=LoadedWhenAsked(
                {
                    slot: functools.partial(at.load, inputs[f"slot.{slot}"])
                    for slot, at in entry.stage.asked.items()
                }
            ),
            embedder=stored_embedder(embeddings),
            asker=answers.ask,
            fitter=stored_fitter(fitted),
        )


def _as_it_was(reason: Reason, obtained: Obtained) -> Reason:
    """The reason corrected by what the store found: deep damage, or another run that was faster."""
    if obtained.damage:
        return Reason(Why.DAMAGED, obtained.damage)
    return Reason(Why.REUSED) if obtained.reused else reason


def _explain(error: BaseException, stage: str) -> None:
    error.add_note(f"This happened in stage `{stage}`. Stages before it are kept in the store.")


def _broken(error: Exception, stage: str) -> GenrecError:
    """An unexpected exception as a message: what, and the last line of code that knows more."""
    broken: GenrecError
    if isinstance(error, ModuleNotFoundError) and is_of_an_extra(error):
        broken = not_installed(f"stage `{stage}`", error)
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        broken = StageError(
            f"stage `{stage}` failed: {type(error).__name__}: {error}",
            where=f"{frame.filename}:{frame.lineno}",
            hint="`--debug` shows the whole traceback",
        )
    for note in error.__notes__:
        broken.add_note(note)
    return broken
