"""Cost: what a stage took in time, processor time, memory and tokens.

Peak memory is the process's resident set while the stage ran. Linux can reset the high-water mark, so each
stage has its own; where that is not allowed the figure is the highest of the process so far, and
`peak_since` says so.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class Meter:
    """Measures from its creation to `read`."""

    def __init__(self) -> None:
        self._since = "stage" if _reset_peak() else "process"
        self._began, self._cpu = time.monotonic(), _cpu_seconds()
        self._counts: Counter[str] = Counter()

    def count(self, values: dict[str, Any]) -> None:
        """Add up what a stage logged as `tokens`, or as `…_tokens`: what was used, not what was expected."""
        for name, value in values.items():
            if (name == "tokens" or name.endswith("_tokens")) and isinstance(value, (int, float)):
                self._counts[name] += int(value)

    @property
    def seconds(self) -> float:
        """Wall-clock seconds so far."""
        return time.monotonic() - self._began

    def read(self) -> dict[str, Any]:
        """`seconds`, `cpu_seconds` (children included), `peak_mb`, `peak_since`, and what was counted."""
        return {
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(_cpu_seconds() - self._cpu, 3),
            "peak_mb": round(_peak_kilobytes() / 1024, 1),
            "peak_since": self._since,
            **self._counts,
        }


def _cpu_seconds() -> float:
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def _reset_peak() -> bool:
    try:
        _RESET.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _peak_kilobytes() -> int:
    try:
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:
        pass  # not Linux: the process-wide figure below is what there is
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
