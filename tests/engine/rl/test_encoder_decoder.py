"""Encoder-decoder models: the encoder reads a prompt once, the decoder its rollouts, as plain passes do."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration

from genrec_core.builtin.grpo import GRPO
from genrec_core.builtin.hit import Hit
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinySeq2Seq
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.model import load_model
from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.rollouts import PromptRollouts, Regeneration, RolloutStep
from genrec_core.engine.rl.strategies import DirectAnswers
from genrec_core.engine.rl.trees import pack_trees
from tests.engine.rl import by_hand
from tests.engine.rl.test_log_probabilities import FORMS, plainly
from tests.engine.rl.test_losses import expected
from tests.engine.rl.test_losses import run as run  # a fixture, here over encoder-decoder models

SHAPE = {"hidden": 32, "layers": 2, "heads": 2, "intermediate": 48, "vocabulary": 280, "device": "cpu"}


def t5(model):
    return model


def bart(model):
    """The same model around another network, whose decoder has positions instead of distances."""
    config = BartConfig(
        vocab_size=model.network.get_input_embeddings().weight.shape[0], d_model=32, encoder_layers=2,
        decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=48,
        decoder_ffn_dim=48, max_position_embeddings=256, dropout=0.0, pad_token_id=model.pad_id,
        bos_token_id=model.end_id, eos_token_id=model.end_id, decoder_start_token_id=model.end_id,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dataclasses.replace(model, network=BartForConditionalGeneration(config).eval())


@pytest.fixture
def build(catalogue):
    """Makes fresh encoder-decoder models whose weights are wide enough apart that beams are not ties."""

    def build(seed=1, network=t5, **changes):
        model = network(TinySeq2Seq(**{**SHAPE, **changes}).build(catalogue, Context(seed=seed)))
        with torch.no_grad():
            for parameter in model.network.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(3.0)
        return model

    return build


@pytest.fixture
def plain_scores():
    """Log-probability of every answer that begins with a prefix, each by a forward pass of its own."""

    def scores(writer, asked):
        trie = writer.decoder.constraint(asked.sample.answer_form).trie
        begin, found = len(asked.prefix_ids), {}
        for node in range(len(trie.ends)):
            path = tuple(trie.path(node))
            if trie.ends[node] and path[:begin] == tuple(asked.prefix_ids):
                written = by_hand.completion(path, prefix=begin)
                with torch.no_grad():
                    each, _ = by_hand.log_probabilities(writer.model.network, asked.ids, written, trie)
                found[path] = float(each[begin:].sum())
        return found

    return scores


@pytest.mark.parametrize("network", [t5, bart])
@pytest.mark.parametrize("levels", [0, 1, 2])
def test_beams_are_the_best_of_all_answers_scored_one_by_one(
    build, policy, samples, plain_scores, network, levels
):
    writer = policy(model=build(network=network))
    asked = [writer.prompt_of(sample, levels) for sample in samples if sample.answer_form == "identifier"]
    for prompt, found in zip(asked, writer.search(asked, 100), strict=True):
        scores = plain_scores(writer, prompt)
        best = sorted(scores, key=lambda path: -scores[path])
        assert [one.ids for one in found] == best
        assert [one.rollout.score for one in found] == pytest.approx([scores[p] for p in best], abs=1e-4)
        assert all(one.learn == (False,) * levels + (True,) * (3 - levels) for one in found)


@pytest.mark.parametrize("how", ["sample", "distinct", "dynamic"])
def test_draws_behind_prefixes_of_several_lengths_score_as_plain_passes(
    build, policy, samples, plain_scores, how
):
    writer = policy(model=build())
    asked = [writer.prompt_of(samples[0], 1), *map(writer.prompt_of, samples[1:5])]
    for group in DirectAnswers(4, how).roll_out(asked, writer, RolloutStep(seed=2)):
        scores = plain_scores(writer, group.prompt)
        assert group.completions
        for one in group.completions:
            assert one.rollout.score == pytest.approx(scores[one.ids], abs=1e-4)


@pytest.mark.parametrize("network", [t5, bart])
@pytest.mark.parametrize("scoring", ["legal", "full"])
@pytest.mark.parametrize("tokens", [32768, 60], ids=["at once", "in pieces"])
def test_scores_entropies_and_gradients_are_those_of_one_completion_at_a_time(
    build, policy, samples, network, scoring, tokens
):
    writer = policy(scoring, batch_tokens=tokens, model=build(network=network))
    asked = [writer.prompt_of(samples[0], 1), *map(writer.prompt_of, samples[1:])]
    groups = [
        PromptRollouts(one, tuple(writer.search([one], 2 + place)[0])) for place, one in enumerate(asked)
    ]
    constraints = [writer.decoder.constraint(form) for form in FORMS]
    tries = {form: c.trie for form, c in zip(FORMS, constraints, strict=True)} if scoring == "legal" else None
    trees = pack_trees(groups, writer, FORMS)
    assert (len(trees) > 1) == (tokens == 60)
    assert sum(len(tree.sources) for tree in trees) == len(groups)  # the encoder reads each prompt once
    wanted, surprise = plainly(writer.model, groups, tries)
    scorer = TreeScorer(writer.model.network, constraints, scoring, 1.0, tokens)
    scores, entropies = scorer.score(trees, wanted.shape)
    torch.testing.assert_close(scores, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(entropies, surprise, atol=1e-4, rtol=1e-4)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=wanted.shape)).float()
    gradients = []
    for total in ((wanted * noise).sum(), (scores * noise).sum()):
        writer.model.network.zero_grad()
        total.backward()
        gradients.append([p.grad.clone() for p in writer.model.network.parameters() if p.grad is not None])
    largest = max(float(plain.abs().max()) for plain in gradients[0])  # T5 does not scale its scores
    for plain, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours / largest, plain / largest, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("variant", [{"loss": "grpo"}, {"loss": "dr_grpo", "policy": "full"}], ids=str)
def test_two_rounds_of_two_updates_equal_the_formula(run, build, policy, weights_of, variant):
    options = {"policy": "legal", "beta": 0.05, "updates": 2, **variant}
    model, trainer, _ = run(prefix_lengths=(0, 1), **options)
    plain, start = weights_of(expected(build, trainer, policy)), weights_of(build())
    for name, value in weights_of(model).items():
        torch.testing.assert_close(value, plain[name], atol=1e-5, rtol=0)
    assert max(float((plain[name] - start[name]).abs().max()) for name in plain) > 1e-3


class Guided(GRPO):
    """Groups without a hit are generated again behind one or two tokens of the target."""

    def regenerate(self, group, leaves):
        return None if group.hit() else Regeneration(1 + group.step % 2)


QUICK = {
    "corpora": [NextItem()], "reward": Hit(), "group": 8, "prompts": 16, "learning_rate": 3e-3,
    "patience": None, "policy": "legal", "valid_samples": 20, "valid_beams": 10, "checkpoint_minutes": 0.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def taught(tmp_path_factory, catalogue, training):
    """A folder with an encoder-decoder model that was fine-tuned a little."""
    model = TinySeq2Seq(**{**SHAPE, "layers": 1}).build(catalogue, Context(seed=1))
    SFT(corpora=[NextItem()], epochs=5, learning_rate=5e-3, batch_size=16).train(
        {"main": model}, catalogue, training, Context()
    )
    folder = tmp_path_factory.mktemp("taught")
    model.save(folder)
    return folder


def test_a_guided_run_that_was_killed_and_resumed_ends_as_one_that_was_not(
    taught, catalogue, training, tmp_path, log, weights_of
):
    trainer = Guided(**{**QUICK, "group": 4, "max_steps": 5, "evaluate_every": 2})
    straight, resumed = (load_model(taught, device="cpu") for _ in range(2))
    curves = trainer.train({"main": straight}, catalogue, training, Context(seed=5)).curves
    assert max(value for _, value in curves["second generations"]) > 0
    with pytest.raises(KeyboardInterrupt):
        trainer.train(
            {"main": load_model(taught, device="cpu")}, catalogue, training,
            Context(5, tmp_path, log=log(dies_at=3)),
        )  # fmt: skip
    trainer.train({"main": resumed}, catalogue, training, Context(5, tmp_path))
    ours, plain = weights_of(resumed), weights_of(straight)
    assert all(torch.equal(ours[name], plain[name]) for name in plain)


@pytest.mark.parametrize("rollout", ["beam", "sample"])
def test_the_reward_of_an_encoder_decoder_rises(taught, catalogue, training, rollout):
    model = load_model(taught, device="cpu")
    trained = GRPO(**{**QUICK, "rollout": rollout, "epochs": 8, "beta": 0.0}).train(
        {"main": model}, catalogue, training, Context(seed=4)
    )
    rewards = [value for _, value in trained.curves["reward"]]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.02
    assert max(value for _, value in trained.curves["valid ndcg@10"]) >= trained.curves["valid ndcg@10"][0][1]
    assert trained.model.family == "seq2seq"


def test_an_encoder_decoder_that_shall_think_is_refused(build, catalogue, training, policy, samples):
    with pytest.raises(GenrecError, match="cannot be trained with `rollout: think`: it writes answers only"):
        GRPO(corpora=[NextItem()], reward=Hit(), rollout="think").train(
            {"main": build()}, catalogue, training, Context()
        )
    with pytest.raises(GenrecError, match="no beams behind `hm`"):
        policy(model=build()).beams(samples[0], "hm", 4)
    assert policy(model=build()).beams(samples[0], "", 4).beams
