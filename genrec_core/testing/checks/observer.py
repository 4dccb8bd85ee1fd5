"""What an observer promises: it takes every event of a run."""

from __future__ import annotations

from genrec_core.testing.subject import Subject


def takes_every_event(subject: Subject) -> None:
    """A whole run's events, a failed stage among them, are received without an exception."""
    observer = subject.component()
    observer.run_started("toy/1", {"stages": [{"name": "data", "action": "run"}]})
    observer.logged("data", "read", {"items": 24, "seconds": 0.1, "note": "text"})
    observer.stage_finished("data", "run", 0.2)
    observer.stage_finished("tokenize", "reused", 0.0)
    observer.stage_finished("model", "failed", 0.1)
    observer.run_finished("toy/1", {"test": {"recall@10": 0.5}, "protocol": {"hash": "abc"}})


CHECKS = (takes_every_event,)
