"""Structured logs: one JSON object a line on standard error, without anything about a person.

    {"time": "2026-11-26T18:00:00.123Z", "level": "info", "event": "request", "request_id": "…",
     "method": "POST", "path": "/recommend", "status": 200, "ms": 21.4}

Histories, messages, user ids, queries and addresses of clients are never written; paths are those of the
routes, not what a client typed.
"""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson

LOGGER = logging.getLogger("genrec.serve")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = _places(record.exc_info[2])
        return orjson.dumps(line, default=str).decode()


def _places(trace: Any) -> list[str]:
    """Where it happened, without the values: the text of an error may hold what a client sent."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]


def set_up_logs() -> None:
    """Let this server's lines, and warnings of uvicorn, go to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    for logger, level in ((LOGGER, logging.INFO), (logging.getLogger("uvicorn"), logging.WARNING)):
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def log(event: str, level: int = logging.INFO, error: BaseException | None = None, /, **facts: Any) -> None:
    """One line, with facts as its keys."""
    LOGGER.log(level, event, extra={"facts": facts}, exc_info=error)
