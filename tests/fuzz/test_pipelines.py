"""A short run of the fuzzer of pipelines; `python -m tests.fuzz.pipelines --count 10000` is the long one."""

from __future__ import annotations

import pytest

from tests.fuzz.common import fuzz, tried
from tests.fuzz.pipelines import check


@pytest.mark.parametrize("seed", range(3))
def test_odd_pipelines_are_accepted_rightly_or_refused_with_a_message(seed):
    assert fuzz(check, 60, seed) == []


def test_the_fuzzer_notices_a_traceback_and_a_wrong_acceptance():
    def broken():
        raise KeyError("x")

    assert "KeyError" in tried(broken)
    assert tried(lambda: "accepted 3") == "accepted 3"
