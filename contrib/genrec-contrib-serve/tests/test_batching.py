"""The queue and its one thread, with runs that do as they are told."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest
from genrec_contrib_serve.batching import Batcher, BusyError, OverdueError, TopKRequest
from genrec_contrib_serve.metrics import Metrics

from genrec_core import GenrecError, Request
from genrec_core.api.answering import RankedAnswer
from genrec_core.contracts.candidates import Candidates, Ranked

NOTHING = Ranked.direct(np.zeros(0), np.zeros(0))
ALWAYS = math.inf


class Told:
    """Answers with the user's name; waits at a gate, refuses whom it is told to."""

    def __init__(self) -> None:
        self.gate, self.began, self.batches, self.closed = threading.Event(), threading.Event(), [], False
        self.gate.set()
        self.refused: set[str] = set()

    def answers(self, questions):
        requests = [question.request for question in questions]
        self.began.set()
        self.gate.wait(10)
        assert not self.closed
        self.batches.append([request.user for request in requests])
        bad = [request.user for request in requests if request.user in self.refused]
        if bad:
            raise GenrecError(f"not for {bad[0]}")
        return [RankedAnswer(one, NOTHING, Candidates((), thought=one.user)) for one in requests]

    def close(self):
        self.closed = True


@pytest.fixture
def batcher():
    one = Batcher(max_batch=4, max_queue=6, metrics=Metrics())
    yield one
    one.stop()


def asked(*users: str) -> list[TopKRequest]:
    return [TopKRequest(Request(user, ()), 10) for user in users]


def held(batcher, run):
    """Let the thread stand inside a batch."""
    run.gate.clear()
    run.began.clear()
    (first,) = batcher.submit(run, asked("first"), ALWAYS)
    assert run.began.wait(10)
    return first


def thought(future) -> str:
    return future.result(10).answer.written.thought


def test_who_comes_alone_is_answered_alone(batcher):
    run = Told()
    assert thought(batcher.submit(run, asked("a"), ALWAYS)[0]) == "a"
    assert run.batches == [["a"]]


def test_what_comes_meanwhile_is_answered_together_in_order(batcher):
    run = Told()
    first = held(batcher, run)
    later = [batcher.submit(run, asked(user), ALWAYS)[0] for user in "abcdef"]
    run.gate.set()
    assert [thought(one) for one in (first, *later)] == ["first", *"abcdef"]
    assert run.batches == [["first"], list("abcd"), list("ef")]
    assert later[0].result().batch == 4


def test_a_full_queue_takes_all_of_a_batch_or_nothing(batcher):
    run = Told()
    held(batcher, run)
    batcher.submit(run, asked(*"abcd"), ALWAYS)
    with pytest.raises(BusyError) as busy:
        batcher.submit(run, asked(*"xyz"), ALWAYS)
    assert busy.value.retry_after >= 1
    assert batcher.waiting == 4
    batcher.submit(run, asked(*"ef"), ALWAYS)
    run.gate.set()


def test_a_request_that_fails_harms_nobody_else(batcher):
    run = Told()
    run.refused = {"b"}
    held(batcher, run)
    a, b, c = batcher.submit(run, asked(*"abc"), ALWAYS)
    run.gate.set()
    assert (thought(a), thought(c)) == ("a", "c")
    with pytest.raises(GenrecError, match="not for b"):
        b.result(10)
    assert run.batches == [["first"], ["a", "b", "c"], ["a"], ["b"], ["c"]]


def test_who_waited_too_long_or_left_is_not_answered(batcher):
    run = Told()
    held(batcher, run)
    (late,) = batcher.submit(run, asked("late"), time.monotonic() - 1)
    left, stays = batcher.submit(run, asked("left", "stays"), ALWAYS)
    assert left.cancel()
    run.gate.set()
    assert thought(stays) == "stays"
    with pytest.raises(OverdueError):
        late.result(10)
    with pytest.raises(CancelledError):
        left.result(10)
    assert run.batches == [["first"], ["stays"]]


def test_a_request_is_answered_by_the_run_it_was_asked_of_which_is_closed_after(batcher):
    old, new = Told(), Told()
    held(batcher, old)
    before = batcher.submit(old, asked("a"), ALWAYS)[0]
    batcher.retire(old)
    after = batcher.submit(new, asked("b"), ALWAYS)[0]
    assert not old.closed
    old.gate.set()
    assert (thought(before), thought(after)) == ("a", "b")
    assert (old.batches, new.batches) == ([["first"], ["a"]], [["b"]])
    thought(batcher.submit(new, asked("c"), ALWAYS)[0])
    assert (old.closed, new.closed) == (True, False)


def test_what_waits_at_the_end_is_answered_and_nothing_more_is_taken_in():
    batcher, run = Batcher(4, 6, Metrics()), Told()
    held(batcher, run)
    (waits,) = batcher.submit(run, asked("waits"), ALWAYS)
    ending = threading.Thread(target=batcher.stop)
    ending.start()
    while batcher.alive:
        time.sleep(0.001)
    with pytest.raises(BusyError):
        batcher.submit(run, asked("late"), ALWAYS)
    run.gate.set()
    ending.join(10)
    assert thought(waits) == "waits"
