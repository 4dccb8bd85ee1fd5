"""Explanations: the sections of `errors.md`, and which of them an error names.

    ## missing-value                      its name: the anchor on the page, the argument of `explain-error`
    `row has no` · `is a word for …`      words of the messages that it explains

A section is found by words of the message, so whoever raises an error says nothing twice and plugins' errors
find theirs too. Sections without such words explain the rest of a kind. The page of the documentation is this
file, which every wheel holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from genrec_core.contracts.errors import ContractError, DataError, GenrecError, PluginError, StageError
from genrec_core.pipeline.console import echo
from genrec_core.registry.problems import did_you_mean, shown

PAGE = Path(__file__).with_name("errors.md")

BY_KIND: tuple[tuple[type[GenrecError], str], ...] = (
    (DataError, "data"), (PluginError, "plugin"), (StageError, "stage-failed"), (ContractError, "contract")
)  # fmt: skip
"""Kinds of error with the section that explains whatever is explained by no other."""


@dataclass(frozen=True)
class Explanation:
    """A section.

    Attributes:
        name: its heading.
        words: of the messages that it explains; none where it explains the rest of a kind.
        text: what it says.
    """

    name: str
    words: tuple[str, ...]
    text: str


@cache
def explanations() -> dict[str, Explanation]:
    """Every section by its name, in the order of the page."""
    found = {}
    for part in re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        first, _, rest = body.strip().partition("\n\n")
        words = tuple(re.findall(r"`([^`]+)`", first)) if first.startswith("`") and rest else ()
        found[name.strip()] = Explanation(name.strip(), words, rest if words else body.strip())
    return found


def explained_by(error: GenrecError) -> list[str]:
    """Names of the sections about an error, most telling first; none where the message says it all."""
    said = str(error)
    named = [one.name for one in explanations().values() if any(words in said for words in one.words)]
    return named or [name for kind, name in BY_KIND if isinstance(error, kind)]


@click.command(name="explain-error")
@click.argument("name", nargs=-1)
def explain_error(name: tuple[str, ...]) -> None:
    """Say more about an error: by the NAME that its message ends with, or by words of the message.

    Without a NAME all are listed.
    """
    every = explanations()
    if not name:
        for one in every.values():
            echo(f"{one.name:<22}{', '.join(one.words) or 'whatever else is of this kind'}")
        return
    known = [one for one in name if one in every]
    wanted = known if len(known) == len(name) else _about(" ".join(name))
    echo("\n\n".join(f"{section}\n\n{every[section].text}" for section in wanted))


def _about(said: str) -> list[str]:
    """Sections about a message, or a part of one.

    Raises:
        GenrecError: there is none.
    """
    every = explanations().values()
    found = [one.name for one in every if any(words in said or said in words for words in one.words)]
    if not found:
        hint = did_you_mean(said, [one.name for one in every], otherwise="`genrec explain-error` lists all")
        raise GenrecError(f"no explanation is called or mentions {shown(said)}", hint=hint)
    return found
