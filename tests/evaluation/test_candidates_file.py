"""The candidates file."""

from __future__ import annotations

import gzip
import hashlib

import pytest

from genrec_core.contracts.candidates import Candidate, Candidates
from genrec_core.contracts.errors import ContractError, DataError
from genrec_core.evaluation.candidates_file import read_candidates, write_candidates

ANSWERS = [
    Candidates((Candidate(("<a_1>", "<b_2>"), -0.1), Candidate((), -2.5, "no identifier"))),
    Candidates((), {"think": 12}, "a thought in two\nlines"),
]


def test_candidates_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "candidates.jsonl.gz"
    assert write_candidates(path, iter(ANSWERS)) == 2
    assert list(read_candidates(path)) == ANSWERS


def test_equal_candidates_make_equal_bytes(tmp_path):
    digests = set()
    for name in ("one.gz", "two.gz"):
        write_candidates(tmp_path / name, ANSWERS)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_reading_is_a_stream(tmp_path):
    def endless():
        for _ in range(3):
            yield ANSWERS[0]

    write_candidates(tmp_path / "c.gz", endless())
    assert next(read_candidates(tmp_path / "c.gz")) == ANSWERS[0]


def test_a_truncated_file_is_refused_with_its_place(tmp_path):
    path = tmp_path / "c.gz"
    write_candidates(path, ANSWERS * 2000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"c\.gz:\d+: candidates cannot be read") as caught:
        list(read_candidates(path))
    assert "run the `recommend` stage again" in str(caught.value)


def test_a_file_of_something_else_is_refused_with_its_line(tmp_path):
    path = tmp_path / "c.gz"
    path.write_bytes(gzip.compress(b'{"beams":[]}\n{"items":[]}\n'))
    with pytest.raises(DataError, match=r"c\.gz:2"):
        list(read_candidates(path))


def test_a_score_that_is_no_finite_number_is_refused(tmp_path):
    bad = Candidates((Candidate(("a",), float("-inf")),))
    with pytest.raises(ContractError, match="request 1 has the score `-inf`"):
        write_candidates(tmp_path / "c.gz", [ANSWERS[0], bad])
