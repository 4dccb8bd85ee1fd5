"""Rewards see groups; a second generation is made for those that need it, and for no other."""

import dataclasses

import pytest

from genrec_core.builtin.hit import Hit
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import StageError
from genrec_core.contracts.reward import Reward
from genrec_core.engine.rl.advantages import advantages
from genrec_core.engine.rl.judging import Judge, generated
from genrec_core.engine.rl.rollouts import Moment, Second
from genrec_core.engine.rl.strategies import Answers


class Spy(Answers):
    """Counts what it is asked."""

    def __init__(self, group, how="beam"):
        super().__init__(group, how)
        object.__setattr__(self, "asked", [])

    def roll_out(self, asked, policy, moment):
        self.asked.append((list(asked), moment))
        return super().roll_out(asked, policy, moment)


def never(group, leaves):
    return None


def guided(group, leaves):
    if group.hit() or group.sample.answer_form != "identifier":
        return None
    return Second(2, {"hard": True, "leaves": leaves(group.sample, 2)})


@pytest.fixture
def easy_and_hard(policy, samples, catalogue):
    """A sample whose target is the best beam, one whose target no beam names, and a title."""
    writer = policy()
    named = [one.rollout.tokens for one in writer.search([writer.asked(samples[0])], 24)[0]]
    items = {catalogue.identifiers.tokens(item): item for item in range(len(catalogue.items))}
    return writer, [
        dataclasses.replace(samples[0], target=items[named[0]]),
        dataclasses.replace(samples[0], target=items[named[-1]]),
        samples[3],
    ]


def test_only_the_prompt_that_missed_is_generated_again(easy_and_hard):
    writer, rows = easy_and_hard
    spy = Spy(4)
    easy, hard, title = generated(rows, writer, spy, guided, Moment(3, 10))
    assert [len(asked) for asked, _ in spy.asked] == [3, 1]
    assert spy.asked[1][0][0].sample is rows[1]
    assert [moment.stage for _, moment in spy.asked] == [1, 2]
    assert easy.group.hit()
    assert easy.group.extra == title.group.extra == {"stage": 1}
    assert hard.group.extra["hard"]
    assert hard.group.extra["leaves"] == len({one.tokens for one in hard.group.rollouts})
    assert all(one.prefix == 2 and one.tokens[:2] == hard.group.target[:2] for one in hard.group.rollouts)
    assert (hard.group.step, hard.group.total) == (3, 10)


def test_prompts_with_equal_text_are_judged_by_their_own_targets(easy_and_hard):
    writer, (easy, hard, _) = easy_and_hard
    judged = generated([easy, hard], writer, Answers(4), never, Moment())
    assert judged[0].rolled.asked.ids == judged[1].rolled.asked.ids
    scores = [Judge((Hit(),)).scores(one.group, writer.catalogue, Context())[0] for one in judged]
    assert scores == [[1.0, 0.0, 0.0, 0.0], [0.0] * 4]


def test_a_title_hits_by_its_text(easy_and_hard, catalogue):
    writer, (_, _, title) = easy_and_hard
    (judged,) = generated([title], writer, Answers(24), never, Moment())
    assert judged.group.target == (catalogue.write(title.target, "title"),)
    assert sum(Judge((Hit(),)).scores(judged.group, catalogue, Context())[0]) == 1.0


class Constant(Reward):
    """A reward that is always the same number."""

    class Options(Reward.Options):
        value: float = 1.0

    def score(self, group, catalogue, context):
        return [self.options.value] * len(group.rollouts)


def test_rewards_are_added_with_weights_and_told_apart(easy_and_hard):
    writer, rows = easy_and_hard
    (judged,) = generated(rows[:1], writer, Answers(2), never, Moment())
    judge = Judge((Hit(), Constant(value=2.0), Constant(value=3.0)), (1.0, 0.5, 0.1))
    totals, parts = judge.scores(judged.group, writer.catalogue, Context())
    assert totals == pytest.approx([2.3, 1.3])
    assert list(parts.values()) == [[1.0, 0.0], [2.0, 2.0], [3.0, 3.0]]
    assert len(set(judge.names)) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_an_error(easy_and_hard, value):
    writer, rows = easy_and_hard
    (judged,) = generated(rows[:1], writer, Answers(2), never, Moment())
    with pytest.raises(StageError, match="for 2 rollouts"):
        Judge((Constant(value=value),)).scores(judged.group, writer.catalogue, Context())


def test_advantages_by_hand():
    rewards = [1.1, 0.6, 0.35, 0.1]
    assert advantages(rewards) == pytest.approx([1.521, 0.169, -0.507, -1.183], abs=1e-3)
    assert advantages(rewards, "sample") == pytest.approx([1.317, 0.146, -0.439, -1.025], abs=1e-3)
    assert advantages(rewards, "none") == pytest.approx([0.5625, 0.0625, -0.1875, -0.4375])
    assert advantages([0.75, 0.75, 0.875, 0.75]) == pytest.approx([-0.577, -0.577, 1.732, -0.577], abs=1e-3)
    assert advantages([3, 1, 0, 0]) == pytest.approx(advantages([0.75, 0.25, 0, 0]))


@pytest.mark.parametrize("std", ["population", "sample", "none"])
@pytest.mark.parametrize("rewards", [[0.1 + 0.2] * 7, [0.0] * 3, [5.0], []])
def test_a_group_without_differences_has_advantages_of_exactly_zero(std, rewards):
    assert advantages(rewards, std) == [0.0] * len(rewards)
