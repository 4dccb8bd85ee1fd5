"""Evaluation: views and rankings in, the content of `metrics.json` out.

It works the same for the model and for every baseline, on the same examples in the same order, and also
when there is no model at all. What it does not know, the pipeline adds: `identifiers` and `cost`.

    result = evaluate(EvaluationInputs(test=views.test, catalogue=..., protocol=..., model=rankings))
    result.metrics["test"]["recall@10"]
    result.save_ranks(run / RANKS)

Where a split cuts at points in time, models are selected on one period and reported on a later one.
`popularity_drift` is how far what users chose had moved in between, which says how much of a gap between both
figures the data explain:

    targets of validation  a a a b        targets of test  a b b b
    shares                 a 3/4, b 1/4                    a 1/4, b 3/4
    distance               half of |3/4 − 1/4| + |1/4 − 3/4| = 0.5: half of the choices went elsewhere

Small periods differ by chance, so the distance stands beside the one that the same rows have, on average,
when they are dealt to both periods at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.errors import ContractError
from genrec_core.contracts.views import View
from genrec_core.evaluation.intervals import differences, intervals
from genrec_core.evaluation.metrics import Ranks, accuracy, counts, flat, ranks_of, short_rows
from genrec_core.evaluation.rankings import Rankings, without_viewed
from genrec_core.evaluation.slices import slices
from genrec_core.store.content import save_arrays

METRICS = "metrics.json"
"""Name of the file that holds what was measured, in a run folder and in the artefact of `evaluate`."""

RANKS = "ranks.safetensors"
"""Name of the file in a run folder that holds every system's rank of every test example."""

MODEL_SYSTEM = "model"
"""How the tables of systems name the pipeline's own model."""

ORACLE = "core/oracle"

_DEALS = 20
"""Random deals that the distance by chance is the mean of."""


@dataclass(frozen=True)
class EvaluationSettings:
    """How to evaluate.

    Attributes:
        at: cut-offs k.
        filter_viewed: take items of the user's visible history out of every ranking first.
        resamples: bootstrap resamples; 0 leaves intervals out.
        seed: of the bootstrap.
    """

    at: tuple[int, ...] = (5, 10)
    filter_viewed: bool = False
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class CatalogueFacts:
    """What an evaluation needs to know about the catalogue.

    Attributes:
        size: N, how many items could have been recommended.
        popularity: int64 [N], occurrences in the training view (`slices.popularity_of`).
        groups: int32 [N], which identifier each item carries (`ranks.identifier_groups`); None without
            identifiers.
    """

    size: int
    popularity: NDArray[np.int64]
    groups: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class EvaluationInputs:
    """Everything that is evaluated together.

    Attributes:
        test: the test view, U examples.
        catalogue: see there.
        protocol: `Protocol.described()`, with its `hash`; printed with every metric.
        model: the model's rankings of the test examples; None for a pipeline of baselines only.
        baselines: name → rankings of the test examples.
        valid: the validation view, where it is evaluated too.
        valid_model: the model's rankings of it.
    """

    test: View
    catalogue: CatalogueFacts
    protocol: Mapping[str, Any]
    model: Rankings | None = None
    baselines: Mapping[str, Rankings] = field(default_factory=dict)
    valid: View | None = None
    valid_model: Rankings | None = None


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluation found.

    Attributes:
        metrics: the content of `metrics.json`.
        ranks: system (`model` or a baseline's name) → int32 [U], 0 = not among the deepest k of `at`.
    """

    metrics: dict[str, Any]
    ranks: dict[str, NDArray[np.int32]]

    def save_ranks(self, path: Path) -> None:
        """Write the ranks with the protocol's hash, so that later runs can be compared pairwise."""
        settings = self.metrics["settings"]
        facts = {"protocol": self.metrics["protocol"].get("hash", ""), "depth": settings["depth"]}
        save_arrays(path, dict(self.ranks), facts)


@dataclass(frozen=True)
class _System:
    rankings: Rankings
    ranks: Ranks


def evaluate(inputs: EvaluationInputs, settings: EvaluationSettings | None = None) -> EvaluationResult:
    """Metrics, intervals, paired comparisons and slices of the rankings of one run.

    Raises:
        ContractError: a system ranked another number of examples than the view has.
    """
    settings = settings or EvaluationSettings()
    systems = {name: _system(name, r, inputs.test, None, settings) for name, r in inputs.baselines.items()}
    model = None
    if inputs.model is not None:
        model = _system(MODEL_SYSTEM, inputs.model, inputs.test, inputs.catalogue.groups, settings)
    everyone = {**({MODEL_SYSTEM: model} if model else {}), **systems}
    metrics: dict[str, Any] = {
        "protocol": dict(inputs.protocol),
        "settings": {
            "at": list(settings.at),
            "filter_viewed": settings.filter_viewed,
            "resamples": settings.resamples,
            "depth": max(settings.at),
        },
        "test": _flat(model, inputs, settings),
        "valid": {},
        "baselines": {name: _flat(system, inputs, settings) for name, system in systems.items()},
        "intervals": _intervals(model, systems, settings),
        "comparisons": _comparisons(model, systems, settings),
        "counts": {
            "test": counts(model.rankings, model.ranks, settings.at)
            if model
            else {"examples": len(inputs.test)}
        },
        "short": {name: short_rows(one.rankings, max(settings.at)) for name, one in everyone.items()},
        "slices": _slices(inputs, everyone, settings),
    }
    if inputs.valid is not None and inputs.valid_model is not None:
        valid = _system(MODEL_SYSTEM, inputs.valid_model, inputs.valid, inputs.catalogue.groups, settings)
        metrics["valid"] = _flat(valid, inputs, settings)
        metrics["intervals"]["valid"] = _bounds(valid, settings)
        if moved := popularity_drift(inputs.valid, inputs.test, inputs.catalogue.size, settings.seed):
            metrics["drift"] = moved
        metrics["counts"]["valid"] = _counts(valid, settings)
    share = _share_of_oracle(metrics)
    if share:
        metrics["share_of_oracle"] = share
    return EvaluationResult(metrics, {name: system.ranks.honest for name, system in everyone.items()})


def _system(
    name: str, rankings: Rankings, view: View, groups: NDArray[np.int32] | None, settings: EvaluationSettings
) -> _System:
    if view.targets is None or len(rankings) != len(view.targets):
        raise ContractError(
            f"`{name}` ranked {len(rankings):,} examples, the {view.name} view has {len(view):,}",
            hint="give one ranking for each request, in order; an empty one where nothing was found",
        )
    kept = without_viewed(rankings, view.rows) if settings.filter_viewed else rankings
    return _System(kept, ranks_of(kept, view.targets, groups).within(max(settings.at)))


def _flat(system: _System | None, inputs: EvaluationInputs, settings: EvaluationSettings) -> dict[str, float]:
    return flat(system.rankings, system.ranks, settings.at, inputs.catalogue.size) if system else {}


def _counts(system: _System, settings: EvaluationSettings) -> dict[str, int]:
    return counts(system.rankings, system.ranks, settings.at)


def _bounds(system: _System, settings: EvaluationSettings) -> dict[str, list[float]]:
    found = intervals(system.ranks.honest, settings.at, settings.resamples, settings.seed)
    bounds = {name: list(interval) for name, interval in found.items()}
    if system.ranks.inflated is not None:
        inflated = intervals(system.ranks.inflated, settings.at, settings.resamples, settings.seed)
        for k in settings.at:
            if inflated:
                bounds[f"recall@{k}_inflated"] = list(inflated[f"recall@{k}"])
    return bounds


def _intervals(
    model: _System | None, systems: Mapping[str, _System], settings: EvaluationSettings
) -> dict[str, dict[str, Any]]:
    return {
        "test": _bounds(model, settings) if model else {},
        "baselines": {name: _bounds(system, settings) for name, system in systems.items()},
    }


def _comparisons(
    model: _System | None, systems: Mapping[str, _System], settings: EvaluationSettings
) -> dict[str, dict[str, Any]]:
    if model is None:
        return {}
    return {
        name: {
            metric: found.plain()
            for metric, found in differences(
                model.ranks.honest, system.ranks.honest, settings.at, settings.resamples, settings.seed
            ).items()
        }
        for name, system in systems.items()
    }


def _slices(
    inputs: EvaluationInputs, systems: Mapping[str, _System], settings: EvaluationSettings
) -> dict[str, dict[str, Any]]:
    """Group → band → n, the metrics of each system, and the intervals of the first."""
    table: dict[str, dict[str, Any]] = {}
    for group, band, rows in slices(inputs.test, inputs.catalogue.popularity):
        entry: dict[str, Any] = {"n": int(rows.sum()), "systems": {}, "intervals": {}}
        for name, system in systems.items():
            ranks = system.ranks.honest[rows]
            entry["systems"][name] = accuracy(ranks, settings.at)
            found = intervals(ranks, settings.at, settings.resamples, settings.seed)
            entry["intervals"][name] = {metric: list(interval) for metric, interval in found.items()}
        table.setdefault(group, {})[band] = entry
    return table


def _share_of_oracle(metrics: Mapping[str, Any]) -> dict[str, float]:
    oracle = metrics["baselines"].get(ORACLE, {})
    return {
        name: value / oracle[name]
        for name, value in metrics["test"].items()
        if name.startswith(("recall@", "ndcg@", "mrr")) and oracle.get(name)
    }


def popularity_drift(valid: View, test: View, catalogue: int, seed: int = 0) -> dict[str, Any]:
    """Both periods and the distance between the popularity of their targets.

    Args:
        valid: the validation view.
        test: the test view.
        catalogue: N, how many items there are.
        seed: of the random deals.

    Returns:
        `valid_period` and `test_period` (first and last time, seconds), `distance` and `by_chance` (total
        variation, 0 to 1). Empty where times are unknown, or where the periods overlap because the split does
        not cut in time.
    """
    if valid.times is None or test.times is None or valid.targets is None or test.targets is None:
        return {}
    if not len(valid) or not len(test) or not np.isfinite([*valid.times, *test.times]).all():
        return {}
    if valid.times.max() > test.times.min():
        return {}
    both, generator = np.concatenate([valid.targets, test.targets]), np.random.default_rng(seed)
    dealt = []
    for _ in range(_DEALS):
        mixed = generator.permutation(both)
        dealt.append(_distance(mixed[: len(valid)], mixed[len(valid) :], catalogue))
    return {
        "valid_period": [float(valid.times.min()), float(valid.times.max())],
        "test_period": [float(test.times.min()), float(test.times.max())],
        "distance": _distance(valid.targets, test.targets, catalogue),
        "by_chance": float(np.mean(dealt)),
    }


def _distance(one: NDArray[np.int32], other: NDArray[np.int32], catalogue: int) -> float:
    """Total variation distance between the shares of each item."""
    shares = [np.bincount(targets, minlength=catalogue) / len(targets) for targets in (one, other)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)
