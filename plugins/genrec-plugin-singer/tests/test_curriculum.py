"""The SID-prefix curriculum: boundaries of the schedule, and which groups are asked again."""

import pytest
from genrec_plugin_singer.curriculum import PrefixCurriculum, guided_tokens
from hypothesis import given
from hypothesis import strategies as st

from genrec_core import Group, ItemRef, Rollout, Sample

TARGET = ("<a_1>", "<b_2>", "<c_3>")


def group(*answers, step=10, total=100, target=TARGET, answers_form="identifier"):
    rollouts = tuple(Rollout(tokens, "".join(tokens), -1.0) for tokens in answers)
    sample = Sample((ItemRef(0, learn=True),), target=0, answer_form=answers_form)
    return Group(sample, target, rollouts, step, total)


def many(sample, supply):
    """A catalogue with a thousand identifiers behind every prefix."""
    return 1000


MISS = ("<a_1>", "<b_9>", "<c_9>")


@pytest.mark.parametrize(
    ("length", "prefix_length", "steps"),
    [
        (3, 2, range(1, 34)),
        (3, 1, range(34, 67)),
        (3, 0, range(67, 101)),
        (4, 3, range(1, 26)),
        (4, 2, range(26, 51)),
        (4, 1, range(51, 76)),
        (4, 0, range(76, 101)),
    ],
)
def test_the_guide_shortens_at_the_steps_worked_out_by_hand(length, prefix_length, steps):
    """Sheet §4.6, check 1."""
    assert {guided_tokens(step, 100, length) for step in steps} == {prefix_length}
    assert {guided_tokens(step, 100, length, allow_full=True) for step in steps} == {prefix_length}


def test_at_the_first_step_one_token_is_kept_back_unless_all_may_be_told():
    assert guided_tokens(0, 100, 3) == 2
    assert guided_tokens(0, 100, 3, allow_full=True) == 3


@given(total=st.integers(1, 500), length=st.integers(1, 6), data=st.data())
def test_the_guide_never_grows_and_always_leaves_something_to_write(total, length, data):
    step = data.draw(st.integers(0, total))
    prefix_length = guided_tokens(step, total, length)
    assert 0 <= prefix_length < length
    assert guided_tokens(min(step + 1, total), total, length) <= prefix_length
    assert guided_tokens(total, total, length, allow_full=True) == 0


def test_only_groups_that_missed_are_asked_again():
    """Sheet §4.6, check 4: one group with a hit and one without, exactly one second generation."""
    asked = [PrefixCurriculum()(one, many) for one in (group(MISS, TARGET), group(MISS, MISS))]
    assert asked[0] is None
    assert (asked[1].prefix_length, asked[1].extra) == (2, {"hard": True})


def test_titles_have_no_levels_to_tell():
    assert PrefixCurriculum()(group(MISS, answers_form="title"), many) is None


def test_when_nothing_is_left_to_tell_the_first_beams_are_kept():
    assert PrefixCurriculum()(group(MISS, step=80), many) is None


def test_a_prefix_is_shortened_until_enough_identifiers_lie_behind_it():
    behind = {2: 1, 1: 20, 0: 1000}
    second = PrefixCurriculum(min_leaves=16)(group(MISS), lambda sample, supply: behind[supply])
    assert second.prefix_length == 1
    assert PrefixCurriculum(min_leaves=21)(group(MISS), lambda sample, supply: behind[supply]) is None


def test_a_suffix_token_makes_the_answer_longer_and_the_guide_with_it():
    second = PrefixCurriculum()(group(MISS, target=(*TARGET, "<d_0>"), step=20), many)
    assert second.prefix_length == 3
