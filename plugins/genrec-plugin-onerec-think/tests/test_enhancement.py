"""Reinforcement on thoughts: what is learnt, what is looked at, how a hit counts (sheet §5.6, 8)."""

import numpy as np
import pytest
from genrec_plugin_onerec_think.enhancement import Enhancement
from genrec_plugin_onerec_think.next_item import PlainNextItem
from genrec_plugin_onerec_think.rewards import Hierarchical, RolloutBeam, Sparse
from pydantic import ValidationError

from genrec_core import Candidate, Candidates, Context, Training
from genrec_core.builtin.exact import Exact
from genrec_core.engine import Decoder, DecoderSettings, RolloutStep
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.rounds import generate
from genrec_core.evaluation.metrics import accuracy

WORDS = {"instruction": "", "question": "\n", "opening": "<t>", "closing": "</t>"}
THINKING = {"think_opening": "<t>", "think_closing": "</t>", "think_tokens": 6, "group": 4}
STEP = RolloutStep(0, 10, seed=5)


def groups(trainer, model, catalogue, train):
    policy = Policy(model, catalogue, "full", 1.0, 4096)
    samples = list(PlainNextItem(**WORDS).samples(train, catalogue, Context()))[:3]
    return generate(samples, policy, trainer.strategy(), lambda group, leaves: None, STEP)


def test_the_loss_counts_what_the_policy_wrote_of_the_thought_and_nothing_of_the_item(
    model, catalogue, train
):
    trainer = Enhancement(reward=RolloutBeam(), **THINKING)
    made = groups(trainer, model, catalogue, train)
    opening, closing = model.tokenise(["<t>", "</t>"])
    for rolled, group in made:
        assert len(rolled.completions) == 4
        for completion, rollout in zip(rolled.completions, group.rollouts, strict=True):
            assert completion.ids[: len(opening)] == tuple(opening)
            assert not any(completion.learn[: len(opening)])
            assert not any(completion.learn[completion.answer :])
            thought = completion.learn[len(opening) : len(opening) + rollout.thought_tokens]
            assert thought == (True,) * rollout.thought_tokens
            between = completion.learn[len(opening) + rollout.thought_tokens : completion.answer]
            assert len(between) == len(closing)
            assert any(between) == rollout.closed
            assert rollout.tokens in catalogue.identifiers.distinct()


def test_the_reward_is_the_best_of_the_beams_that_the_policy_writes_behind_each_thought(
    model, catalogue, train
):
    trainer = Enhancement(reward=RolloutBeam(), lookahead=3, **THINKING)
    decoder = Decoder(model, catalogue, DecoderSettings(beams=3))
    for rolled, group in groups(trainer, model, catalogue, train):
        scores = RolloutBeam().score(group, catalogue, Context())
        for completion, beams, score in zip(rolled.completions, group.lookahead, scores, strict=True):
            behind = (*rolled.prompt.ids, *completion.ids[: completion.answer])
            (again,) = decoder.answers([group.sample], [behind])
            assert [beam.tokens for beam in beams] == [beam.tokens for beam in again.beams]
            target = group.target[1:-1]
            best = max(sum(a == b for a, b in zip(beam.tokens[1:-1], target, strict=True)) for beam in beams)
            assert score == pytest.approx(best / 3)


@pytest.mark.parametrize(
    ("reward", "learn"), [(RolloutBeam(), "thought"), (Sparse(), "thought"), (Hierarchical(), "all")]
)
def test_every_reward_trains_and_the_share_of_groups_without_signal_is_a_curve(
    model, catalogue, train, valid, reward, learn
):
    trainer = Enhancement(
        reward=reward,
        corpora=[PlainNextItem(**WORDS)],
        think_learn=learn,
        prompts=4,
        max_steps=2,
        valid_beams=10,
        evaluate_every=2,
        patience=None,
        **THINKING,
    )
    curves = trainer.train({"main": model}, catalogue, Training(train, valid), Context(seed=1)).curves
    assert [step for step, _ in curves["zero-signal groups"]] == [1, 2]
    assert all(0 <= share <= 1 for _, share in curves["zero-signal groups"])
    assert all(0 < tokens <= 6 for _, tokens in curves["thought tokens"])


def test_a_reward_that_looks_at_beams_needs_some():
    with pytest.raises(ValidationError, match="looks at beams: write `lookahead: 10`"):
        Enhancement(reward=RolloutBeam(), lookahead=0)
    assert Enhancement(reward=Sparse(), lookahead=0).options.think_learn == "thought"
    with pytest.raises(ValidationError, match="think"):
        Enhancement(reward=Sparse(), rollout="beam")


def test_one_hit_in_ten_slots_is_a_full_ndcg_however_often_it_is_written(catalogue, itemic):
    """Ten beams that all name the target: one item, one hit, NDCG@10 of 1."""
    beams = tuple(Candidate(itemic((0, 0, 1)), -float(place)) for place in range(10))
    with Exact().open(catalogue, Context()) as session:
        ranked = session.ground(Candidates(beams))
    assert ranked.items.tolist() == [1]
    assert accuracy(np.array([1], dtype=np.int32), (10,))["ndcg@10"] == 1.0
