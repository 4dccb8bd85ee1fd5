"""Scalars: what an unquoted word in YAML means, by the core schema of YAML 1.2.

PyYAML follows version 1.1, where `no` is false, `1e-4` is a text and `12:30` is 750. Version 1.2 has none of
these surprises. NaN and infinity are left out of it here: no option can mean them, and JSON cannot hold them.

    >>> [scalar(word) for word in ("no", "1e-4", "12:30", "0x1f", "~")]
    ['no', 0.0001, '12:30', 31, None]
"""

from __future__ import annotations

import math
import re

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted word.

    Raises:
        ValueError: a number that is not finite or has more than 64 bits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        number = _integer(text)
        if not -(2**63) <= number < 2**64:
            raise ValueError(f"`{text[:40]}` has more than 64 bits")
        return number
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"`{text}` is no finite number")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"`{text[:40]}` is no finite number")
        return value
    return text


def _integer(text: str) -> int:
    if text[:2] in ("0o", "0x"):
        return int(text, 0)
    return int(text[:40])  # Python refuses to read thousands of digits; forty are too many already
