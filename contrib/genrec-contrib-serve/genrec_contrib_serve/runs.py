"""The run that is served, and how another takes its place while requests go on.

A run is loaded and tested beside the one that answers; only a run that passed its own test takes over. What
was asked before is answered by the run it was asked of, which is then closed. A run that fails changes
nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from genrec_contrib_serve.batching import Batcher
from genrec_contrib_serve.logs import log
from genrec_contrib_serve.metrics import Metrics
from genrec_contrib_serve.served_run import ServedRun
from genrec_core import GenrecError


class ReloadingError(Exception):
    """Another run is being loaded at this moment."""


class Runs:
    """The served run.

    Args:
        folder: the RUN that was named at the start; looked up again at every reload.
        batcher: closes runs that were replaced.
        metrics: counts.
        opened: opens a run.
    """

    def __init__(
        self,
        folder: Path,
        batcher: Batcher,
        metrics: Metrics,
        opened: Callable[[Path], ServedRun] = ServedRun.open,
    ) -> None:
        self.folder, self._batcher, self._metrics, self._opened = folder, batcher, metrics, opened
        self.current: ServedRun | None = None
        self.why_not = "the run is being loaded"
        """Why there is nothing to serve, while there is nothing."""
        self._one_at_a_time = threading.Lock()

    def load(self, name: str | None = None) -> dict[str, Any]:
        """Load, test and take over a run.

        Args:
            name: of a run folder beside the served one; None looks up the first folder again.

        Returns:
            Versions of the run that is served now, and the seconds it took.

        Raises:
            GenrecError: it cannot be served; the run before goes on.
            ReloadingError: a run is being loaded already.
        """
        if not self._one_at_a_time.acquire(blocking=False):
            raise ReloadingError
        try:
            begin, old = time.monotonic(), self.current
            run = self._tested(self._place(name))
            self.current, self.why_not = run, ""
            if old is not None:
                self._batcher.retire(old)
            self._metrics.serves(**run.versions)
            self._metrics.reloads.labels("served").inc()
            seconds = round(time.monotonic() - begin, 3)
            log("serving", **run.versions, seconds=seconds, items=len(run.catalogue.items))
            return {"versions": run.versions, "seconds": seconds}
        except Exception as error:
            self._metrics.reloads.labels("failed").inc()
            if self.current is None:
                self.why_not = str(error)
            log("run refused", logging.ERROR, error, message=str(error))
            raise
        finally:
            self._one_at_a_time.release()

    def _tested(self, folder: Path) -> ServedRun:
        run = self._opened(folder)
        try:
            run.test_itself()
        except BaseException:
            run.close()
            raise
        return run

    def _place(self, name: str | None) -> Path:
        if name is None:
            return self.folder
        beside = self.folder.resolve().parent / name
        if not beside.is_dir():
            raise GenrecError(f"there is no run `{name}` beside the served one", hint="name its folder")
        return beside
