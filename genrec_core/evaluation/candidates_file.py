"""The candidates file: what a recommender wrote for each request, one JSON line each, gzipped.

Written and read as a stream: neither side ever holds more than one line. The bytes depend on the
candidates alone (no time stamp in the gzip header), so equal answers make equal artefacts. Empty fields
are left out:

    {"beams":[[["<a_1>","<b_2>"],-0.7],[["<a_1>"],-1.9,"<a_1> and then some"]],"phases":{"think":12}}
    {"beams":[[[],-0.3,"Red tent",[7,12]]]}    an answer that is a title of the items 7 and 12
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.errors import ContractError, DataError


def write_candidates(path: Path, candidates: Iterable[Candidates]) -> int:
    """Write a stream of candidates; gives back how many there were.

    Raises:
        ContractError: a score is not a finite number.
    """
    count = 0
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 3, raw, mtime=0) as file:
        for answer in candidates:
            file.write(orjson.dumps(_record(answer, count)) + b"\n")
            count += 1
    return count


def read_candidates(path: Path) -> Iterator[Candidates]:
    """The candidates of a file, in order.

    Raises:
        DataError: the file is cut off or holds something else, with the line.
    """
    line = 0
    try:
        with gzip.open(path, "rb") as file:
            for text in file:
                line += 1
                yield _answer(orjson.loads(text))
    except (EOFError, OSError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"candidates cannot be read: {error}",
            where=f"{path}:{max(line, 1)}",
            hint="the file is damaged or of another kind; run the `recommend` stage again",
        ) from error


def _record(answer: Candidates, row: int) -> dict[str, Any]:
    beams: list[list[Any]] = []
    for beam in answer.beams:
        if not math.isfinite(beam.score):
            raise ContractError(
                f"candidate {len(beams)} of request {row:,} has the score `{beam.score}`",
                hint="a recommender gives finite scores and leaves out what it could not score",
            )
        entry: list[Any] = [beam.tokens, beam.score]
        if beam.text or beam.items:
            entry.append(beam.text)
        if beam.items:
            entry.append(beam.items)
        beams.append(entry)
    record: dict[str, Any] = {"beams": beams}
    if answer.phases:
        record["phases"] = answer.phases
    if answer.thought:
        record["thought"] = answer.thought
    return record


def _answer(record: dict[str, Any]) -> Candidates:
    beams = tuple(_candidate(*beam) for beam in record["beams"])
    return Candidates(beams, record.get("phases", {}), record.get("thought", ""))


def _candidate(tokens: list[str], score: float, text: str = "", items: Sequence[int] = ()) -> Candidate:
    return Candidate(tuple(tokens), float(score), text, tuple(items))
