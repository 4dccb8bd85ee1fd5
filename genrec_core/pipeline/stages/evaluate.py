"""`evaluate` and `validate`: rankings are compared with what users chose.

evaluate    test rows, with validation rows beside them: the metrics of a run
validate    validation rows alone: what a sweep selects by, where nobody has looked at test rows yet
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.contracts.component import Component
from genrec_core.contracts.errors import DataError
from genrec_core.contracts.items import Items
from genrec_core.evaluation.evaluate import (
    METRICS,
    MODEL_SYSTEM,
    RANKS,
    CatalogueFacts,
    EvaluationInputs,
    EvaluationResult,
    EvaluationSettings,
    evaluate,
)
from genrec_core.evaluation.metrics import identifier_groups
from genrec_core.evaluation.rankings import RECOMMENDATIONS, Rankings, without_viewed, write_recommendations
from genrec_core.evaluation.slices import popularity_of
from genrec_core.identifiers.health import health
from genrec_core.pipeline.artifacts import RANKINGS
from genrec_core.pipeline.stages.stage import Stage, StageContext


@dataclass(frozen=True, kw_only=True)
class EvaluatingStage(Stage):
    """How rankings are evaluated, whichever rows they are of."""

    at: tuple[int, ...]
    filter_viewed: bool
    resamples: int
    domain_field: str = ""

    def components(self) -> Mapping[str, Component]:
        """None: everything that was trained or fitted is in the fingerprints of what is read."""
        return {}

    def settings(self) -> Mapping[str, Any]:
        """How rankings are evaluated."""
        return {
            "at": list(self.at),
            "filter_viewed": self.filter_viewed,
            "resamples": self.resamples,
            "domain_field": self.domain_field,
        }

    def inputs_of(self, work: StageContext, view: str) -> EvaluationInputs:
        """The rows of a view as those to evaluate, and the run's rankings for them."""
        prepared = work.artifacts.prepared(work.inputs["data"])
        return EvaluationInputs(
            test=getattr(prepared.views, view),
            catalogue=CatalogueFacts(
                size=len(prepared.items),
                popularity=popularity_of(prepared.views.train, len(prepared.items)),
                groups=identifier_groups(work.artifacts.identifiers(work.inputs["identifiers"])),
            ),
            protocol=prepared.protocol.asked(self.filter_viewed, self.domain_field).described(),
            model=_rankings(work, "rankings", view),
        )

    def evaluated(self, inputs: EvaluationInputs) -> EvaluationResult:
        """The evaluation of some rows."""
        return evaluate(inputs, EvaluationSettings(self.at, self.filter_viewed, self.resamples))


@dataclass(frozen=True, kw_only=True)
class EvaluateStage(EvaluatingStage):
    """Writes `metrics.json`, all but the cost, which belongs to a run and not to a result."""

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[str] = "3"

    baselines: tuple[str, ...]
    """Names of the baselines; the artefact of each is the input `baseline:<name>`."""
    valid: bool

    def settings(self) -> Mapping[str, Any]:
        """How rankings are evaluated, and which."""
        return {**super().settings(), "valid": self.valid, "baselines": list(self.baselines)}

    def run(self, work: StageContext) -> None:
        """Evaluate and keep."""
        prepared = work.artifacts.prepared(work.inputs["data"])
        inputs = replace(
            self.inputs_of(work, "test"),
            baselines={name: _rankings(work, f"baseline:{name}", "test") for name in self.baselines},
            valid=prepared.views.valid if self.valid else None,
            valid_model=_rankings(work, "rankings", "valid") if self.valid else None,
        )
        result = self.evaluated(inputs)
        identifiers = work.artifacts.identifiers(work.inputs["identifiers"])
        _write(work, result, {**result.metrics, "identifiers": health(identifiers)})
        self._recommendations(work, inputs, result.ranks[MODEL_SYSTEM], prepared.items)

    def _recommendations(
        self, work: StageContext, inputs: EvaluationInputs, ranks: NDArray[np.int32], items: Items
    ) -> None:
        """Write what was recommended to whom, as it was evaluated: viewed items out, cut to the deepest k."""
        assert inputs.model is not None
        kept = without_viewed(inputs.model, inputs.test.rows) if self.filter_viewed else inputs.model
        shown = Rankings.of(iter(kept), max(self.at))
        write_recommendations(work.folder / RECOMMENDATIONS, inputs.test, shown, ranks, items)


@dataclass(frozen=True, kw_only=True)
class ValidateStage(EvaluatingStage):
    """Writes a `metrics.json` whose figures are those of the validation rows, and their ranks."""

    kind: ClassVar[str] = "validate"

    def run(self, work: StageContext) -> None:
        """Evaluate and keep.

        Raises:
            DataError: the split leaves no validation rows.
        """
        inputs = self.inputs_of(work, "valid")
        if not len(inputs.test):
            raise DataError(
                "there are no validation rows to select by", hint="choose a split that holds some out"
            )
        result = self.evaluated(inputs)
        metrics = {
            "protocol": result.metrics["protocol"],
            "settings": result.metrics["settings"],
            "valid": result.metrics["test"],
            "intervals": {"valid": result.metrics["intervals"]["test"]},
        }
        _write(work, result, metrics)


def _rankings(work: StageContext, role: str, view: str) -> Rankings:
    return Rankings.load(work.inputs[role] / RANKINGS.format(view=view))


def _write(work: StageContext, result: EvaluationResult, metrics: Mapping[str, Any]) -> None:
    (work.folder / METRICS).write_bytes(orjson.dumps(metrics, option=orjson.OPT_SERIALIZE_NUMPY))
    result.save_ranks(work.folder / RANKS)
