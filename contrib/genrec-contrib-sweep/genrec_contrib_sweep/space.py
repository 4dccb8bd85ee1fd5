"""What a sweep tries: values of options, every combination of them or what optuna proposes.

    train.sft.learning_rate=1e-3,2e-3        two values
    tokenizer.codes=64,256
    train.sft.learning_rate=1e-4..1e-2       a range, for optuna alone
    train.sft.learning_rate=log:1e-4..1e-2   the same, drawn evenly over its logarithm

Values are YAML, as after `--set`. Optuna's sampler has a seed and is told results in order, so a sweep that
was stopped proposes the same again, finds each trial in the store and goes on behind the last.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import has_half_characters
from genrec_core.pipeline.yaml_source import parse

OptionValues = Mapping[str, Any]
"""Way to an option → value."""

_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_RANGE = re.compile(rf"(?P<log>log:)?(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})")
_WHOLE = re.compile(r"[-+]?[0-9]+")
_LARGEST = 2**53
"""Up to here whole numbers and floating-point numbers are the same."""
_AT_RANDOM = 10
"""Trials that optuna draws at random before it learns from them; its own default."""


@dataclass(frozen=True)
class Over:
    """What one option is tried with: values, or a range.

    Attributes:
        path: way to the option.
        values: to choose from; empty for a range.
        low, high: both ends of a range, whole numbers where both were written so.
        log: even over the logarithm.
    """

    path: str
    values: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False


def parse_over(text: str) -> Over:
    """One `PATH=VALUE,VALUE` or `PATH=LOW..HIGH`.

    Raises:
        GenrecError: it is neither, or sweeps over what is no choice.
    """
    where = f"--over {text}"
    path, _, written = text.partition("=")
    if not written.strip() or not all(path.split(".")):
        hint = "write it like --over train.sft.learning_rate=1e-3,2e-3"
        raise GenrecError(f"`{text}` is no option with values", where=where, hint=hint)
    if has_half_characters(path):
        raise GenrecError(f"`{path}` holds half a character", where=where, hint="write it as UTF-8")
    if path in ("seed", "seeds"):
        raise GenrecError(
            "a seed is not selected: the best of several is only the luckiest",
            where=where,
            hint="write --seeds 1,2,3, and each trial is judged by its mean over seeds",
        )
    if found := _RANGE.fullmatch(written.strip()):
        whole = all(_WHOLE.fullmatch(found[end]) for end in ("low", "high"))
        low, high = (int(found[end][:40]) if whole else float(found[end]) for end in ("low", "high"))
        if low >= high or (found["log"] and low <= 0) or max(-low, high) > _LARGEST:
            raise GenrecError(
                f"`{written[:60]}` is no range",
                where=where[:100],
                hint=f"the lower end comes first, none is beyond {_LARGEST:,}; log: needs it above 0",
            )
        return Over(path, (), low, high, bool(found["log"]))
    values = parse(f"[{written}]", where).values
    if len({orjson.dumps(value) for value in values}) < len(values):
        raise GenrecError("a value is given twice", where=where, hint="give different values")
    return Over(path, tuple(values))


def changes_of(values: OptionValues) -> tuple[str, ...]:
    """Values as `--set` takes them."""
    return tuple(f"{path}={orjson.dumps(value).decode()}" for path, value in values.items())


def combinations(overs: Sequence[Over]) -> list[dict[str, Any]]:
    """Every combination of values, the last option changing fastest.

    Raises:
        GenrecError: an option has a range, which has no end of values.
    """
    for over in overs:
        if not over.values:
            raise GenrecError(
                f"`{over.path}` has a range, of which only optuna can choose",
                where=f"--over {over.path}",
                hint="add --optuna 30, or list the values with commas between",
            )
    paths = [over.path for over in overs]
    return [
        dict(zip(paths, each, strict=True)) for each in itertools.product(*(over.values for over in overs))
    ]


class Proposals:
    """Optuna's proposals: `propose` gives values, `tell` says how good they were.

    Args:
        overs: what to choose.
        trials: how often.
        seed: of the sampler.
    """

    def __init__(self, overs: Sequence[Over], trials: int, seed: int) -> None:
        # It takes a while to import, which combinations need not wait for.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._overs, self._trials = overs, trials
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=min(_AT_RANDOM, max(1, trials // 3)))
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._asked: Any = None

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for _ in range(self._trials):
            self._asked = self._study.ask()
            yield {over.path: self._suggested(over) for over in self._overs}

    def tell(self, value: float | None) -> None:
        """How good the last proposal was; None where it could not be tried."""
        if value is None:
            self._study.tell(self._asked, state=self._failed)
        else:
            self._study.tell(self._asked, value)

    def _suggested(self, over: Over) -> Any:
        if over.values:
            return over.values[self._asked.suggest_categorical(over.path, list(range(len(over.values))))]
        if isinstance(over.low, int):
            return self._asked.suggest_int(over.path, over.low, over.high, log=over.log)
        return self._asked.suggest_float(over.path, over.low, over.high, log=over.log)
