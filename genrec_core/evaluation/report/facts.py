"""Facts: all that a report is made of.

The pipeline fills these in; the report only lays them out. Whatever is missing (no model, no training, no
identifiers, no baselines) leaves its section out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from genrec_core.identifiers.diagnosis.diagnosis import Diagnosis

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class ShownItem:
    """A recommended item as a reader sees it.

    Attributes:
        title: what a person calls the item.
        how: `direct`, `structural` or `fallback`: how the identifier led to it.
        hit: whether it is the target.
        identifier: how the model wrote it.
    """

    title: str
    how: str = "direct"
    hit: bool = False
    identifier: str = ""


@dataclass(frozen=True)
class ShownExample:
    """One test example.

    Attributes:
        user: user id.
        history: titles, oldest first.
        target: title of the item that was chosen.
        rank: where it stood, 0 when it was not found.
        items: what was recommended, best first.
        candidates: how many candidates were written.
        invalid: how many of them reached no item.
    """

    user: str
    history: tuple[str, ...]
    target: str
    rank: int
    items: tuple[ShownItem, ...]
    candidates: int = 0
    invalid: int = 0


@dataclass(frozen=True)
class StageFacts:
    """One stage of the plan.

    Attributes:
        name: `tokenize`, `train.sft` …
        outcome: `run` or `reused`.
        why: the reason, as `--explain` prints it.
        fingerprint: of the stage.
    """

    name: str
    outcome: str
    why: str = ""
    fingerprint: str = ""


@dataclass(frozen=True)
class ReportFacts:
    """Everything the report shows.

    Attributes:
        name: the pipeline's name.
        run_id: the run's.
        pipeline_yaml: the pipeline as resolved.
        plan: its stages, in order.
        metrics: the content of `metrics.json`.
        curves: training step → curve name → (step, value) points.
        examples: test examples to show (see `examples.shown_examples`).
        notes: what the source and the split had to do with the data.
        diagnosis: of the identifiers.
        made: when, and with which version, in words.
    """

    name: str
    run_id: str
    metrics: Mapping[str, Any]
    pipeline_yaml: str = ""
    plan: Sequence[StageFacts] = ()
    curves: Mapping[str, Mapping[str, Points]] = field(default_factory=dict)
    examples: Sequence[ShownExample] = ()
    notes: Sequence[str] = ()
    diagnosis: Diagnosis | None = None
    made: str = ""
