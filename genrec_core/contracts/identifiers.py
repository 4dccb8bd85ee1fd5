"""Identifiers: the immutable map from items to the token tuples that name them.

Tokens are strings: `<a_12>` for a code, `woody` for a term, `deep` `red` `tent` for words. An identifiers
object also carries which tokens a language model must learn as new ones, how tokens are written in a
row, and the fitted arrays with which its tokenizer names items it has never seen.

    >>> ids = Identifiers.of([("<a_1>", "<b_0>"), ("<a_1>", "<b_2>")], new_tokens=("<a_1>", "<b_0>", "<b_2>"))
    >>> ids.text(1), ids.items_of(("<a_1>", "<b_2>")).tolist()
    ('<a_1><b_2>', [1])
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.contracts.errors import ContractError, GenrecError, examples

Tokens = tuple[str, ...]


@dataclass(frozen=True)
class Identifiers:
    """Identifiers of N items.

    Attributes:
        vocabulary: every distinct token string in use.
        codes: int32 [total], indices into `vocabulary`, items after one another.
        offsets: int64 [N + 1], where each item's tokens begin in `codes`.
        new_tokens: tokens the language model must learn as single new ones (all possible codes, not only
            those in use, so that new items need no new vocabulary).
        separator: text between two tokens of one identifier.
        state: fitted arrays (codebooks, means, …) with which `Tokenizer.extend` encodes unseen items. None of
            them has a row an item: what an item is called, its tokens say.
        settings: JSON values that belong to the state.
        version: how often training has replaced the identifiers.
        merged: how many items were given another's tokens because a text tokenizer reads both alike.
        users: user id → the tokens that name the user, written by the segment `UserRef`; empty for
            identifiers that name items alone.
    """

    vocabulary: Tokens
    codes: NDArray[np.int32]
    offsets: NDArray[np.int64]
    new_tokens: Tokens = ()
    separator: str = ""
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict, repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    merged: int = 0
    users: Mapping[str, Tokens] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        tokens: Iterable[Sequence[str]],
        *,
        new_tokens: Iterable[str] = (),
        separator: str = "",
        state: Mapping[str, NDArray[Any]] | None = None,
        settings: Mapping[str, Any] | None = None,
        users: Mapping[str, Sequence[str]] | None = None,
    ) -> Identifiers:
        """Build from one token tuple per item, in catalogue order.

        Raises:
            ContractError: an identifier or one of its tokens is empty.
        """
        rows = [tuple(row) for row in tokens]
        empty = [index for index, row in enumerate(rows) if not row or not all(row)]
        if empty:
            raise ContractError(
                f"{len(empty):,} items got an empty identifier or an empty token (items {examples(empty)})",
                hint="an identifier needs at least one token and every token at least one character",
            )
        named = {user: tuple(row) for user, row in (users or {}).items()}
        nameless = [user for user, row in named.items() if not row or not all(row)]
        if nameless:
            raise ContractError(
                f"{len(nameless):,} users got an empty identifier or an empty token (users "
                f"{examples(nameless)})",
                hint="leave a user without an identifier out of `users`",
            )
        vocabulary: dict[str, int] = {}
        codes = [vocabulary.setdefault(token, len(vocabulary)) for row in rows for token in row]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        return cls(
            vocabulary=tuple(vocabulary),
            codes=np.asarray(codes, dtype=np.int32),
            offsets=offsets,
            new_tokens=tuple(dict.fromkeys(new_tokens)),
            separator=separator,
            state=state or {},
            settings=settings or {},
            users=named,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def tokens(self, item: int) -> Tokens:
        """The identifier of one item."""
        vocabulary, codes = self.vocabulary, self.codes[self.offsets[item] : self.offsets[item + 1]]
        return tuple([vocabulary[code] for code in codes.tolist()])

    def text(self, item: int) -> str:
        """The identifier of one item as a model reads and writes it."""
        return self.separator.join(self.tokens(item))

    def user_text(self, user: str) -> str:
        """The identifier of one user as a model reads it.

        Raises:
            GenrecError: these identifiers do not name the user.
        """
        if user not in self.users:
            raise GenrecError(
                f"user `{user}` has no identifier: the identifiers name {len(self.users):,} users",
                hint="use a tokenizer that names users too, or a corpus that does not write them",
            )
        return self.separator.join(self.users[user])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each identifier, int64 [N]."""
        return np.diff(self.offsets)

    def learnt(self, part: str) -> dict[str, NDArray[Any]]:
        """The arrays of `state` whose names begin with `part.`, without that beginning."""
        prefix = f"{part}."
        return {name.removeprefix(prefix): a for name, a in self.state.items() if name.startswith(prefix)}

    def arranged(self, order: Sequence[int] | NDArray[np.int64]) -> Identifiers:
        """The identifiers of the same items in another order: item i there is item `order[i]` here."""
        order = np.asarray(order, dtype=np.int64)
        lengths = self.lengths[order]
        offsets = np.zeros(len(order) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        places = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][order] - offsets[:-1], lengths)
        return replace(self, codes=self.codes[places], offsets=offsets)

    @cached_property
    def _buckets(self) -> dict[Tokens, list[int]]:
        buckets: dict[Tokens, list[int]] = {}
        for item in range(len(self)):
            buckets.setdefault(self.tokens(item), []).append(item)
        return buckets

    @cached_property
    def _texts(self) -> dict[str, Tokens]:
        texts: dict[str, Tokens] = {}
        alike = [
            (text, tokens)
            for tokens in self._buckets
            if texts.setdefault(text := self.separator.join(tokens), tokens) != tokens
        ]
        if alike:
            pairs = (f"{text}: {texts[text]} and {tokens}" for text, tokens in alike)
            raise ContractError(
                f"{len(alike):,} identifiers are written like another one: {examples(pairs)}",
                hint="give the identifiers a `separator` that none of their tokens holds; a pipeline merges "
                "such items when the identifiers meet the model's vocabulary",
            )
        return texts

    def items_of(self, tokens: Sequence[str]) -> NDArray[np.int32]:
        """Items that carry exactly this identifier, in catalogue order; empty if none does."""
        return np.asarray(self._buckets.get(tuple(tokens), ()), dtype=np.int32)

    def parse(self, text: str) -> Tokens | None:
        """The identifier that a text spells, or None if no item has it.

        Raises:
            ContractError: two different identifiers are written alike, so a text cannot say which is meant.
        """
        return self._texts.get(text)

    def distinct(self) -> tuple[Tokens, ...]:
        """Every identifier in use once, in order of the first item that has it."""
        return tuple(self._buckets)

    @cached_property
    def digest(self) -> str:
        """Hash of all that can change a prompt or a trie; two equal digests are the same identifiers."""
        head = orjson.dumps([self.vocabulary, self.new_tokens, self.separator, self.version])
        body = hashlib.sha256(head)
        body.update(self.codes.tobytes())
        body.update(self.offsets.tobytes())
        if self.users:
            body.update(orjson.dumps(self.users))
        return body.hexdigest()
