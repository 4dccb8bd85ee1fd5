"""Facts: all that a report is made of, which test examples it shows, and which systems stand in its tables.

The pipeline fills these in; the report only lays them out. Whatever is missing (no model, no training, no
identifiers, no baselines) leaves its section out. Pages and terminals call systems and metrics the same:

    core/popular → popular      recall@10 → Recall@10      ndcg@5 → NDCG@5
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.candidates import How
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.views import Example, View
from genrec_core.evaluation.evaluate import MODEL_SYSTEM, ORACLE
from genrec_core.evaluation.rankings import Rankings
from genrec_core.evaluation.report.figures import Dot, Interval, Points
from genrec_core.identifiers.diagnosis.diagnosis import Diagnosis

_LONGEST_TITLE = 90
"""Characters of a title that a report prints."""

SHOWN_SEED = 0
"""Seed by which the examples of a report are drawn."""

_ROUNDING = 1e-12
"""Deviations below this are those of equal figures, as floating-point numbers add them up."""

_SHOWN_ITEMS = 10
"""Items of a ranking that an example shows."""

_ROLES = {MODEL_SYSTEM: "model", ORACLE: "oracle"}

_METRIC_WORDS = {"ndcg": "NDCG", "mrr": "MRR", "vr": "VR", "dhr": "DHR"}


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
        catalogue: items and the identifiers that were evaluated.
        rewarded: whether a training step learns from rewards; only such training gives prefixes away.
        made: when, and with which version, in words.
        seeds: of a run with several seeds: seed → the metrics of that run, whose means `metrics` holds.
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
    catalogue: Catalogue | None = None
    rewarded: bool = False
    made: str = ""
    seeds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def shown_examples(
    view: View, rankings: Rankings, ranks: NDArray[np.int32], catalogue: Catalogue, count: int = 6
) -> list[ShownExample]:
    """`count` examples of a view, drawn at random by a fixed seed, with their best items as titles."""
    chosen = chosen_rows(len(ranks), count)
    last = max(chosen, default=-1)
    examples = {row: e for row, e in enumerate(islice(view.examples(), last + 1)) if row in set(chosen)}
    return [_shown(examples[row], rankings, row, int(ranks[row]), catalogue) for row in chosen]


def chosen_rows(rows: int, count: int) -> list[int]:
    """Rows drawn at random, in order: a rule that looked at hits would show more or fewer than there are."""
    drawn = np.random.default_rng(SHOWN_SEED).choice(rows, min(rows, count), replace=False)
    return sorted(drawn.tolist())


def item_title(catalogue: Catalogue, item: int) -> str:
    """What a person calls an item: its `title` or `name`, else its first text, else its id."""
    items = catalogue.items
    for name in ("title", "name", *items.text_fields):
        if name in items.fields and (text := items.value(item, name)):
            return text if len(text) <= _LONGEST_TITLE else text[: _LONGEST_TITLE - 1].rstrip() + "…"
    return items.ids[item]


def _shown(example: Example, rankings: Rankings, row: int, rank: int, catalogue: Catalogue) -> ShownExample:
    ranked = rankings.top(row)
    items = tuple(
        ShownItem(
            title=item_title(catalogue, item),
            how=How(how).name.lower(),
            hit=item == example.target,
            identifier=catalogue.identifiers.text(item),
        )
        for item, how in zip(
            ranked.items[:_SHOWN_ITEMS].tolist(), ranked.how[:_SHOWN_ITEMS].tolist(), strict=True
        )
    )
    return ShownExample(
        user=example.user,
        history=tuple(item_title(catalogue, item) for item in example.history),
        target=item_title(catalogue, example.target),
        rank=rank,
        items=items,
        candidates=ranked.candidates,
        invalid=ranked.invalid,
    )


@dataclass(frozen=True)
class System:
    """One system: its label, role (`model`, `baseline` or `oracle`), metrics and intervals.

    Of a mean over seeds also the metrics of each seed, and their standard deviations.
    """

    label: str
    role: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, Sequence[float]]
    seeds: Sequence[Mapping[str, float]] = ()
    deviations: Mapping[str, float] = field(default_factory=dict)

    def dot(self, metric: str, role: str = "") -> Dot:
        """The system as a row of a plot of `metric`."""
        varies = self.role in ("model", "") or metric in self.deviations  # a baseline may not know seeds
        marks = tuple(one[metric] for one in self.seeds if metric in one) if varies else ()
        ends = interval_of(self.intervals, metric)
        return Dot(self.label, self.metrics[metric], ends, role or self.role, marks=marks)


def systems_of(facts: ReportFacts) -> list[System]:
    """The model first, then baselines from best to worst, the oracle last."""
    metrics, bounds = facts.metrics, facts.metrics.get("intervals", {})
    spread, seeds = metrics.get("spread", {}), facts.seeds.values()
    found = [
        System(
            short(name),
            _ROLES.get(name, "baseline"),
            values,
            bounds.get("baselines", {}).get(name, {}),
            [one["baselines"].get(name, {}) for one in seeds],
            deviations(spread.get("baselines", {}).get(name, {})),
        )
        for name, values in metrics.get("baselines", {}).items()
    ]
    deepest = headline_metric(facts)
    found.sort(key=lambda system: (system.role == "oracle", -system.metrics.get(deepest, 0.0)))
    if metrics.get("test"):
        own, varied = [one["test"] for one in seeds], deviations(spread.get("test", {}))
        model = System(facts.name, "model", metrics["test"], bounds.get("test", {}), own, varied)
        found.insert(0, model)
    return found


def deviations(spread: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Metric → standard deviation over seeds, of those that differ between seeds at all."""
    return {name: figures["std"] for name, figures in spread.items() if figures["std"] > _ROUNDING}


def short_rows_note(facts: ReportFacts) -> str:
    """Which systems gave fewer items than the deepest cut-off, and how often; empty where none did."""
    metrics = facts.metrics
    examples = metrics.get("counts", {}).get("test", {}).get("examples", 0)
    names = [
        f"{facts.name if name == MODEL_SYSTEM else short(name)} {count} of {examples:,}"
        for name, count in metrics.get("short", {}).items()
        if count
    ]
    deepest = max(metrics.get("settings", {}).get("at", [10]))
    return f"rows with fewer than {deepest} items: {', '.join(names)}" if names else ""


def limit_note(metrics: Mapping[str, Any]) -> str:
    """That a run was only tried on a part of its data; empty for any other."""
    limit = metrics.get("protocol", {}).get("limit")
    return f"tried on {limit:,} users only (--limit): no judgement of the pipeline" if limit else ""


def headline_metric(facts: ReportFacts, name: str = "recall") -> str:
    """Recall (or another metric) at 10, or at the deepest cut-off where there is no 10."""
    at = list(facts.metrics.get("settings", {}).get("at", [10]))
    return f"{name}@{10 if 10 in at else max(at)}"


def metric_columns(metrics: Iterable[str], *, coverage: bool = True) -> list[str]:
    """The metrics that a table of systems has as columns."""
    wanted = ("recall@", "ndcg@", "mrr") + (("coverage@",) if coverage else ())
    return [name for name in metrics if name.startswith(wanted) and "_" not in name]


def title(metric: str) -> str:
    """A metric's name as it is printed: `Recall@10`, `NDCG@5`, `MRR`."""
    name, _, k = metric.partition("@")
    word = _METRIC_WORDS.get(name, name.capitalize())
    return f"{word}@{k}" if k else word


def short(name: str) -> str:
    """A baseline's name without its plugin, where that is the core."""
    return name.removeprefix("core/")


def interval_of(intervals: Mapping[str, Any], metric: str) -> Interval | None:
    """Both ends of a metric's interval, where it has one."""
    return (intervals[metric][0], intervals[metric][1]) if metric in intervals else None
