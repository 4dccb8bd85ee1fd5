"""What goes wrong, said so that a person can mend it.

Every error a user can cause is a `GenrecError`: it names the place, the value and the next step, and
the command line prints it without a traceback. Anything else that escapes is a bug of ours.

    >>> print(GenrecError("`levels` must be positive, got `-1`", where="pipeline.yaml:9:11", hint="write 3"))
    pipeline.yaml:9:11: `levels` must be positive, got `-1`
      → write 3
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable


class ExitCode(enum.IntEnum):
    """What the process returns to the shell."""

    OK = 0
    STAGE_FAILED = 1
    BAD_INPUT = 2
    CONTRACT_BROKEN = 5


class GenrecError(Exception):
    """A mistake in what the user gave us.

    Args:
        message: what is wrong, with the value in backticks.
        where: the place, `file:line:column` for anything that came from a file.
        hint: what to do next.
    """

    exit_code = ExitCode.BAD_INPUT

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint

    def at(self, where: str) -> GenrecError:
        """The same error with a place, unless it already has a more exact one."""
        if not self.where:
            self.where = where
        return self

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}" + (f"\n  → {self.hint}" if self.hint else "")


class DataError(GenrecError):
    """Data that cannot be used as it is; the message counts the bad rows and shows some."""


class PluginError(GenrecError):
    """A pipeline needs a plugin that is absent or broken.

    Exit code 2 like every other mistake in the pipeline: the user's file asks for what is not there.
    """


class StageError(GenrecError):
    """A stage could not do its work; earlier stages stay in the store."""

    exit_code = ExitCode.STAGE_FAILED


class ContractError(GenrecError):
    """A component broke the promise of its kind."""

    exit_code = ExitCode.CONTRACT_BROKEN


def examples(values: Iterable[object], limit: int = 3) -> str:
    """The first few of many values, for messages: `examples("abcd")` gives `a`, `b`, `c`, … each in ticks."""
    listed = [f"`{printable(str(value))}`" for value in values]
    return ", ".join(listed[:limit]) + (", …" if len(listed) > limit else "")


# C0 and C1 controls, line separators, marks that turn the direction of writing, and lone surrogates.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str, *, lines: bool = False) -> str:
    """Text from a file or a server, made harmless for a terminal: control characters are written out.

    A title may hold escape sequences that clear the screen, or a line break behind which it fakes a row.

    Args:
        text: anything.
        lines: it is a whole message of ours, whose line breaks and tabs are meant.

    >>> printable("Tent\\x1b[2J")
    'Tent\\\\x1b[2J'
    """

    def written(found: re.Match[str]) -> str:
        char = found.group()
        if lines and char in "\n\t":
            return char
        return char.encode("unicode_escape", "surrogatepass").decode("ascii")

    return _UNPRINTABLE.sub(written, text)


_SECRETS = (
    re.compile(r"(?<![\w-])((?:g?sk|pk|rk|hf|xai|pplx|nvapi|ghp|gho|glpat|r8|fw|tgp|csk)[-_])[\w-]{8,}"),
    re.compile(r"((?:AIza|AKIA))[\w-]{12,}"),
    re.compile(r"(://)[^/\s@]+(?=@)"),
    re.compile(
        r"((?:^|[\s.?&#{\"',_-])(?:api[_-]?key|key|secret|password|passwd|(?:access|auth|api)[_-]?token)\s*[=:]\s*)"
        r"[^\s&,}`]+",
        re.IGNORECASE,
    ),
)
"""What keys of servers, passwords in addresses and values of options called like a key look like."""


def without_secrets(text: str) -> str:
    """A message with what looks like a key or a password cut out: messages end in logs that others read.

    >>> without_secrets("--set teacher.key_env=gsk_4eC39HqLyjWDarjtT1zdp7dc: `key_env` is no name")
    '--set teacher.key_env=gsk_…: `key_env` is no name'
    """
    for form in _SECRETS:
        text = form.sub(r"\1…", text)
    return text
