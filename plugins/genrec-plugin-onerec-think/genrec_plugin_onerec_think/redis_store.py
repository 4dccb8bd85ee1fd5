"""The think-ahead store on a Redis server, for several machines; needs `genrec-plugin-onerec-think[redis]`.

One hash holds all entries, so that they can be counted and listed without a look at anything else:

    HGET genrec:think-ahead USER  →  the entry as JSON

A password need not stand in an address, which pipelines and logs repeat: the environment variable
GENREC_REDIS_PASSWORD is used where an address has none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from genrec_core import GenrecError
from genrec_plugin_onerec_think.store import ThinkAheadEntry, ThinkAheadStore

KEY = "genrec:think-ahead"
PASSWORD = "GENREC_REDIS_PASSWORD"
SECONDS = 5.0
"""How long a server may take to answer."""


class RedisStore(ThinkAheadStore):
    """Entries in one hash of a Redis server.

    Args:
        address: `redis://[[USER]:PASSWORD@]HOST:PORT/DB`, `rediss://` with TLS, or `unix://`.

    Raises:
        GenrecError: the client is not installed, or the server does not answer.
    """

    def __init__(self, address: str) -> None:
        try:
            import redis
        except ImportError as error:
            raise GenrecError(
                "a think-ahead store on Redis needs the package `redis`, which is not installed",
                hint="pip install 'genrec-plugin-onerec-think[redis]'",
            ) from error
        # A password may stand before the @; what stands behind it is enough to tell servers apart.
        self._shown = address.rpartition("@")[2].removeprefix("redis://")
        self._failures = (redis.RedisError, OSError)
        self._client: Any = self._asked(
            lambda: redis.Redis.from_url(
                address,
                password=os.environ.get(PASSWORD) or None,
                socket_timeout=SECONDS,
                socket_connect_timeout=SECONDS,
                decode_responses=True,
            )
        )
        self._asked(self._client_ping)

    def _client_ping(self) -> None:
        self._client.ping()

    def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except (*self._failures, ValueError) as error:
            raise GenrecError(
                f"the Redis server `{self._shown}` cannot be used: {error}",
                hint="look whether it runs, and whether address and password are right",
            ) from error

    def get(self, users: Sequence[str]) -> list[ThinkAheadEntry | None]:
        """The entry of each user."""
        found = self._asked(lambda: self._client.hmget(KEY, list(users))) if users else []
        return [
            None if text is None else ThinkAheadEntry.from_json(text, f"{self._shown}, user {user}")
            for user, text in zip(users, found, strict=True)
        ]

    def put(self, entries: Iterable[ThinkAheadEntry]) -> None:
        """Keep entries by one command."""
        values = {entry.user: entry.to_json().decode() for entry in entries}
        if values:
            self._asked(lambda: self._client.hset(KEY, mapping=values))

    def remove(self, users: Sequence[str]) -> None:
        """Forget users."""
        if users:
            self._asked(lambda: self._client.hdel(KEY, *users))

    def users(self) -> Iterator[str]:
        """Every user."""
        return iter(
            self._asked(lambda: list(dict.fromkeys(user for user, _ in self._client.hscan_iter(KEY))))
        )

    def __len__(self) -> int:
        return int(self._asked(lambda: self._client.hlen(KEY)))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
