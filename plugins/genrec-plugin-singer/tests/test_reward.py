"""singer/sid-navigated against numbers worked out by hand (sheet §4.6, checks 2, 3 and 5)."""

import numpy as np
import pytest
from genrec_plugin_singer.reward import SIDNavigated, matched, ranks

from genrec_core import Group, ItemRef, Rollout, Sample
from genrec_core.contracts.context import Context
from genrec_core.testing.toy import toy_catalogue

CATALOGUE = toy_catalogue()
TARGET = ("1", "2", "3")
WRONG = (("4", "5", "6"), ("7", "8", "9"), ("4", "8", "3"))


def group(*answers, target=TARGET, prefix=0, **extra):
    rollouts = tuple(
        Rollout(tokens, "".join(tokens), -float(place), prefix) for place, tokens in enumerate(answers)
    )
    return Group(Sample((ItemRef(0, learn=True),), target=0), target, rollouts, extra=extra)


def titles(*texts, target=3):
    rollouts = tuple(Rollout((text,), text, -float(place)) for place, text in enumerate(texts))
    sample = Sample((ItemRef(target, "title", learn=True),), target=target, answer_form="title")
    return Group(sample, (CATALOGUE.items.value(target, "title"),), rollouts)


def score(which, **options):
    return np.array(SIDNavigated(**options).score(which, CATALOGUE, Context()))


def normalised(rewards):
    return (rewards - rewards.mean()) / rewards.std()


SOLVED = group(WRONG[0], WRONG[1], TARGET, WRONG[2])


def test_wrong_answers_are_punished_by_their_position_and_the_hit_is_worth_one():
    np.testing.assert_allclose(score(SOLVED), [-1.4427, -0.9102, 1, -0.6213], atol=5e-5)
    np.testing.assert_allclose(normalised(score(SOLVED)), [-1.042, -0.457, 1.639, -0.140], atol=5e-4)


def test_positions_give_the_penalties_of_equation_seven():
    penalties = [
        score(group(*[("4", str(n), "6") for n in range(place)], TARGET), reward="acc+rank")[place - 1]
        for place in range(1, 5)
    ]
    np.testing.assert_allclose(penalties, [-1.4427, -0.9102, -0.7213, -0.6213], atol=5e-5)


def test_the_normalised_rank_reward_is_minionerecs():
    np.testing.assert_allclose(score(SOLVED, rank="normalised"), [-0.3904, -0.2463, 1, -0.1681], atol=5e-5)


def test_the_reason_reward_closes_a_share_of_what_is_missing_at_every_level():
    hard = group(("9", "9", "9"), ("1", "9", "3"), ("1", "2", "9"), TARGET, hard=True)
    np.testing.assert_allclose(score(hard), [0, 0.5, 0.75, 0.875])
    np.testing.assert_allclose(score(hard, decay=0.1), [0, 0.9, 0.99, 0.999])


def test_a_level_counts_only_when_all_before_it_agree():
    assert matched(("9", "2", "3"), ("1", "2", "3")) == 0
    assert score(group(("9", "2", "3"))).tolist() == [0.0]


def test_supplied_levels_change_no_advantage():
    guided = group(("1", "2", "8"), ("1", "2", "7"), TARGET, ("1", "2", "9"), prefix=2, hard=True)
    np.testing.assert_allclose(normalised(score(guided)), [-0.577, -0.577, 1.732, -0.577], atol=5e-4)


def test_a_guided_group_stays_hard_although_it_now_holds_the_target():
    assert score(group(("1", "9", "9"), TARGET, prefix=1)).tolist() == [0.5, 0.875]
    assert score(group(("1", "9", "9"), TARGET)).tolist() == pytest.approx([-1.4427, 1], abs=5e-5)


def test_the_ablations_differ_as_the_paper_says():
    missed = group(("1", "9", "9"), ("9", "9", "9"))
    assert score(missed, reward="acc").tolist() == [0, 0]
    assert score(missed, reward="acc+rank").tolist() == [0, 0]
    assert score(missed, reward="acc+rank", rank_misses=True).tolist() == pytest.approx(
        [-1.4427, -0.9102], abs=5e-5
    )
    assert score(missed, reward="sid-hard").tolist() == score(missed, reward="sid-all").tolist() == [0.5, 0]
    found = group(TARGET, ("1", "2", "9"))
    assert score(found, reward="acc").tolist() == [1, 0]
    assert score(found, reward="sid-hard").tolist() == pytest.approx([1, -0.9102], abs=5e-5)
    assert score(found, reward="sid-all").tolist() == pytest.approx([1.875, 0.75 - 0.9102], abs=5e-5)


def test_titles_are_scored_by_accuracy_and_rank_whatever_the_group():
    truth = CATALOGUE.items.value(3, "title")
    assert score(titles("Nothing", truth)).tolist() == pytest.approx([-1.4427, 1], abs=5e-5)
    assert score(titles("Nothing", "Nobody")).tolist() == [0, 0]


def test_the_same_prompt_with_another_target_is_scored_by_its_own():
    answers = (TARGET, WRONG[0])
    assert score(group(*answers), reward="acc").tolist() == [1, 0]
    assert score(group(*answers, target=WRONG[0]), reward="acc").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("answers", "positions"),
    [
        ([("a", -1.0), ("b", -2.0), ("c", -3.0)], [1, 2, 3]),  # beams: their order
        ([("c", -3.0), ("a", -1.0), ("b", -2.0)], [3, 1, 2]),  # draws: not the order of drawing
        ([("b", -2.0), ("b", -2.0000001), ("a", -1.0)], [2, 2, 1]),  # equal draws share a position
    ],
)
def test_positions_follow_probability_and_equal_draws_share_one(answers, positions):
    assert ranks(answers) == positions


def test_two_equal_wrong_draws_get_the_same_rank_reward():
    wrong = Rollout(("x",), "x", -2.0)
    drawn = [wrong, Rollout(CATALOGUE.identifiers.tokens(3), "right", -1.0), wrong]
    sample = Sample((ItemRef(3, learn=True),), target=3)
    first, right, second = score(
        Group(sample, CATALOGUE.identifiers.tokens(3), tuple(drawn)), reward="acc+rank"
    )
    assert first == second == pytest.approx(-1 / np.log(3))
    assert right == 1
