"""Every loss that is exposed, against the formula, over two rounds of two updates each."""

import math

import pytest
import torch
from pydantic import ValidationError

from genrec_core.builtin.grpo import GRPO
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.engine.relied_upon import READ_BY_THE_GRPO_LOSS
from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.loop import GRPOLoop
from genrec_core.engine.rl.trl_seam import PolicyTrainer
from tests.engine.rl import by_hand
from tests.engine.rl.scripted import Letters, Scripted, letters

RATE = 0.05


class Given(Corpus):
    """The samples it is given, whatever the view."""

    class Options(Corpus.Options):
        rows: tuple = ()

    def samples(self, view, catalogue, context):
        yield from self.options.rows


class WithScript(GRPO):
    """core/grpo with rollouts from a script."""

    script = None

    def strategy(self):
        return self.script


@pytest.fixture
def run(build, catalogue, training, samples, policy, monkeypatch):
    """Train over a script with plain gradient descent; gives the model, the trainer and the curves."""

    def plain_descent(loop, model=None):
        loop.optimizer = loop.optimizer or torch.optim.SGD(loop.model.parameters(), RATE)
        return loop.optimizer

    monkeypatch.setattr(GRPOLoop, "create_optimizer", plain_descent)

    def run(prefix_lengths=(0,), widths=(4, 3, 2), repeat=1, **options):
        fixed = {"reward": Letters(), "prompts": 5, "patience": None, "evaluate_every": 100}
        trainer = WithScript(corpora=[Given(rows=tuple(samples) * repeat)], **{**fixed, **options})
        trainer.script = Scripted(policy(model=build()), widths, prefix_lengths)
        model = build()
        monkeypatch.setattr(GRPOLoop, "load_best", lambda loop: None)
        trained = trainer.train({"main": model}, catalogue, training, Context(seed=2))
        return model, trainer, trained

    return run


def expected(build, trainer, policy):
    script = trainer.script
    forms = sorted({group.prompt.sample.answer_form for groups in script.made for group in groups})
    model = build()
    writer = policy(model=model)
    tries = {form: writer.decoder.constraint(form).trie for form in forms}
    longest = max(writer.decoder.constraint(form).depth for form in forms)
    legal = trainer.options.policy == "legal"
    by_hand.trained(
        model.network,
        script.plain(),
        trainer.options,
        tries if legal else None,
        lambda completion: letters(completion.rollout),
        longest,
        RATE,
    )
    return model


VARIANTS = [
    {"loss": "grpo"},
    {"loss": "bnpo"},
    {"loss": "dr_grpo"},
    {"loss": "dapo", "epsilon_high": 0.28},
    {"loss": "cispo"},
    {"loss": "sapo"},
    {"loss": "grpo", "importance": "sequence"},
    {"loss": "grpo", "kl": "unbiased"},
    {"loss": "grpo", "policy": "full", "std": "sample"},
    {"loss": "dapo", "policy": "full", "std": "none", "beta": 0.0},
    {"loss": "grpo", "clip": 0.0},
    {"loss": "grpo", "epsilon": 0.01},
    {"loss": "grpo", "average": "rollout"},
    {"loss": "dr_grpo", "average": "rollout"},
    {"loss": "sapo", "average": "rollout", "importance": "sequence"},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: " ".join(map(str, variant.values())))
def test_two_rounds_of_two_updates_equal_the_formula(run, build, policy, weights_of, variant):
    options = {"policy": "legal", "beta": 0.05, "updates": 2, **variant}
    model, trainer, trained = run(prefix_lengths=(0, 1), **options)
    assert len(trainer.script.made) == 2
    plain = expected(build, trainer, policy)
    start, moved = weights_of(build()), 0.0
    for name, value in weights_of(plain).items():
        torch.testing.assert_close(weights_of(model)[name], value, atol=1e-5, rtol=0)
        moved = max(moved, float((value - start[name]).abs().max()))
    assert moved > 1e-3
    assert all(math.isfinite(value) for curve in trained.curves.values() for _, value in curve)


@pytest.fixture
def weights_in_the_loss(run, monkeypatch):
    """Trains one update and gives what each rollout weighs in the loss: its gradient over its advantage."""

    def weights(widths, **options):
        kept = {}
        score, loss = TreeScorer.score, PolicyTrainer._compute_loss

        def scored(scorer, trees, shape):
            scores, entropies = score(scorer, trees, shape)
            scores.retain_grad()
            kept["scores"] = scores
            return scores, entropies

        def noticed(trainer, model, inputs):
            inputs["advantages"] = torch.ones_like(inputs["advantages"])
            kept["groups"] = inputs["round"].groups
            return loss(trainer, model, inputs)

        monkeypatch.setattr(TreeScorer, "score", scored)
        monkeypatch.setattr(PolicyTrainer, "_compute_loss", noticed)
        run(widths=widths, prompts=len(widths), repeat=3, max_steps=1, beta=0.0, policy="legal", **options)
        return [-group.sum().item() for group in kept["scores"].grad.split(kept["groups"])]

    return weights


@pytest.mark.parametrize(
    ("options", "share"),
    [
        ({"loss": "grpo"}, 16 / 17),
        ({"loss": "sapo"}, 16 / 17),
        ({"loss": "grpo", "average": "group"}, 16 / 17),
        ({"loss": "grpo", "average": "rollout"}, 80 / 96),
    ],
    ids=lambda value: str(value),
)
def test_guided_groups_weigh_what_their_number_says_although_they_are_small(
    weights_in_the_loss, options, share
):
    """16 groups of 5 behind a supplied prefix and one of 16: 94 % of the groups, 83 % of the rollouts."""
    weights = weights_in_the_loss((16, *[5] * 16), **options)
    assert sum(weights) == pytest.approx(1.0, abs=1e-5)
    assert sum(weights[1:]) == pytest.approx(share, abs=1e-5)
    assert weights[0] == pytest.approx(1 - share, abs=1e-5)


@pytest.mark.parametrize("loss", ["grpo", "sapo", "dr_grpo"])
def test_with_groups_of_one_size_both_averages_are_one_to_the_last_bit(run, weights_of, loss):
    first, second = (
        weights_of(run(widths=(4,), loss=loss, average=average, updates=2)[0])
        for average in ("group", "rollout")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("loss", ["bnpo", "dapo", "cispo"])
def test_an_average_over_rollouts_is_refused_where_the_loss_has_none(loss):
    with pytest.raises(ValidationError, match=f"`loss: {loss}` averages over tokens: leave `average` out"):
        WithScript(corpora=[Given()], reward=Letters(), loss=loss, average="group")


@pytest.mark.parametrize("name", READ_BY_THE_GRPO_LOSS)
def test_trl_still_reads_from_its_inputs_what_we_give(run, monkeypatch, name):
    read = set()

    class Noticed(dict):
        def __getitem__(self, key):
            read.add(key)
            return super().__getitem__(key)

        def get(self, key, default=None):
            read.add(key)
            return super().get(key, default)

    loss = PolicyTrainer._compute_loss
    monkeypatch.setattr(
        PolicyTrainer, "_compute_loss", lambda own, model, inputs: loss(own, model, Noticed(inputs))
    )
    run(loss="dapo", beta=0.1)
    assert name in read, f"TRL's loss no longer reads `{name}`: see engine/rl/trl_seam.py"
