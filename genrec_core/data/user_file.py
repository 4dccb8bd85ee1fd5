"""The user file: `users.jsonl[.gz]`, attributes of users (age, occupation …) for tasks that speak of them."""

from __future__ import annotations

from pathlib import Path

from genrec_core.data.lines import records
from genrec_core.data.problems import Problems
from genrec_core.data.values import StrictValues, UnusableValueError


def read_users(path: Path, problems: Problems) -> dict[str, dict[str, object]]:
    """User id → every other field of that line."""
    attributes: dict[str, dict[str, object]] = {}
    for line, record in records(path, problems):
        try:
            user = StrictValues().identity(record.pop("user_id", None), "user_id")
        except UnusableValueError as error:
            problems.add(error.what, None, path, line, error.hint)
            continue
        if user in attributes:
            problems.add("user id occurs twice", user, path, line, "keep one line a user")
        attributes[user] = record
    return attributes
