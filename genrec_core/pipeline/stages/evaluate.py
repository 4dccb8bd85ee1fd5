"""`evaluate` and `validate`: rankings are compared with what users chose.

evaluate    test rows, with validation rows beside them: the metrics of a run
validate    validation rows alone: what a sweep selects by, where nobody has looked at test rows yet
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
class EvaluateStage(Stage):
    """Writes `metrics.json`, all but the cost, which belongs to a run and not to a result."""

    kind: ClassVar[str] = "evaluate"
    version: ClassVar[str] = "3"

    baselines: tuple[str, ...]
    """Names of the baselines; the artefact of each is the input `baseline:<name>`."""
    at: tuple[int, ...]
    filter_viewed: bool
    valid: bool
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
            "valid": self.valid,
            "resamples": self.resamples,
            "baselines": list(self.baselines),
            "domain_field": self.domain_field,
        }

    def run(self, work: StageContext) -> None:
        """Evaluate and keep."""
        prepared = work.artifacts.prepared(work.inputs["data"])
        identifiers = work.artifacts.identifiers(work.inputs["identifiers"])
        views = prepared.views
        ours = work.inputs["rankings"]
        inputs = EvaluationInputs(
            test=views.test,
            catalogue=CatalogueFacts(
                size=len(prepared.items),
                popularity=popularity_of(views.train, len(prepared.items)),
                groups=identifier_groups(identifiers),
            ),
            protocol=prepared.protocol.asked(self.filter_viewed, self.domain_field).described(),
            model=Rankings.load(ours / RANKINGS.format(view="test")),
            baselines={
                name: Rankings.load(work.inputs[f"baseline:{name}"] / RANKINGS.format(view="test"))
                for name in self.baselines
            },
            valid=views.valid if self.valid else None,
            valid_model=Rankings.load(ours / RANKINGS.format(view="valid")) if self.valid else None,
        )
        result = evaluate(inputs, EvaluationSettings(self.at, self.filter_viewed, self.resamples))
        metrics = {**result.metrics, "identifiers": health(identifiers)}
        (work.folder / METRICS).write_bytes(orjson.dumps(metrics, option=orjson.OPT_SERIALIZE_NUMPY))
        result.save_ranks(work.folder / RANKS)
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
class ValidateStage(Stage):
    """Writes a `metrics.json` whose figures are those of the validation rows, and their ranks."""

    kind: ClassVar[str] = "validate"

    at: tuple[int, ...]
    filter_viewed: bool
    resamples: int
    domain_field: str = ""

    def components(self) -> Mapping[str, Component]:
        """None, as for `evaluate`."""
        return {}

    def settings(self) -> Mapping[str, Any]:
        """How rankings are evaluated."""
        return {
            "at": list(self.at),
            "filter_viewed": self.filter_viewed,
            "resamples": self.resamples,
            "domain_field": self.domain_field,
        }

    def run(self, work: StageContext) -> None:
        """Evaluate and keep.

        Raises:
            DataError: the split leaves no validation rows.
        """
        prepared = work.artifacts.prepared(work.inputs["data"])
        views = prepared.views
        if not len(views.valid):
            raise DataError(
                "there are no validation rows to select by", hint="choose a split that holds some out"
            )
        groups = identifier_groups(work.artifacts.identifiers(work.inputs["identifiers"]))
        inputs = EvaluationInputs(
            test=views.valid,
            catalogue=CatalogueFacts(
                size=len(prepared.items),
                popularity=popularity_of(views.train, len(prepared.items)),
                groups=groups,
            ),
            protocol=prepared.protocol.asked(self.filter_viewed, self.domain_field).described(),
            model=Rankings.load(work.inputs["rankings"] / RANKINGS.format(view="valid")),
        )
        result = evaluate(inputs, EvaluationSettings(self.at, self.filter_viewed, self.resamples))
        metrics = {
            "protocol": result.metrics["protocol"],
            "settings": result.metrics["settings"],
            "valid": result.metrics["test"],
            "intervals": {"valid": result.metrics["intervals"]["test"]},
        }
        (work.folder / METRICS).write_bytes(orjson.dumps(metrics, option=orjson.OPT_SERIALIZE_NUMPY))
        result.save_ranks(work.folder / RANKS)
