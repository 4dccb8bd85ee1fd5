"""Run log: everything that happens in a run, for `log.jsonl` and for the observers, and what each stage cost.

    {"time": 1790000000.1, "stage": "embed.1", "event": "stage-finished", "outcome": "run", "seconds": 2.013}

An observer that raises is reported once and left out; a tracker that is offline must not end a training.

Cost is time, processor time, memory and tokens; the store keeps it with the artefact. Peak memory is the
process's resident set while the stage ran. Linux can reset the high-water mark, so each stage has its own;
where that is not allowed the figure is the highest of the process so far, and `peak_since` says so.

    {"seconds": 2.013, "cpu_seconds": 1.987, "peak_mb": 412.5, "peak_since": "stage"}
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.observer import Observer
from genrec_core.pipeline.console import Console, QuietConsole

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


class RunLog:
    """One run's events.

    Args:
        path: the log; None keeps none (a run of one stage has no run folder).
        observers: hear of it too.
        console: shows warnings.
    """

    def __init__(
        self, path: Path | None, observers: Sequence[Observer] = (), console: Console | None = None
    ) -> None:
        self._path, self._observers = path, list(observers)
        self._console = console or QuietConsole()

    def run_started(self, run: str, plan: dict[str, Any]) -> None:
        """A run begins."""
        self._write("", "run-started", {"run": run})
        self._tell(lambda observer: observer.run_started(run, plan))

    def stage_started(self, stage: str, reason: str) -> None:
        """A stage begins, or is about to be found in the store."""
        self._write(stage, "stage-started", {"reason": reason})

    def stage_finished(self, stage: str, outcome: str, seconds: float, **more: Any) -> None:
        """A stage ended; `outcome` is `run`, `reused` or `failed`."""
        self._write(stage, "stage-finished", {"outcome": outcome, "seconds": round(seconds, 3), **more})
        self._tell(lambda observer: observer.stage_finished(stage, outcome, seconds))

    def logged(self, stage: str, event: str, values: dict[str, Any]) -> None:
        """A stage logged something; the event `warning` with a `message` is shown too."""
        if event == "warning" and "message" in values:
            self.warn(stage, str(values["message"]))
        else:
            self._write(stage, event, values)
            self._console.figures(values)
        self._tell(lambda observer: observer.logged(stage, event, values))

    def warn(self, stage: str, message: str) -> None:
        """Something a person has to know: a line of the log, and one on standard error whoever watches."""
        self._console.warn(f"{stage}: {message}" if stage else message)
        self._write(stage, "warning", {"message": message})

    def interrupted(self, reason: str) -> None:
        """Ctrl-C or a signal ended the run."""
        self._write("", "run-interrupted", {"reason": reason})

    def run_finished(self, run: str, metrics: dict[str, Any]) -> None:
        """A run ended well."""
        self._write("", "run-finished", {"run": run})
        self._tell(lambda observer: observer.run_finished(run, metrics))

    def _tell(self, event: Callable[[Observer], None]) -> None:
        for observer in list(self._observers):
            try:
                event(observer)
            except Exception as error:
                self._observers.remove(observer)
                reason = f"{type(error).__name__}: {error}"
                self.warn("", f"observer `{observer.name}` failed and is left out: {reason}")

    def _write(self, stage: str, event: str, values: dict[str, Any]) -> None:
        if self._path is None:
            return
        line = {"time": round(time.time(), 3), "stage": stage, "event": event, **values}
        with self._path.open("ab") as file:
            file.write(orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY, default=str) + b"\n")


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
