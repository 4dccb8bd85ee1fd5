"""What fuzzers share: seeded inputs, a time limit each, and one report of what went wrong.

    python -m tests.fuzz.pipelines --count 10000 --seed 7
    python -m tests.fuzz.folders --count 10000
    python -m tests.fuzz.imports --count 10000

An input fails when it ends in anything but a result or a `GenrecError`, when it takes longer than `LIMIT`
seconds, or when the fuzzer's own oracle says that what was accepted is wrong. Input number n of a seed is
always the same, so `--only n` repeats it.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from genrec_core.contracts.errors import GenrecError

LIMIT = 20
"""Seconds after which an input counts as a hang."""

CHARACTERS = "{}[]:,-#&*!|>'\"%@`\t\n\r \\0123456789.eE+~?_é\x00\x1b\ufeff\u2028\U0001f600"


@dataclass(frozen=True)
class Failure:
    """One input that went wrong: its number, what it was, and what happened."""

    number: int
    given: str
    happened: str


class Hang(BaseException):
    """The time of an input is over; no `except Exception` swallows it."""


Check = Callable[[random.Random], tuple[str, Callable[[], str]]]
"""Makes an input: what it is, for the report, and a function that tries it and says what is wrong, or ''."""


def fuzz(check: Check, count: int, seed: int, only: int | None = None) -> list[Failure]:
    """The failures among `count` inputs."""
    failures = []
    for number in range(count) if only is None else [only]:
        given, attempt = check(random.Random(f"{seed}:{number}"))
        happened = tried(attempt)
        if happened:
            failures.append(Failure(number, given, happened))
    return failures


def tried(attempt: Callable[[], str]) -> str:
    """What is wrong with one attempt; empty when it ended well or was refused as it should be."""
    try:
        with _limited():
            return attempt()
    except GenrecError:
        return ""
    except Hang:
        return f"it hung: more than {LIMIT} s"
    except Exception as error:
        return "".join(traceback.format_exception(error)[-3:])


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def over(number: int, frame: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def broken_text(text: str, values: Sequence[str], draw: random.Random) -> str:
    """A text after one to five slips of the keyboard: letters, odd `values`, lines lost, doubled or mixed."""
    for _ in range(draw.choice((1, 1, 2, 5))):
        place = draw.randrange(len(text) + 1)
        end = min(len(text), place + draw.choice((0, 1, 3, 20)))
        lines = text.split("\n")
        row = draw.randrange(len(lines))
        text = draw.choice((
            text[:place] + draw.choice(CHARACTERS) + text[end:],
            text[:place] + text[end:],
            text[:place] + draw.choice(values) + text[end:],
            text[:place] + text[place:end] * 3 + text[end:],
            "\n".join([*lines[:row], *lines[row + 1 :]]),
            "\n".join([*lines[:row], lines[row], *lines[row:]]),
            "\n".join(draw.sample(lines, len(lines))),
        ))  # fmt: skip
        text = text or "x"
    return text


def main(check: Check, what: str) -> None:
    """The command of a fuzzer; exit code 1 when an input failed."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="Try this one input again.")
    given = parser.parse_args()
    failures = fuzz(check, given.count, given.seed, given.only)
    for failure in failures[:20]:
        print(f"--- input {failure.number}\n{failure.given}\n>>> {failure.happened}")
    print(f"{len(failures)} of {given.count if given.only is None else 1} inputs failed (seed {given.seed})")
    raise SystemExit(bool(failures))
