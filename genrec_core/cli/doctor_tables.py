"""Tables of `genrec doctor`: one diagnosis in full, or several side by side."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from genrec_core.evaluation.report.figures import count, percent
from genrec_core.evaluation.report.sections import diagnosis_entries
from genrec_core.identifiers.diagnosis.diagnosis import Diagnosis
from genrec_core.identifiers.diagnosis.suggestions import suggestions
from genrec_core.identifiers.health import Level
from genrec_core.identifiers.prefixes import ROLLOUTS
from genrec_core.pipeline.console import terminal


def print_one(found: Diagnosis) -> None:
    """Everything about one inputs."""
    console = terminal()
    for name, value in [*_summary(found), *diagnosis_entries(found)]:
        console.print(f"{name:<40} {value}", markup=False, soft_wrap=True)
    console.print(_levels(found))
    console.print(_prefixes(found))
    if found.neighbours:
        console.print(_neighbours(found))
    for bucket in found.buckets:
        console.print(f"{bucket.identifier} is shared by {bucket.size:,} items", markup=False, soft_wrap=True)
        for item in bucket.items:
            console.print(f"    {item.id}  {item.text}", markup=False, soft_wrap=True)
    _print_advice(console, found)


def print_side_by_side(every: Mapping[str, Diagnosis]) -> None:
    """One column a inputs, then the suggestions for each."""
    console = terminal()
    table = _table("", *map(escape, every))
    # Part by part, so that the fourth level of one stands with the first three of another.
    for part in zip(*(_parts(found) for found in every.values()), strict=True):
        for name in dict.fromkeys(name for column in part for name in column):
            table.add_row(name, *(column.get(name, "–") for column in part))
    console.print(table)
    for name, found in every.items():
        console.print(f"{escape(name)}:")
        _print_advice(console, found)


def _parts(found: Diagnosis) -> tuple[dict[str, str], ...]:
    """The figures by which identifiers are compared, name → value: whole, levels, prefixes, the rest."""
    levels, prefixes, rest = {}, {}, {}
    for level in found.levels:
        levels[f"level {level.level}: codes used"] = _used(level)
        levels[f"level {level.level}: perplexity"] = f"{level.perplexity:.1f}"
    for under in found.prefixes:
        prefixes[f"first {under.length}: items sharing"] = percent(under.shared)
        prefixes[f"first {under.length}: leaves, median"] = f"{under.median:g}"
    if near := found.neighbours:
        rest[f"neighbour recall@{near.k}"] = f"{near.recall:.4f}"
        rest["by chance"] = f"{near.chance:.4f}"
        rest["measured in"] = escape(found.space)
    if error := found.reconstruction:
        rest["variance lost"] = percent(error.unexplained)
    if found.duplicates and found.duplicates.collisions_explained is not None:
        rest["collisions by near-duplicates"] = percent(found.duplicates.collisions_explained)
    return dict(_summary(found)), levels, prefixes, rest


def _summary(found: Diagnosis) -> list[tuple[str, str]]:
    health = found.health
    length = health["length"]
    merged = [("merged by the text tokenizer", f"{count(health['merged_items'])} items")]
    return [
        ("items", count(health["items"])),
        ("distinct identifiers", count(health["distinct"])),
        (
            "items that share theirs",
            f"{count(health['colliding_items'])} ({percent(health['collision_rate'])})",
        ),
        *(merged if health["merged_items"] else []),
        ("largest bucket", f"{count(health['largest_bucket'])} items"),
        ("tokens", f"{length['min']} to {length['max']}, mean {length['mean']:.2f}"),
        ("new tokens", count(health["new_tokens"])),
    ]


def _levels(found: Diagnosis) -> Table:
    table = _table("level", "items", "codes used", "largest share", "entropy", "perplexity", "")
    for level in found.levels:
        table.add_row(
            str(level.level),
            count(level.items),
            _used(level),
            percent(level.largest_share),
            f"{level.entropy:.3f}",
            f"{level.perplexity:.1f}",
            "ranks" if level.ranks else "",
        )
    return table


def _prefixes(found: Diagnosis) -> Table:
    titles = ("first", "prefixes", "items sharing", "near-dup", "leaves", "median", "mean", "single")
    table = _table(*titles, f"items < {ROLLOUTS}")
    for under in found.prefixes:
        table.add_row(
            str(under.length),
            count(under.prefixes),
            percent(under.shared),
            "–" if under.duplicated is None else percent(under.duplicated),
            f"{under.least} to {count(under.most)}",
            f"{under.median:g}",
            f"{under.mean:.2f}",
            percent(under.single),
            percent(under.few),
        )
    return table


def _neighbours(found: Diagnosis) -> Table:
    assert found.neighbours is not None
    table = _table("first", f"neighbour recall@{found.neighbours.k}", "kept under the prefix", "by chance")
    for kept in found.neighbours.lengths:
        table.add_row(
            str(kept.length), f"{kept.recall:.4f}", percent(kept.kept), percent(kept.kept_by_chance, 2)
        )
    return table


def _print_advice(console: Console, found: Diagnosis) -> None:
    advice = suggestions(found)
    for one in advice:
        console.print(f"• {one.finding}\n  → {one.advice}", markup=False, soft_wrap=True)
    if not advice:
        console.print("nothing to change", markup=False)
    for missing in found.missing:
        console.print(f"not examined: {missing}", markup=False, soft_wrap=True)


def _used(level: Level) -> str:
    return f"{count(level.codes)} of {count(level.possible)}" if level.possible else count(level.codes)


def _table(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table
