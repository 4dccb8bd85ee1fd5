"""Puzzles: small questions of arithmetic and logic with their steps and one right answer, from a seed.

They stand in for general reasoning data where there is none: short, endless, and checkable by their answer.

    What is 17 + 25 - 8?
    17 + 25 = 42. 42 - 8 = 34.
    34
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gia", "Hugo", "Ida", "Jon")
_ORDERS = (("older", "oldest"), ("taller", "tallest"), ("faster", "fastest"))
_KINDS = ("birds", "boats", "lamps", "trees", "stones", "clocks")
_TRAITS = ("heavy", "blue", "old", "loud", "rare", "warm")


@dataclass(frozen=True)
class Puzzle:
    """A question, how it is worked out, and the answer."""

    question: str
    steps: str
    answer: str


def puzzles(count: int, generator: np.random.Generator) -> list[Puzzle]:
    """`count` puzzles that differ, of every kind in turn.

    Args:
        count: how many; a million is still easy to find.
        generator: draws them.
    """
    found: dict[str, Puzzle] = {}
    makers: Sequence[Callable[[np.random.Generator], Puzzle]] = (
        _sum,
        _remainder,
        _order,
        _syllogism,
        _pattern,
    )
    tried = 0
    while len(found) < count and tried < 50 * count:
        puzzle = makers[tried % len(makers)](generator)
        found.setdefault(puzzle.question, puzzle)
        tried += 1
    return list(found.values())


def _sum(generator: np.random.Generator) -> Puzzle:
    first, *rest = (int(value) for value in generator.integers(2, 100, size=int(generator.integers(2, 5))))
    question, total, steps = str(first), first, []
    for value in rest:
        sign = "-" if generator.random() < 0.4 else "+"
        after = total - value if sign == "-" else total + value
        question += f" {sign} {value}"
        steps.append(f"{total} {sign} {value} = {after}.")
        total = after
    return Puzzle(f"What is {question}?", " ".join(steps), str(total))


def _remainder(generator: np.random.Generator) -> Puzzle:
    number, by = int(generator.integers(10, 200)), int(generator.integers(3, 12))
    steps = f"{by} x {number // by} = {number // by * by}. {number} - {number // by * by} = {number % by}."
    return Puzzle(f"What is left when {number} is divided by {by}?", steps, str(number % by))


def _order(generator: np.random.Generator) -> Puzzle:
    names = [str(name) for name in generator.permutation(_NAMES)[: int(generator.integers(3, 5))]]
    more, most = _ORDERS[int(generator.integers(len(_ORDERS)))]
    pairs = [f"{one} is {more} than {other}." for one, other in itertools.pairwise(names)]
    told = " ".join(str(pair) for pair in generator.permutation(pairs))
    return Puzzle(f"{told} Who is the {most}?", f"From first to last: {', '.join(names)}.", names[0])


def _syllogism(generator: np.random.Generator) -> Puzzle:
    one, two = (str(kind) for kind in generator.permutation(_KINDS)[:2])
    trait = _TRAITS[int(generator.integers(len(_TRAITS)))]
    follows = bool(generator.random() < 0.5)
    if follows:
        told = f"All {one} are {two}. All {two} are {trait}."
        steps = f"Every one of the {one} is among the {two}, which are {trait}."
    else:
        told = f"All {one} are {two}. Some {two} are {trait}."
        steps = f"The {two} that are {trait} need not be among the {one}."
    return Puzzle(f"{told} Must all {one} be {trait}?", steps, "yes" if follows else "no")


def _pattern(generator: np.random.Generator) -> Puzzle:
    start, step = int(generator.integers(1, 60)), int(generator.integers(2, 15))
    shown = [start + step * place for place in range(4)]
    steps = f"The difference is {step}. {shown[-1]} + {step} = {shown[-1] + step}."
    return Puzzle(f"What comes next: {', '.join(map(str, shown))}?", steps, str(shown[-1] + step))
