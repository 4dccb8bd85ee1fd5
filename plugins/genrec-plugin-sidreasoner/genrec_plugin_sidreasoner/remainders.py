"""A made-up world in which a thought must pay: `sidreasoner/remainders`, and the teacher of its steps.

An item is a digit and a colour. A user buys n items at random, and then the item whose digit is the remainder
of the sum of all n digits, in the colour of the last one:

    3 red, 4 blue, 4 red, 2 blue  →  3 + 4 + 4 + 2 = 13, so 3 blue    (of five digits)

The sum changes with every single digit, so nothing short of all of them says anything about the target: a
model that answers at once must add n numbers in the few layers it has, and one that writes running sums adds
two numbers at a time. The right answer is certain, so an oracle's recall is 1, and a model that knows the
colours but not the sums gets one in as many as there are digits.

`sidreasoner/remainder-steps` is asked for customers' monologues like any teacher and answers with the items,
each with the sum so far: `3 red 3; 4 blue 2; 4 red 1; 2 blue 3`. The thought holds all that the answer needs:
of sums alone the answer's colour would have to be fetched from behind the whole thought, and of all that a
small model has to learn, that was what it learnt last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from genrec_core import Chat, Context, Dataset, Items, Sequences, Source, StageError, Teacher
from genrec_core.contracts.dataset import EvaluationRows
from genrec_plugin_sidreasoner.questions import MONOLOGUE, asked_about

COLOURS = ("red", "blue", "green", "white", "black", "brown", "pink", "grey")


class Remainders(Source):
    """Histories whose next item follows from the remainder of a sum."""

    version = "1"

    class Options(Source.Options):
        """How large the world is."""

        seed: int = Field(0, ge=0)
        """Seed of the data; not the pipeline's."""
        digits: int = Field(5, ge=2, le=10)
        """Different digits; sums are taken modulo this number."""
        colours: int = Field(3, ge=1, le=len(COLOURS))
        """Different colours."""
        length: int = Field(5, ge=2, le=50)
        """Items of a history, all of which are summed."""
        users: int = Field(8000, ge=1)
        """Users to learn from, with one history and one target each."""
        rows: int = Field(500, ge=1)
        """Validation rows, and as many test rows, of users who are not among those."""

        @model_validator(mode="after")
        def _enough_histories(self) -> Remainders.Options:
            if (self.digits * self.colours) ** self.length < 4 * (self.users + 2 * self.rows):
                raise ValueError("there are too few different histories for so many users: raise `length`")
            return self

    options: Options

    def load(self, context: Context) -> Dataset:
        """The world; no two users have the same history."""
        options = self.options
        count = options.users + 2 * options.rows
        generator = np.random.default_rng(options.seed)
        histories = np.zeros((0, options.length), dtype=np.int64)
        while len(histories) < count:
            size = (2 * count, options.length)
            drawn = generator.integers(options.digits * options.colours, size=size)
            histories = np.unique(np.concatenate([histories, drawn]), axis=0)
        histories = histories[generator.permutation(len(histories))[:count]]
        digits, colours = np.divmod(histories, options.colours)
        targets = digits.sum(axis=1) % options.digits * options.colours + colours[:, -1]
        taught = np.column_stack([histories, targets])[: options.users]
        return Dataset(
            items=_items(options.digits, options.colours),
            users=tuple(f"u{user}" for user in range(options.users)),
            sequences=Sequences.of([row.astype(np.int32) for row in taught]),
            valid=_rows(
                "v", histories[options.users : -options.rows], targets[options.users : -options.rows]
            ),
            test=_rows("t", histories[-options.rows :], targets[-options.rows :]),
        )


def _items(digits: int, colours: int) -> Items:
    pairs = [(digit, COLOURS[colour]) for digit in range(digits) for colour in range(colours)]
    fields = {
        "title": [f"{digit} {colour}" for digit, colour in pairs],
        "sid": [[f"<a_{digit}>", f"<b_{COLOURS.index(colour)}>"] for digit, colour in pairs],
    }
    return Items(tuple(f"{digit}-{colour}" for digit, colour in pairs), fields)


def _rows(prefix: str, histories: NDArray[np.int64], targets: NDArray[np.int64]) -> EvaluationRows:
    return EvaluationRows(
        users=tuple(f"{prefix}{row}" for row in range(len(histories))),
        histories=Sequences.of([row.astype(np.int32) for row in histories]),
        targets=targets.astype(np.int32),
    )


class RemainderSteps(Teacher):
    """Items with running sums of their digits: the intermediate results that the world's rule needs."""

    version = "2"
    seeded = False

    class Options(Teacher.Options):
        """What the world is like."""

        digits: int = Field(5, ge=2, le=10)
        """As in `sidreasoner/remainders`."""

    options: Options

    def complete(self, chats: Sequence[Chat], context: Context) -> list[str]:
        """One line of sums a chat.

        Raises:
            StageError: a chat is no question for a monologue about this world's items.
        """
        return [self._steps(chat) for chat in chats]

    def _steps(self, chat: Chat) -> str:
        asked = asked_about(chat)
        lines = asked[1].splitlines() if asked is not None and asked[0] == MONOLOGUE else []
        found = [re.fullmatch(r"\d+\. (\d) (\w+)", line) for line in lines]
        bought = [(int(one[1]), one[2]) for one in found if one is not None]
        if not bought or len(bought) < len(lines):
            raise StageError(
                f"teacher `{self.name}` answers only about histories of `sidreasoner/remainders`",
                hint="use another teacher for other data, such as sidreasoner/templates",
            )
        sums = np.cumsum([digit for digit, _ in bought]) % self.options.digits
        steps = zip(bought, sums.tolist(), strict=True)
        return "; ".join(f"{digit} {colour} {total}" for (digit, colour), total in steps)
