"""Sections: what each part of the report says, read out of the facts of a run; templates say how it looks.

    drift       validation against a later test period  glossary   what the words mean
    accuracy    every system on the same examples      doctor      what is wrong with the identifiers
    collisions  two ways to count, invalid candidates  training    curves
    slices      parts of the test examples             cost        stages and their time
    examples    recommendations with titles            protocol    how it was evaluated
    identifiers length, collisions, codes              pipeline    the file as resolved

A section whose facts are missing is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec_core.evaluation.evaluate import MODEL_SYSTEM, ORACLE
from genrec_core.evaluation.report.drift import drift
from genrec_core.evaluation.report.facts import (
    SHOWN_SEED,
    ReportFacts,
    StageFacts,
    headline_metric,
    interval_of,
    limit_note,
    metric_columns,
    short,
    short_rows_note,
    systems_of,
    title,
)
from genrec_core.evaluation.report.figures import Bar, CurvePlot, Dot, count, duration, percent, plain
from genrec_core.evaluation.report.glossary import glossary
from genrec_core.evaluation.report.rendering import Section, core_section
from genrec_core.evaluation.report.seeds import seeds
from genrec_core.identifiers.diagnosis.diagnosis import Diagnosis
from genrec_core.identifiers.diagnosis.suggestions import suggestions
from genrec_core.identifiers.diagnosis.words import WordUse

_FINE = 1999
"""As many resamples as the p-values of Student's t are printed as finely as: below 0.001 they say so."""
_NEWEST = 6
"""Newest items of a history shown; the count of older ones is named."""

_PREFIX_ADVICE = "thin-prefixes"
"""Advice that is only of use where training gives prefixes of identifiers away."""

_SLICES = {
    "history": ("Length of history", "{} items"),
    "popularity": ("Popularity of the target", "{}"),
    "target": ("Target in training", "{}"),
    "domain": ("Domain", "{}"),
}


def _accuracy(facts: ReportFacts) -> Section | None:
    """Two plots, the table, and the differences to each baseline."""
    systems = systems_of(facts)
    if not systems:
        return None
    metric = headline_metric(facts)
    drawn = (metric, headline_metric(facts, "ndcg"))
    examples = facts.metrics.get("counts", {}).get("test", {}).get("examples", 0)
    return core_section(
        "accuracy",
        "Accuracy",
        f"{count(examples)} test examples, none left out. {_bars(facts)}",
        plots=[
            (title(name), [system.dot(name) for system in systems if name in system.metrics])
            for name in drawn
            if any(name in system.metrics for system in systems)
        ],
        systems=systems,
        columns=metric_columns(systems[0].metrics),
        comparisons=[
            (short(name), found[metric])
            for name, found in facts.metrics.get("comparisons", {}).items()
            if metric in found
        ],
        metric=metric,
        short=short_rows_note(facts),
        resamples=_FINE if facts.seeds else facts.metrics.get("settings", {}).get("resamples", 1000),
    )


def _bars(facts: ReportFacts) -> str:
    tried = limit_note(facts.metrics)
    return f"{tried[:1].upper()}{tried[1:]}. {_drawn(facts)}" if tried else _drawn(facts)


def _drawn(facts: ReportFacts) -> str:
    if not facts.seeds:
        return "Bars are 95 % bootstrap intervals."
    drawn = f"Figures are means of {len(facts.seeds)} seeds, small dots the seeds."
    return f"{drawn} Bars are 95 % intervals over users and seeds (Student's t)."


def _collisions(facts: ReportFacts) -> Section | None:
    """The inflated figure beside the honest one, and the valid and direct rates with their denominators."""
    metric, test = headline_metric(facts), facts.metrics.get("test", {})
    inflated = f"{metric}_inflated"
    if facts.seeds or (inflated not in test and "vr@" not in "".join(test)):
        return None
    ends = facts.metrics.get("intervals", {}).get("test", {})
    counted = facts.metrics.get("counts", {}).get("test", {})
    dots = []
    if inflated in test:
        dots = [
            Dot("honest", test[metric], interval_of(ends, metric), "model", "the item itself"),
            Dot("inflated", test[inflated], interval_of(ends, inflated), "baseline", "its identifier"),
        ]
    return core_section(
        "collisions",
        "What was counted",
        "A hit is the item itself. Counting every item that shares its identifier would inflate the figure; "
        "candidates that reach no item are dropped, never replaced.",
        title=f"{title(metric)}, two ways to count",
        dots=dots,
        rates=[
            {
                "name": title(f"{rate}@{k}"),
                "word": word,
                "value": test[f"{rate}@{k}"],
                "part": counted.get(f"direct@{k}", 0),
                "whole": counted.get(f"{whole}@{k}", 0),
            }
            for k in facts.metrics.get("settings", {}).get("at", [])
            for rate, word, whole in (("vr", "valid", "candidates"), ("dhr", "direct", "grounded"))
            if f"{rate}@{k}" in test
        ],
        counted=counted,
    )


def _slices(facts: ReportFacts) -> Section | None:
    """One plot for each group of slices that has more than one: the model and the best baseline."""
    metric, baselines = headline_metric(facts), facts.metrics.get("baselines", {})
    rivals = sorted(
        (name for name in baselines if name != ORACLE), key=lambda name: -baselines[name].get(metric, 0.0)
    )
    names = [*([MODEL_SYSTEM] if facts.metrics.get("test") else []), *rivals[:1]]
    labels = {name: facts.name if name == MODEL_SYSTEM else short(name) for name in names}
    groups = {
        group: parts
        for group, parts in facts.metrics.get("slices", {}).items()
        if len(parts) > 1 and group in _SLICES
    }
    if not groups:
        return None
    return core_section(
        "slices",
        "Who is served",
        f"{title(metric)} of {' and '.join(labels.values())} on parts of the test examples; n is how many "
        "each holds.",
        plots=[
            (_SLICES[group][0], _slice_dots(_SLICES[group][1], parts, metric, labels))
            for group, parts in groups.items()
        ],
    )


def _slice_dots(pattern: str, parts: Mapping[str, Any], metric: str, labels: Mapping[str, str]) -> list[Dot]:
    return [
        Dot(
            label="" if position else pattern.format(part.replace("-", "–")),
            value=entry["systems"][name][metric],
            interval=interval_of(entry["intervals"].get(name, {}), metric),
            role=("model" if name == MODEL_SYSTEM else "baseline") + ("" if position else " first"),
            note=label if position else f"n = {count(entry['n'])}",
        )
        for part, entry in parts.items()
        for position, (name, label) in enumerate(labels.items())
        if metric in entry["systems"].get(name, {})
    ]


def _examples(facts: ReportFacts) -> Section | None:
    """Recommendations for single users, with titles: one card an example."""
    if not facts.examples:
        return None
    found = sum(example.rank > 0 for example in facts.examples)
    total = facts.metrics.get("counts", {}).get("test", {}).get("examples", len(facts.examples))
    return core_section(
        "examples",
        "Recommendations",
        f"{len(facts.examples)} of {count(total)} test examples, drawn at random by seed {SHOWN_SEED}: "
        f"{found} found, {len(facts.examples) - found} not found. A hit is marked.",
        shown=facts.examples,
        newest=_NEWEST,
    )


def _identifiers(facts: ReportFacts) -> Section | None:
    """Who shares an identifier, how long they are, and how evenly codes are used: one bar a position."""
    health = facts.metrics.get("identifiers") or {}
    if not health or facts.seeds:  # each seed has its own
        return None
    bars = [
        Bar(
            label=f"Position {level['level']}",
            value=level["codes"],
            text=f"{count(level['codes'])} codes, perplexity {level['perplexity']:.1f}",
            note=f"most used: {percent(level['largest_share'])} of items",
            inner=level["perplexity"],
        )
        for level in health.get("levels", [])
    ]
    return core_section(
        "identifiers",
        "Identifiers",
        "Perplexity is how many codes an even spread would need to be as varied as this one; far below the "
        "number of codes in use, a level has collapsed.",
        entries=_health(health),
        bars=bars,
    )


def _health(health: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = (
        ("items", "Items", count),
        ("distinct", "Distinct identifiers", count),
        ("collision_rate", "Items that share one", percent),
        ("largest_bucket", "Most items on one", count),
    )
    entries = [(name, write(health[key])) for key, name, write in named if key in health]
    if length := health.get("length", {}):
        low, high = length["min"], length["max"]
        spread = f"{low} each" if low == high else f"{low} to {high}, mean {length['mean']:.2f}"
        entries.append(("Tokens", spread))
    return entries


def _doctor(facts: ReportFacts) -> Section | None:
    """What lies under prefixes, who shares an identifier, whether neighbours do, and suggestions."""
    found = facts.diagnosis
    if found is None:
        return None
    return core_section(
        "doctor",
        "The doctor",
        "Leaves are the distinct identifiers under a prefix. Neighbour recall: of an item's ten nearest in "
        "embedding space, how many a search by shared prefix alone finds. A blind one finds them by chance.",
        entries=diagnosis_entries(found),
        advice=[one for one in suggestions(found) if facts.rewarded or one.rule != _PREFIX_ADVICE],
        prefixes=found.prefixes,
        near={one.length: one for one in found.neighbours.lengths} if found.neighbours else {},
        buckets=found.buckets,
        missing=found.missing,
    )


def word_entries(words: WordUse) -> list[tuple[str, str]]:
    """What the doctor says of identifiers in plain words."""
    return [
        ("Words of an identifier, mean", f"{words.mean:.2f}"),
        ("Different words in use", count(words.distinct)),
        ("Words shared with another item's identifier", percent(words.shared)),
        ("Different first words", count(words.first)),
        ("Items on the most common first word", percent(words.most_on_first)),
        ("Second words behind a first, mean over items", f"{words.fan_out:.1f}"),
        ("Words taken from the item's own text", percent(words.own)),
        ("Words of the text that the identifier keeps", percent(words.kept)),
    ]


def diagnosis_entries(found: Diagnosis) -> list[tuple[str, str]]:
    """Name and value of what is one figure for the whole catalogue."""
    rows = []
    if near := found.neighbours:
        asked = "" if near.queries == near.items else f", {count(near.queries)} items asked"
        rows.append((f"Neighbour recall@{near.k} ({found.space}{asked})", f"{near.recall:.4f}"))
        rows.append(("by chance", f"{near.chance:.4f}"))
    if error := found.reconstruction:
        rows.append(("Variance that the codes lose", percent(error.unexplained)))
    if twins := found.duplicates:
        rows.append(("Near-duplicate items", f"{count(twins.items)} in {count(twins.groups)} groups"))
        if twins.collisions_explained is not None:
            rows.append(("Colliding items with a near-duplicate", percent(twins.collisions_explained)))
    if texts := found.texts:
        rows.append(("Words of an item's text, median", f"{texts.median_words:g}"))
    if words := found.words:
        rows += word_entries(words)
    return rows


def _training(facts: ReportFacts) -> Section | None:
    """Small charts of what each training step logged, under its name."""
    steps = [
        (step, [(name.replace("_", " "), CurvePlot.of(points)) for name, points in curves.items()])
        for step, curves in facts.curves.items()
        if curves
    ]
    if not steps:
        return None
    return core_section(
        "training", "Training", "By optimiser step; the figure beside a name is the last value.", steps=steps
    )


def _cost(facts: ReportFacts) -> Section | None:
    """One row a stage: time as a bar, what else was measured, whether it was reused and why."""
    costs = facts.metrics.get("cost", {})
    stages = list(facts.plan) or [StageFacts(name, "run") for name in costs]
    if not stages:
        return None
    seconds = {name: one.get("seconds", 0.0) for name, one in costs.items()}
    longest, total = max(seconds.values(), default=0.0) or 1.0, sum(seconds.values())
    return core_section(
        "cost",
        "Cost",
        f"{duration(total)} altogether. A reused stage shows what it cost when it was made." if total else "",
        rows=[
            {
                "stage": stage,
                "time": duration(seconds[stage.name]) if stage.name in seconds else "–",
                "length": seconds.get(stage.name, 0.0) / longest,
                "measured": measured(costs.get(stage.name, {})),
            }
            for stage in stages
        ],
    )


_PHASES = {"think_tokens": "in thoughts", "prefix_tokens": "in prefixes", "finish_tokens": "in answers"}
"""What recommenders spend tokens on."""


def measured(cost: Mapping[str, Any]) -> str:
    """What a stage used besides its time, in words: `processor 12 s, peak memory 812 MB, 4,200,000 tokens`.

    Whether it was reused stands in a column of its own. Tokens of a phase are told where there are others.
    """
    words = []
    alone = {key for key in _PHASES if key in cost and cost[key] == cost.get("tokens")}
    if "cpu_seconds" in cost:
        words.append(f"processor {duration(cost['cpu_seconds'])}")
    if "peak_mb" in cost:
        whole = " of the whole process so far" if cost.get("peak_since") == "process" else ""
        words.append(f"peak memory{whole} {count(cost['peak_mb'])} MB")
    for key, value in cost.items():
        if key not in {"seconds", "cpu_seconds", "peak_mb", "peak_since", "reused"} | alone:
            words.append(f"{plain(value)} {_PHASES.get(key, key.replace('_', ' '))}")
    return ", ".join(words)


def _protocol(facts: ReportFacts) -> Section | None:
    """Every field of the protocol, the settings of the evaluation, and what was done to the data."""
    fields = dict(facts.metrics.get("protocol", {}))
    digest = str(fields.pop("hash", ""))
    settings = facts.metrics.get("settings", {})
    fields |= {"cut-offs": settings.get("at", []), "resamples": settings.get("resamples", 0)}
    return core_section(
        "protocol",
        "Protocol",
        "Figures compare only under the same hash.",
        digest=digest,
        entries=[(name.replace("_", " "), _shortened(value)) for name, value in fields.items()],
        remarks=facts.notes,
    )


def _shortened(value: object) -> str:
    """A value of the protocol; the first twelve digits of a digest, as many as a protocol's own hash has."""
    text = plain(value)
    return f"{text[:12]}…" if len(text) == 64 and set(text) <= set("0123456789abcdef") else text


def _pipeline(facts: ReportFacts) -> Section | None:
    """The pipeline file as resolved, folded away."""
    if not facts.pipeline_yaml:
        return None
    lead = "Every default filled in: running this file gives this report again."
    return core_section("pipeline", "Pipeline", lead, yaml=facts.pipeline_yaml)


SECTIONS = (
    _accuracy,
    seeds,
    drift,
    _collisions,
    _slices,
    _examples,
    _identifiers,
    _doctor,
    _training,
    _cost,
    _protocol,
    glossary,
    _pipeline,
)
