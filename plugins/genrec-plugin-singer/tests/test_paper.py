"""What the paper promises of a whole rollout, on a tiny policy (sheet §4.6, checks 4 to 7, 9 and 10)."""

import dataclasses
import re

import pytest
import torch
from genrec_plugin_singer.curriculum import PrefixCurriculum
from genrec_plugin_singer.reward import SIDNavigated
from genrec_plugin_singer.sin_rl import SINRL
from genrec_plugin_singer.tasks import SINGERTasks
from pydantic import ValidationError

from genrec_core import Context, ItemRef, Sample, Text, Training, View
from genrec_core.contracts.dataset import Sequences
from genrec_core.engine import DirectAnswers, RolloutStep
from genrec_core.engine.rl.rounds import generate

START = RolloutStep(step=0, total=100, seed=5)
OPTIONS = {"corpora": [SINGERTasks(stage="rl")], "reward": [SIDNavigated()], "group": 6}


def asking(target, text="Next: ", answer_form="identifier"):
    answer = ItemRef(target, form=answer_form, learn=True, turn="assistant")
    return Sample((Text(text), answer), target=target, answer_form=answer_form)


class Spy:
    """A strategy that keeps what it was asked."""

    def __init__(self, group):
        self.asked, self.real = [], DirectAnswers(group)

    def roll_out(self, asked, policy, step):
        self.asked.append(list(asked))
        return self.real.roll_out(asked, policy, step)


def hit_and_miss(policy):
    """Two samples with one prompt: the target is the policy's own best answer, and its worst."""
    whole = DirectAnswers(6).roll_out([policy.prompt_of(asking(0))], policy, START)[0].completions
    best, worst = (policy.catalogue.identifiers.items_of(whole[n].rollout.tokens)[0] for n in (0, -1))
    return [asking(int(best)), asking(int(worst))]


def test_top_one_draws_write_the_likeliest_answer_with_its_log_probability(policy):
    asked = [policy.prompt_of(asking(0))]
    (drawn,) = SINRL(**OPTIONS, sampling="common", top_k=1).strategy().roll_out(asked, policy, START)
    (greedy,) = policy.search(asked, 1)
    assert {completion.ids for completion in drawn.completions} == {greedy[0].ids}
    assert len(drawn.completions) == 6
    for completion in drawn.completions:
        assert completion.rollout.score == pytest.approx(greedy[0].rollout.score, abs=1e-5)


def test_a_top_k_that_no_level_reaches_changes_no_draw(policy):
    asked = [policy.prompt_of(asking(0)), policy.prompt_of(asking(4))]
    bounded, free = (
        SINRL(**OPTIONS, sampling="common", top_k=k).strategy().roll_out(asked, policy, START)
        for k in (2, None)
    )
    assert bounded == free
    assert len({completion.ids for completion in free[0].completions}) > 1


@pytest.mark.parametrize("sampling", ["beam", "beam+prefix"])
def test_a_top_k_for_beams_is_refused(sampling):
    with pytest.raises(ValidationError, match=f"`sampling: {re.escape(sampling)}` draws nothing"):
        SINRL(**OPTIONS, sampling=sampling, top_k=4)


def test_exactly_the_prompt_that_missed_is_generated_again(policy):
    spy, samples = Spy(2), hit_and_miss(policy)
    made = generate(samples, policy, spy, PrefixCurriculum(), START)
    first, second = spy.asked
    assert [one.sample for one in first] == samples
    assert [one.sample for one in second] == samples[1:]
    assert [group.extra.get("hard", False) for _, group in made] == [False, True]


def test_the_same_prompt_with_two_targets_is_scored_by_each_of_its_own(policy):
    samples = hit_and_miss(policy)
    made = generate(samples, policy, DirectAnswers(2), lambda group, leaves: None, START)
    texts = {policy.decoder.renderer.prompt_text(sample) for sample in samples}
    scores = [SIDNavigated(reward="acc").score(group, policy.catalogue, Context()) for _, group in made]
    assert len(texts) == 1
    assert scores == [[1, 0], [0, 0]]


def test_a_batch_of_identifiers_and_titles_writes_each_from_its_own_catalogue(policy, catalogue):
    samples = [asking(0), asking(0, answer_form="title"), asking(4), asking(5, answer_form="title")]
    made = generate(samples, policy, DirectAnswers(6), PrefixCurriculum(), START)
    for sample, (_, group) in zip(samples, made, strict=True):
        written = {rollout.text for rollout in group.rollouts}
        assert written == set(catalogue.answers(sample.answer_form))


def test_behind_a_prefix_with_two_leaves_a_beam_of_four_finds_two_and_makes_none_up(policy):
    asked = policy.prompt_of(asking(0), prefix_length=2)
    (rolled,) = DirectAnswers(4).roll_out([asked], policy, START)
    found = {completion.rollout.tokens for completion in rolled.completions}
    assert found == {("<a_1>", "<b_2>", "<c_3>"), ("<a_1>", "<b_2>", "<c_4>")}


def test_identifiers_of_three_and_four_tokens_compete_by_summed_log_probability(policy, model):
    asked = policy.prompt_of(asking(0))
    (rolled,) = DirectAnswers(6).roll_out([asked], policy, START)
    sums = []
    for completion in rolled.completions:
        ids = torch.tensor([[*asked.ids, *completion.ids]])
        with torch.no_grad():
            logged = model.network(ids).logits.log_softmax(-1)[0, len(asked.ids) - 1 : -1]
        sums.append(float(logged[range(len(completion.ids)), completion.ids].sum()))
    assert {len(completion.ids) for completion in rolled.completions} == {3, 4}
    assert [completion.rollout.score for completion in rolled.completions] == pytest.approx(sums, abs=1e-4)
    assert sums == sorted(sums, reverse=True)


def test_supplied_tokens_are_read_and_never_learnt(policy):
    (rolled,) = DirectAnswers(4).roll_out([policy.prompt_of(asking(0), prefix_length=2)], policy, START)
    for completion in rolled.completions:
        assert completion.learn == (False, False, True)
        assert completion.rollout.prefix == 2


@pytest.mark.parametrize("sampling", ["common", "dynamic", "beam", "beam+prefix"])
def test_sampling_says_how_trajectories_are_collected(policy, sampling):
    strategy = SINRL(reward=SIDNavigated(), sampling=sampling, group=4).strategy()
    (rolled,) = strategy.roll_out([policy.prompt_of(asking(0))], policy, START)
    written = [completion.ids for completion in rolled.completions]
    assert len(written) <= 4
    assert sampling == "dynamic" or len(written) == 4
    assert sampling == "common" or len(set(written)) == len(written)


def test_only_the_full_variant_asks_again(policy):
    ((_, group),) = generate(
        hit_and_miss(policy)[1:], policy, DirectAnswers(2), lambda group, leaves: None, START
    )
    again = {
        sampling: SINRL(reward=SIDNavigated(), sampling=sampling).regenerate(group, policy.leaves)
        for sampling in ("common", "dynamic", "beam", "beam+prefix")
    }
    assert [sampling for sampling, second in again.items() if second] == ["beam+prefix"]


def training():
    sequences = Sequences.of([[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]])
    users = ("u", "v", "w")
    targets = torch.tensor([4, 5, 0]).numpy().astype("int32")
    train = View("train", users, sequences, None, 3)
    return Training(train, View("valid", users, sequences, targets, 3))


ABLATIONS = [
    *({"sampling": sampling} for sampling in ("common", "dynamic", "beam", "beam+prefix")),
    *({"reward": reward} for reward in ("acc", "acc+rank", "sid-all", "sid-hard")),
    *({"align": align} for align in ("none", "sft", "rl", "both")),
]


@pytest.mark.parametrize("changed", ABLATIONS, ids=lambda changed: "".join(changed.values()))
def test_every_ablation_trains(model, catalogue, changed):
    trainer = SINRL(
        reward=SIDNavigated(reward=changed.get("reward", "sid-hard")),
        corpora=[SINGERTasks(stage="rl", align=changed.get("align", "both"))],
        sampling=changed.get("sampling", "beam+prefix"),
        group=3,
        prompts=16,
        max_steps=1,
        valid_beams=10,
    )
    curves = trainer.train({"main": model}, catalogue, training(), Context()).curves
    (second,) = (value for _, value in curves["second generations"])
    (solved,) = (value for _, value in curves["groups with a hit"])
    assert 0 < curves["rollouts"][0][1] <= 3
    assert second <= 1 - solved
    assert (second > 0) == (trainer.options.sampling == "beam+prefix")


@pytest.mark.parametrize("sync", [None, 1])
def test_the_reference_stays_what_training_started_from_unless_it_is_set_to_follow(
    model, catalogue, monkeypatch, sync
):
    from genrec_core.engine.rl import reinforce

    kept = []
    copying = reinforce.frozen_copy
    monkeypatch.setattr(reinforce, "frozen_copy", lambda network: kept.append(copying(network)) or kept[0])
    before = [value.clone() for value in model.network.parameters()]
    trainer = SINRL(
        reward=SIDNavigated(),
        corpora=[SINGERTasks(stage="rl")],
        group=3,
        prompts=8,
        max_steps=2,
        learning_rate=1e-2,
        valid_beams=10,
        patience=None,
        sync_reference=sync,
    )
    trainer.train({"main": model}, catalogue, training(), Context())
    same = [torch.equal(old, now) for old, now in zip(before, kept[0].parameters(), strict=True)]
    assert all(same) == (sync is None)


def test_fine_tuning_and_reinforcement_ask_the_same_bytes(policy, catalogue):
    views, renderer = training(), policy.decoder.renderer
    for stage in ("sft", "rl"):
        corpus = SINGERTasks(stage=stage)
        for sample in corpus.samples(views.train, catalogue, Context()):
            rendered = renderer.rendered(sample)
            assert list(policy.prompt_of(sample).ids) == rendered.ids[: rendered.prompt_length]
    for request, sample in zip(
        views.valid.requests(),
        SINGERTasks(stage="rl").samples(views.valid, catalogue, Context()),
        strict=True,
    ):
        recommended = SINGERTasks(stage="sft").prompt(request, catalogue, Context())
        assert renderer.prompt(recommended) == list(policy.prompt_of(sample).ids)
        assert dataclasses.replace(sample, segments=sample.segments[:-1], target=None) == recommended
