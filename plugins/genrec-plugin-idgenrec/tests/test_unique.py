"""Algorithm 1 with a stub in the generator's place: what it asks, who gets what, and how it ends."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_idgenrec.unique import Attempt, GeneratedText, attempt_at, name_uniquely
from hypothesis import given
from hypothesis import strategies as st

from genrec_core import GenrecError


class Stub:
    """Writes what a function of item and attempt says, and remembers what it was asked."""

    def __init__(self, texts):
        self.texts, self.calls = texts, []

    def __call__(self, items, number):
        self.calls.append((tuple(items), number))
        return [[GeneratedText(text, text) for text in self.texts(item, number)] for item in items]


def test_penalties_rise_by_tenths_and_then_the_window_moves_on():
    # IDGenRec check 1: duplicates for ten calls, then something new.
    stub = Stub(lambda item, number: ["red"] if item == 0 or number < 10 else ["red tent"])
    named = name_uniquely(2, stub)
    assert named.texts == ("red", "red tent")
    asked = [attempt_at(number) for items, number in stub.calls if items == (1,)]
    assert stub.calls[0] == ((0, 1), 0)
    assert asked == [Attempt(tenths, 1, 10) for tenths in range(2, 11)] + [Attempt(1, 10, 20)]
    assert named.attempts == (0, 10)
    assert (named.share_beyond(0), named.share_beyond(9)) == (0.5, 0.5)


def test_one_item_at_a_time_makes_the_paper_s_calls_in_order():
    stub = Stub(lambda item, number: ["red"] if number < 10 else ["red tent"])
    name_uniquely(2, stub, at_once=1)
    second = [attempt_at(number) for items, number in stub.calls[1:]]
    assert second == [Attempt(tenths, 1, 10) for tenths in range(1, 11)] + [Attempt(1, 10, 20)]


def test_the_first_text_of_an_attempt_that_nobody_has_wins():
    named = name_uniquely(3, Stub(lambda item, number: ["a", "b", "c"]))
    assert named.texts == ("a", "b", "c")
    assert named.attempts == (0, 0, 0)


def test_empty_texts_and_taken_ones_are_passed_over():
    named = name_uniquely(1, Stub(lambda item, number: ["", "old", "new"]), taken=["old"])
    assert named.texts == ("new",)


def test_the_pseudo_code_to_the_letter_goes_on_where_the_item_before_it_stopped():
    stub = Stub(lambda item, number: ["same"] if number < 3 else [f"own {item}"])
    literal = name_uniquely(4, stub, reset="never")
    fresh = name_uniquely(4, stub, reset="item")
    assert literal.attempts == (0, 3, 3, 3)
    assert fresh.attempts == (0, 3, 3, 3)
    slow = Stub(lambda item, number: [f"{number}"] if item != 2 else ["0"] if number < 2 else ["x"])
    assert name_uniquely(4, slow, reset="never").attempts == (0, 1, 2, 2)
    assert name_uniquely(4, slow, reset="item").attempts == (0, 1, 2, 2)
    other = Stub(lambda item, number: [f"{item} {number}"] if item != 1 or number else ["0 0"])
    assert name_uniquely(3, other, reset="never").attempts == (0, 1, 1)
    assert name_uniquely(3, other, reset="item").attempts == (0, 1, 0)


def test_an_item_that_never_gets_its_own_text_is_a_loud_end():
    with pytest.raises(GenrecError, match=r"item number 1 got no identifier of its own in 20 attempts.*`a`"):
        name_uniquely(2, Stub(lambda item, number: ["a"]), attempts=20)
    with pytest.raises(GenrecError, match=r"item number 0 .*wrote ``"):
        name_uniquely(1, Stub(lambda item, number: [""]))


@given(
    seed=st.integers(0, 10_000),
    items=st.integers(1, 30),
    at_once=st.sampled_from([None, 2, 7]),
    reset=st.sampled_from(["item", "never"]),
)
def test_many_items_at_once_get_what_one_at_a_time_gives(seed, items, at_once, reset):
    draws = np.random.default_rng(seed).integers(0, 12, (items, 60, 3))
    write = Stub(lambda item, number: [f"{word}{'+' * (number // 10)}" for word in draws[item, number]])
    alone = name_uniquely(items, write, attempts=60, at_once=1, reset=reset)
    together = name_uniquely(items, write, attempts=60, at_once=at_once, reset=reset)
    assert (together.texts, together.attempts) == (alone.texts, alone.attempts)
    assert len(set(alone.texts)) == items
