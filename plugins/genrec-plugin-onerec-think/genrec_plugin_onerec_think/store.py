"""The think-ahead store: what was thought of each user before the user came (OneRec-Think §4.4).

Thinking is slow and finishing is quick. `genrec think-ahead RUN` thinks for every user and puts the thought
and the first tokens of the items it led to into a store; whoever recommends later gets them by user:

    with open_store("ahead.sqlite") as store:              # or redis://localhost:6379/0
        store.put([ThinkAheadEntry("u1", (("<a_3>", "<b_1>"),), "tents, so ropes", made=time.time())])
        (entry,) = store.get(["u1"])

A store answers with what it was given. Whether an entry may still be used is asked of the entry itself
(`staleness`): how old it is, and how much the user has done since. Values
are JSON. SQLite needs no server, and one process may fill it while others read; Redis serves many machines.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import orjson

from genrec_core import GenrecError
from genrec_core.contracts.identifiers import Tokens

REDIS = ("redis://", "rediss://", "unix://")
"""How an address of a Redis server begins; every other one is a file of SQLite."""


@dataclass(frozen=True)
class ThinkAheadEntry:
    """What was prepared for one user.

    Attributes:
        user: user id.
        prefixes: the first tokens of identifiers, distinct, best first.
        thought: the text that led to them.
        items: for each prefix, the id of the best item that has it: who finishes sees by it whether the
            tokens still mean the same. Empty where it is not known.
        scores: log-probability of each prefix under the model that thought; empty where it is not known.
        history: ids of the items that the model saw, oldest first.
        maker: the fingerprint of what made the entry; filling a store again skips entries of the same maker.
        made: when, in seconds since 1970.
    """

    user: str
    prefixes: tuple[Tokens, ...]
    thought: str = ""
    items: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    history: tuple[str, ...] = ()
    maker: str = ""
    made: float = 0.0

    def staleness(
        self, *, now: float, history: Sequence[str], most_age: float | None, most_new: int | None
    ) -> str:
        """Why the entry must not be used, "" if it may.

        Args:
            now: seconds since 1970.
            history: ids of the user's newest items, oldest first.
            most_age: seconds after which an entry is too old; None for never.
            most_new: items that may have been added since; None for any number.
        """
        if most_age is not None and now - self.made > most_age:
            return "age"
        if most_new is not None and added(self.history, history) > most_new:
            return "history"
        return ""

    def to_json(self) -> bytes:
        """The entry as JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: bytes | str, where: str = "") -> ThinkAheadEntry:
        """What `to_json` wrote.

        Raises:
            GenrecError: the text is something else.
        """
        try:
            values: dict[str, Any] = orjson.loads(text)
            prefixes = tuple(tuple(map(str, tokens)) for tokens in values.pop("prefixes"))
            scores = tuple(map(float, values.pop("scores")))
            items, history = (tuple(map(str, values.pop(name))) for name in ("items", "history"))
            return cls(prefixes=prefixes, items=items, scores=scores, history=history, **values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise GenrecError(
                f"this is no entry of a think-ahead store: {error}",
                where=where,
                hint="name a store that `genrec think-ahead` has filled",
            ) from error


class ThinkAheadStore(ABC):
    """Entries by user. A context manager; any thread may ask."""

    @abstractmethod
    def get(self, users: Sequence[str]) -> list[ThinkAheadEntry | None]:
        """The entry of each user, in order; None where there is none."""

    @abstractmethod
    def put(self, entries: Iterable[ThinkAheadEntry]) -> None:
        """Keep entries, in place of older ones of the same users; all of them are safe on return."""

    @abstractmethod
    def remove(self, users: Sequence[str]) -> None:
        """Forget users; who is not there is passed over."""

    @abstractmethod
    def users(self) -> Iterator[str]:
        """Every user that has an entry, in no particular order."""

    @abstractmethod
    def __len__(self) -> int:
        """How many users have an entry."""

    @abstractmethod
    def close(self) -> None:
        """Let go of file or connection; closing twice does nothing more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(address: str, *, create: bool = True) -> ThinkAheadStore:
    """The store at an address: `redis://HOST:PORT/DB`, or the path of a SQLite file.

    Args:
        address: where it is.
        create: whether a file that is not there is made.

    Raises:
        GenrecError: there is no such file, it is something else, or the server does not answer.
    """
    if address.startswith(REDIS):
        from genrec_plugin_onerec_think.redis_store import RedisStore

        return RedisStore(address)
    from genrec_plugin_onerec_think.sqlite_store import SQLiteStore

    return SQLiteStore(address, create=create)


def added(before: Sequence[str], now: Sequence[str]) -> int:
    """How many items a history has got since.

    The newest ones are looked at, because histories are cut at their old end. Where nothing of the old
    history is left at the right place, all of it counts as new.

    >>> added(("a", "b"), ("a", "b", "c")), added(("a", "b"), ("b", "c", "d")), added(("a",), ("x", "y"))
    (1, 2, 2)
    """
    old, new = list(before), list(now)
    for count in range(len(new)):
        shared = min(len(new) - count, len(old))
        if shared and new[: len(new) - count][-shared:] == old[-shared:]:
            return count
    return len(new)
