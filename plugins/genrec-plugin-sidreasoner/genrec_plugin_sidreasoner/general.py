"""`sidreasoner/general`: reasoning that has nothing to do with items, so that it is not forgotten (§3.2.3).

    {use: sidreasoner/general}                          puzzles of arithmetic and logic, offline
    {use: sidreasoner/general, path: chats.jsonl}       {"messages": [{"role": …, "content": …}, …]}
    {use: sidreasoner/general, dataset: OWNER/NAME}     a set of the hub, of the same form

Of a chat the last turn is learnt, which must be the assistant's. A puzzle is answered with its steps in a
thought and its answer behind it. A share of the questions is held out by the hash of their text: training
never sees them, and a validation view gives them; `tests/benchmarks/forgetting.py` asks them of each model.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import orjson
from pydantic import Field, model_validator

from genrec_core import Catalogue, Context, Corpus, DataError, Sample, Text, View
from genrec_core.contracts.options import regular_file
from genrec_core.contracts.samples import Turn
from genrec_plugin_sidreasoner.puzzles import puzzles

Exchange = tuple[tuple[Turn, str], ...]
"""Turns with their texts; the last is the assistant's."""


class General(Corpus):
    """General reasoning data: puzzles, chats of a file, or chats of a set."""

    version = "1"
    rung = "general"
    needs = ("datasets",)

    class Options(Corpus.Options):
        """Where the data comes from, how much of it, and what is held out."""

        path: Path | None = None
        """JSON lines with `messages`; without it and without `dataset`, puzzles."""
        dataset: str = ""
        """A data set by its name on the hub, or a folder, with a column `messages`."""
        split: str = "train"
        """Which part of the data set."""
        count: int = Field(2000, ge=1)
        """Puzzles that are made, or most chats that are taken, the first ones."""
        puzzle_seed: int = Field(0, ge=0)
        """Seed of the puzzles; not the pipeline's, so that several seeds are judged by the same questions."""
        characters: int = Field(12_000, ge=1)
        """Chats with more characters are left out and counted."""
        held_out: float = Field(0.1, ge=0, lt=1)
        """Share of the questions that training does not see."""
        opening: str = "<think>\n"
        """Text that begins the thought of a puzzle."""
        closing: str = "\n</think>\n\n"
        """Text that ends it."""

        @model_validator(mode="after")
        def _one_place(self) -> General.Options:
            if self.path is not None and self.dataset:
                raise ValueError("write `path` or `dataset`, not both")
            return self

    options: Options

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """One sample an exchange; a validation view gives those that are held out."""
        for exchange in self.exchanges(context, held_out=view.targets is not None):
            yield general_sample(exchange)

    def exchanges(self, context: Context, *, held_out: bool) -> Iterator[Exchange]:
        """The exchanges that are held out, or the others, in the order of the data."""
        left_out = 0
        for exchange in self._all():
            if sum(len(text) for _, text in exchange) > self.options.characters:
                left_out += 1
            elif is_held_out(exchange, self.options.held_out) == held_out:
                yield exchange
        if left_out:
            context.log("skipped", form="messages", items=left_out)

    def _all(self) -> Iterator[Exchange]:
        options = self.options
        if options.path is not None:
            yield from _of_file(options.path, options.count)
        elif options.dataset:
            yield from _of_dataset(options.dataset, options.split, options.count)
        else:
            import numpy as np

            for puzzle in puzzles(options.count, np.random.default_rng(options.puzzle_seed)):
                written = f"{options.opening}{puzzle.steps}{options.closing}{puzzle.answer}"
                yield ("user", f"{puzzle.question}\n"), ("assistant", written)


def general_sample(exchange: Exchange) -> Sample:
    """An exchange as a sample that learns its last turn."""
    last = len(exchange) - 1
    segments = tuple(
        Text(text, learn=place == last, turn=turn) for place, (turn, text) in enumerate(exchange)
    )
    return Sample(segments, answer_form="", task="general")


def is_held_out(exchange: Exchange, share: float) -> bool:
    """Whether an exchange is held out, by what is asked alone: twice the same question is on one side."""
    asked = "\n".join(text for _, text in exchange[:-1])
    return zlib.crc32(asked.encode()) < share * 2**32


def _of_file(path: Path, count: int) -> Iterator[Exchange]:
    with regular_file(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if number > count:
                return
            where = f"{path}:{number}"
            try:
                record = orjson.loads(line)
            except ValueError as error:
                raise DataError(
                    f"this line is no JSON: {error}", where=where, hint="write one chat a line"
                ) from error
            yield exchange_of(record, where)


def _of_dataset(name: str, split: str, count: int) -> Iterator[Exchange]:
    # Checking a pipeline must not import it, and a file or puzzles do not need it.
    from datasets import load_dataset

    rows: Iterable[Any] = load_dataset(name, split=split, streaming=True)
    for number, row in enumerate(rows):
        if number >= count:
            return
        yield exchange_of(row, f"{name}[{number}]")


def exchange_of(record: Any, where: str) -> Exchange:
    """The turns of a record with `messages`.

    Raises:
        DataError: it has none, a turn is nobody's or empty, or the last one is not the assistant's.
    """
    messages = record.get("messages") if isinstance(record, dict) else None
    if not isinstance(messages, list) or len(messages) < 2:
        raise DataError(
            "there are no `messages` of two turns or more",
            where=where,
            hint='a chat is {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", …}]}',
        )
    turns: list[tuple[Turn, str]] = []
    for message in messages:
        known = message if isinstance(message, dict) else {}
        role, content = known.get("role"), known.get("content")
        if role not in get_args(Turn) or not isinstance(content, str) or not content:
            raise DataError(
                f"a message of `{role}` is no turn with a text",
                where=where,
                hint="roles are system, user and assistant, and `content` is a text",
            )
        if turns and turns[-1][0] == role:
            raise DataError(f"two turns of `{role}` stand side by side", where=where, hint="join them")
        turns.append((role, content))
    if turns[-1][0] != "assistant":
        raise DataError(
            "the last turn is not the assistant's", where=where, hint="leave out what has no answer"
        )
    return tuple(turns)
