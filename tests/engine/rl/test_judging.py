"""Rewards see groups; a second generation is made for those that need it, and for no other."""

import dataclasses

import pytest

from genrec_core.builtin.hit import Hit
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import StageError
from genrec_core.contracts.reward import Reward
from genrec_core.engine.rl.rewards import RewardMixer, advantages
from genrec_core.engine.rl.rollouts import Regeneration, RolloutStep
from genrec_core.engine.rl.rounds import generate
from genrec_core.engine.rl.strategies import DirectAnswers


class Spy(DirectAnswers):
    """Counts what it is asked."""

    def __init__(self, group, how="beam"):
        super().__init__(group, how)
        object.__setattr__(self, "asked", [])

    def roll_out(self, asked, policy, step):
        self.asked.append((list(asked), step))
        return super().roll_out(asked, policy, step)


def never(group, leaves):
    return None


def guided(group, leaves):
    if group.hit() or group.sample.answer_form != "identifier":
        return None
    return Regeneration(2, {"hard": True, "leaves": leaves(group.sample, 2)})


@pytest.fixture
def easy_and_hard(policy, samples, catalogue):
    """A sample whose target is the best beam, one whose target no beam names, and a title."""
    writer = policy()
    named = [one.rollout.tokens for one in writer.search([writer.prompt_of(samples[0])], 24)[0]]
    items = {catalogue.identifiers.tokens(item): item for item in range(len(catalogue.items))}
    return writer, [
        dataclasses.replace(samples[0], target=items[named[0]]),
        dataclasses.replace(samples[0], target=items[named[-1]]),
        samples[3],
    ]


def test_only_the_prompt_that_missed_is_generated_again(easy_and_hard):
    writer, rows = easy_and_hard
    spy = Spy(4)
    easy, hard, title = (group for _, group in generate(rows, writer, spy, guided, RolloutStep(3, 10)))
    assert [len(asked) for asked, _ in spy.asked] == [3, 1]
    assert spy.asked[1][0][0].sample is rows[1]
    assert [step.stage for _, step in spy.asked] == [1, 2]
    assert easy.hit()
    assert easy.extra == title.extra == {"stage": 1}
    assert hard.extra["hard"]
    assert hard.extra["leaves"] == len({one.tokens for one in hard.rollouts})
    assert all(one.prefix == 2 and one.tokens[:2] == hard.target[:2] for one in hard.rollouts)
    assert (hard.step, hard.total) == (3, 10)


def test_prompts_with_equal_text_are_scored_by_their_own_targets(easy_and_hard):
    writer, (easy, hard, _) = easy_and_hard
    made = generate([easy, hard], writer, DirectAnswers(4), never, RolloutStep())
    assert made[0][0].prompt.ids == made[1][0].prompt.ids
    scores = [RewardMixer((Hit(),)).scores(group, writer.catalogue, Context())[0] for _, group in made]
    assert scores == [[1.0, 0.0, 0.0, 0.0], [0.0] * 4]


def test_a_title_hits_by_its_text(easy_and_hard, catalogue):
    writer, (_, _, title) = easy_and_hard
    ((_, group),) = generate([title], writer, DirectAnswers(24), never, RolloutStep())
    assert group.target == (catalogue.write(title.target, "title"),)
    assert sum(RewardMixer((Hit(),)).scores(group, catalogue, Context())[0]) == 1.0


class Constant(Reward):
    """A reward that is always the same number."""

    class Options(Reward.Options):
        value: float = 1.0

    def score(self, group, catalogue, context):
        return [self.options.value] * len(group.rollouts)


def test_rewards_are_added_with_weights_and_named_apart(easy_and_hard):
    writer, rows = easy_and_hard
    ((_, group),) = generate(rows[:1], writer, DirectAnswers(2), never, RolloutStep())
    mixer = RewardMixer((Hit(), Constant(value=2.0), Constant(value=3.0)), (1.0, 0.5, 0.1))
    totals, parts = mixer.scores(group, writer.catalogue, Context())
    assert totals == pytest.approx([2.3, 1.3])
    assert list(parts.values()) == [[1.0, 0.0], [2.0, 2.0], [3.0, 3.0]]
    assert len(set(mixer.names)) == 3


class NoNumber(Reward):
    """A reward that went wrong."""

    value = float("nan")

    def score(self, group, catalogue, context):
        return [self.value] * len(group.rollouts)


class Endless(NoNumber):
    value = float("inf")


@pytest.mark.parametrize("reward", [NoNumber, Endless])
def test_a_reward_that_is_no_number_is_an_error(easy_and_hard, reward):
    writer, rows = easy_and_hard
    ((_, group),) = generate(rows[:1], writer, DirectAnswers(2), never, RolloutStep())
    with pytest.raises(StageError, match="for 2 rollouts"):
        RewardMixer((reward(),)).scores(group, writer.catalogue, Context())


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
