"""The think-ahead store in a file, by SQLite; the default.

One process fills it while others read: the file is in write-ahead mode, so readers never wait. One table:

    entries   user TEXT PRIMARY KEY, entry TEXT (JSON)
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from genrec_core import GenrecError
from genrec_core.contracts.options import expanded
from genrec_plugin_onerec_think.store import ThinkAheadEntry, ThinkAheadStore

APPLICATION = 0x6E7A7468
"""SQLite's application id of our files, so that no other program's file is taken for one."""
FORMAT = 1
AT_ONCE = 500
"""Users asked for in one statement; SQLite allows no more than 999 values in old versions."""


class SQLiteStore(ThinkAheadStore):
    """Entries in one file.

    Args:
        path: the file.
        create: whether it is made when it is not there.

    Raises:
        GenrecError: it is not there, cannot be opened, or is no think-ahead store.
    """

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self._path, self._lock = expanded(path), threading.Lock()
        if not create and not self._path.is_file():
            raise GenrecError(
                f"there is no think-ahead store `{self._path}`",
                hint=f"fill it: genrec think-ahead RUN --store {self._path}",
            )
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            self._begin()
        except (sqlite3.Error, OSError) as error:
            raise GenrecError(
                f"`{self._path}` cannot be used as a think-ahead store: {error}",
                hint="name a file of `genrec think-ahead`, or one that is not there yet",
            ) from error

    def _begin(self) -> None:
        """Look whose file it is, and make the table in an empty one."""
        found = self._connection.execute("PRAGMA application_id").fetchone()[0]
        empty = not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if found != APPLICATION and not empty:
            self._connection.close()
            raise GenrecError(
                f"`{self._path}` is a database of another program",
                hint="name a file of `genrec think-ahead`, or one that is not there yet",
            )
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if not empty and version != FORMAT:
            self._connection.close()
            raise GenrecError(
                f"`{self._path}` has format `{version}`, and this version reads `{FORMAT}`",
                hint="fill a new store",
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        if empty:
            with self._connection:
                self._connection.execute(f"PRAGMA application_id = {APPLICATION}")
                self._connection.execute(f"PRAGMA user_version = {FORMAT}")
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS entries (user TEXT PRIMARY KEY, entry TEXT NOT NULL)"
                )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise GenrecError(
                f"`{self._path}` cannot be read: {error}", hint="look at the disk, or fill a new store"
            ) from error

    def get(self, users: Sequence[str]) -> list[ThinkAheadEntry | None]:
        """The entry of each user."""
        found: dict[str, str] = {}
        with self._lock, self._reading():
            for start in range(0, len(users), AT_ONCE):
                some = tuple(users[start : start + AT_ONCE])
                marks = ",".join("?" * len(some))
                rows = self._connection.execute(
                    f"SELECT user, entry FROM entries WHERE user IN ({marks})", some
                )
                found.update(rows.fetchall())
        return [
            ThinkAheadEntry.from_json(found[user], f"{self._path}, user {user}") if user in found else None
            for user in users
        ]

    def put(self, entries: Iterable[ThinkAheadEntry]) -> None:
        """Keep entries in one transaction."""
        rows = [(entry.user, entry.to_json().decode()) for entry in entries]
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", rows)

    def remove(self, users: Sequence[str]) -> None:
        """Forget users."""
        with self._lock, self._connection:
            self._connection.executemany("DELETE FROM entries WHERE user = ?", [(user,) for user in users])

    def users(self) -> Iterator[str]:
        """Every user."""
        with self._lock:
            rows = self._connection.execute("SELECT user FROM entries").fetchall()
        return (user for (user,) in rows)

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM entries").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
