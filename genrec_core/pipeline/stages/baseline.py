"""`baseline.<name>` and `rank.<name>`: a baseline is fitted once, and then answers the same test rows.

What it learnt is an artefact of its own, so that a recommender, a trainer or another baseline that names the
same component (a prior, a teacher, a part of a fusion) reads it instead of fitting again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from genrec_core.contracts.baseline import Baseline, Fitted
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Training
from genrec_core.evaluation.rankings import Rankings, depth_needed
from genrec_core.pipeline.artifacts import FITTED, RANKINGS
from genrec_core.pipeline.stages.data import domains_of
from genrec_core.pipeline.stages.stage import Stage, StageContext
from genrec_core.store.content import fingerprint, load_arrays, save_arrays


@dataclass(frozen=True, kw_only=True)
class BaselineStage(Stage):
    """Fits; a baseline sees the same views as training does."""

    kind: ClassVar[str] = "baseline"
    version: ClassVar[str] = "2"

    baseline: Baseline

    def components(self) -> Mapping[str, Component]:
        """The baseline."""
        return {"baseline": self.baseline}

    def run(self, work: StageContext) -> None:
        """Fit and keep what was learnt.

        Raises:
            ContractError: something else than numeric arrays was learnt.
        """
        prepared = work.artifacts.prepared(work.inputs["data"])
        views = prepared.views
        training = Training(views.train, views.valid, views.oracle)
        state = self.baseline.fit(prepared.items, training, work.context)
        odd = [name for name, array in state.items() if np.asarray(array).dtype.kind not in "biuf"]
        if odd:
            raise ContractError(
                f"baseline `{self.baseline.name}` learnt `{odd[0]}`, which is no numeric array",
                hint="`fit` gives named arrays of numbers",
            )
        save_arrays(work.folder / FITTED, state)


@dataclass(frozen=True, kw_only=True)
class RankStage(Stage):
    """Ranks the test rows; a baseline sees requests without targets."""

    kind: ClassVar[str] = "rank"

    baseline: Baseline
    depth: int
    """How many items of each ranking are evaluated."""
    filter_viewed: bool

    def components(self) -> Mapping[str, Component]:
        """The baseline."""
        return {"baseline": self.baseline}

    def settings(self) -> Mapping[str, Any]:
        """How much of each ranking is kept."""
        return {"depth": self.depth, "filter_viewed": self.filter_viewed}

    def run(self, work: StageContext) -> None:
        """Rank the test rows and keep the rankings."""
        prepared = work.artifacts.prepared(work.inputs["data"])
        test = prepared.views.test
        width = depth_needed(self.depth, test.rows, filter_viewed=self.filter_viewed)
        domains = domains_of(work.inputs)
        requests = list(test.requests(exclude_viewed=self.filter_viewed, domains=domains))
        state = load_fitted(work.inputs["fitted"])
        with (
            self.baseline.open(state, prepared.items, work.context) as session,
            work.context.progress(self.name, len(requests)) as advance,
        ):
            ranked = session.rank(requests, min(width, len(prepared.items)))
            rankings = Rankings.of((advance(1) or one for one in ranked), width)
        if len(rankings) != len(requests):
            counts = f"{len(rankings):,} rankings to {len(requests):,} requests"
            raise ContractError(f"baseline `{self.baseline.name}` gave {counts}")
        rankings.save(work.folder / RANKINGS.format(view="test"))


def load_fitted(folder: Path) -> Fitted:
    """What a `baseline` stage left."""
    return load_arrays(folder / FITTED)[0]


def baseline_key(baseline: Baseline) -> str:
    """What two baselines that learn the same have in common."""
    return fingerprint(baseline.identity())


def distinct_baselines(components: Sequence[Component]) -> dict[str, Baseline]:
    """Every baseline among these components and nested in them once, by its key, inner ones first."""
    found: dict[str, Baseline] = {}
    for component in components:
        inner = [one for _, one in component.nested() if isinstance(one, Baseline)]
        for one in [*reversed(inner), *([component] if isinstance(component, Baseline) else [])]:
            found.setdefault(baseline_key(one), one)
    return found


def stored_fitter(
    folders: Mapping[str, Path],
) -> Callable[[Baseline, Items, Training | None, Context], Fitted]:
    """A `Context.fitter` that takes what `baseline` stages left.

    Args:
        folders: key of a baseline → the artefact of its stage.
    """

    def fitter(baseline: Baseline, items: Items, training: Training | None, context: Context) -> Fitted:
        folder = folders.get(baseline_key(baseline))
        if folder is not None:
            return load_fitted(folder)
        if training is None:
            raise GenrecError(f"baseline `{baseline.name}` has not been fitted in this run")
        return baseline.fit(items, training, context)

    return fitter
