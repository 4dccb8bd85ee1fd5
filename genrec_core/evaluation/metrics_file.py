"""The metrics file of a run folder, which may be somebody else's or edited: its shape is checked on reading.

Who compares runs or lays out a report looks values up by name and takes their types for granted; a number
that became a text is said here, with its key, and nowhere else.

>>> wrong_with({"protocol": {}, "test": {"recall@10": "x"}})
'`test.recall@10` is `x`, not a number'
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.errors import DataError
from genrec_core.contracts.options import regular_file
from genrec_core.data.defects import abbreviated

_DEEPEST_CUTOFF = 100_000
"""The deepest k that a pipeline file may name."""

_COSTS = ("seconds", "cpu_seconds", "tokens", "peak_mb")


@dataclass(frozen=True)
class _Value:
    """What a value must be, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class _Block:
    """A block: the shapes of named keys, of all others (None: anything), and which keys it must have."""

    named: Mapping[str, _Value | _Block]
    others: _Value | _Block | None = None
    needed: tuple[str, ...] = ()


def _each(shape: _Value | _Block) -> _Block:
    return _Block({}, shape)


def _needs(**named: _Value | _Block) -> _Block:
    return _Block(named, None, tuple(named))


def _is_figure(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_ends(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_figure, value))


def _are_cutoffs(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_cutoff, value))


def _are_levels(value: Any) -> bool:
    needed = _needs(**dict.fromkeys(("level", "codes", "perplexity", "largest_share"), _FIGURE))
    return isinstance(value, list) and not any(any(_wrong(one, needed, "")) for one in value)


def _is_cutoff(value: Any) -> bool:
    return _is_count(value) and 1 <= value <= _DEEPEST_CUTOFF


_FIGURE = _Value("a number", _is_figure)
_COUNT = _Value("a whole number", _is_count)
_ENDS = _Value("both ends of an interval", _are_ends)
_TEXT = _Value("a text", lambda value: isinstance(value, str))
_FLAG = _Value("yes or no", lambda value: isinstance(value, bool))
_LIMIT = _Value("a whole number", lambda value: value is None or _is_count(value))
_DIFFERENCE = _needs(difference=_FIGURE, interval=_ENDS, p=_FIGURE)
_SPREAD = _each(_needs(std=_FIGURE))
_LENGTHS = _needs(min=_FIGURE, mean=_FIGURE, max=_FIGURE)
_LEVELS = _Value("a list of levels with their figures", _are_levels)
_SHAPE = _Block(
    {
        "protocol": _Block({"hash": _TEXT, "limit": _LIMIT}),
        "settings": _Block(
            {
                "at": _Value(f"a list of cut-offs from 1 to {_DEEPEST_CUTOFF:,}", _are_cutoffs),
                "filter_viewed": _FLAG,
                "resamples": _COUNT,
                "depth": _COUNT,
            }
        ),
        "test": _each(_FIGURE),
        "valid": _each(_FIGURE),
        "baselines": _each(_each(_FIGURE)),
        "intervals": _Block({"test": _each(_ENDS), "valid": _each(_ENDS), "baselines": _each(_each(_ENDS))}),
        "comparisons": _each(_each(_DIFFERENCE)),
        "counts": _each(_each(_COUNT)),
        "short": _each(_COUNT),
        "slices": _each(
            _each(
                _Block(
                    {"n": _COUNT, "systems": _each(_each(_FIGURE)), "intervals": _each(_each(_ENDS))},
                    None,
                    ("n", "systems"),
                )
            )
        ),
        "share_of_oracle": _each(_FIGURE),
        "seeds": _each(_TEXT),
        "spread": _Block({"test": _SPREAD, "valid": _SPREAD, "baselines": _each(_SPREAD)}),
        "drift": _Block(
            {"valid_period": _ENDS, "test_period": _ENDS},
            _FIGURE,
            ("valid_period", "test_period", "distance", "by_chance"),
        ),
        "identifiers": _Block({"length": _LENGTHS, "levels": _LEVELS}, _FIGURE),
        "cost": _each(_Block(dict.fromkeys(_COSTS, _FIGURE))),
    },
    None,
    ("protocol",),
)


def read_metrics(path: Path, again: str = "run the pipeline again") -> dict[str, Any]:
    """The content of a `metrics.json`.

    Args:
        path: the file.
        again: what to do where it cannot be used.

    Raises:
        DataError: it is missing, is no JSON, or holds what no run writes.
    """
    try:
        metrics: dict[str, Any] = orjson.loads(regular_file(path).read_bytes())
    except OSError as error:
        raise DataError(
            f"`{path.name}` cannot be read: {error.strerror}", where=str(path), hint=again
        ) from error
    except ValueError as error:
        raise DataError(f"this is no JSON: {error}", where=str(path), hint=again) from error
    if not isinstance(metrics, dict) or "protocol" not in metrics:
        raise DataError("these metrics name no protocol", where=str(path), hint=again)
    if wrong := wrong_with(metrics):
        raise DataError(f"this is not what a run writes: {wrong}", where=str(path), hint=again)
    return metrics


def wrong_with(metrics: Any) -> str:
    """The first key of metrics whose value no run writes, with the value; empty where there is none."""
    return next(_wrong(metrics, _SHAPE, ""), "")


def _wrong(value: Any, shape: _Value | _Block, way: str) -> Iterator[str]:
    if isinstance(shape, _Value):
        if not shape.fits(value):
            yield f"`{way}` is `{_shown(value)}`, not {shape.words}"
        return
    if not isinstance(value, dict):
        yield f"`{way or 'all of it'}` is `{_shown(value)}`, not a block"
        return
    for name in shape.needed:
        if name not in value:
            yield f"there is no `{f'{way}.{name}'.removeprefix('.')}`"
    for name, part in value.items():
        inner = shape.named.get(name, shape.others)
        if inner is not None:
            yield from _wrong(part, inner, f"{way}.{name}".removeprefix("."))


def _shown(value: Any) -> str:
    return "null" if value is None else abbreviated(value)
