"""A whole run: it learns, never hands on what validation likes less, survives kills, leaves no marks."""

import dataclasses
import math
from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from genrec_core.builtin.grpo import GRPO
from genrec_core.builtin.hit import Hit
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import ContractError, GenrecError, StageError
from genrec_core.contracts.reward import Reward
from genrec_core.contracts.samples import ItemRef, Sample, Text
from genrec_core.contracts.views import Training
from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
from genrec_core.engine.models.model import load_model
from genrec_core.engine.rl.loop import GRPOLoop
from genrec_core.engine.rl.rollouts import Regeneration
from genrec_core.engine.rl.settings import PolicyLoss
from genrec_core.engine.training.best_tracker import BestTracker
from genrec_core.engine.training.validation import SearchValidation
from genrec_core.testing.contracts import RewardContract, TrainerContract
from genrec_core.testing.toy import toy_catalogue

QUICK = {
    "corpora": [NextItem()],
    "reward": Hit(),
    "group": 4,
    "prompts": 16,
    "learning_rate": 1e-3,
    "policy": "legal",
    "checkpoint_minutes": 0.0,
    "valid_samples": 20,
    "valid_beams": 10,
}


class TestGRPO(TrainerContract):
    component = GRPO
    options = {
        "reward": {"use": "core/hit"}, "group": 12, "prompts": 24, "learning_rate": 5e-3, "max_steps": 6,
        "epochs": 3, "policy": "legal", "beta": 0.0, "evaluate_every": 1, "patience": None,
    }  # fmt: skip


class TestHit(RewardContract):
    component = Hit


class Favourite(Reward):
    """Rewards one item whatever the history, which makes every model worse."""

    def score(self, group, catalogue, context):
        return [-sum(map(ord, "".join(rollout.tokens))) / 100 for rollout in group.rollouts]


class Fixed(Reward):
    """The same for all: no signal."""

    def score(self, group, catalogue, context):
        return [0.5] * len(group.rollouts)


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def taught(tmp_path_factory, catalogue, training):
    """A folder with a model that was fine-tuned a little."""
    from genrec_core.builtin.tiny_backbones import TinyCausal

    model = TinyCausal(hidden=32, layers=1, heads=2, intermediate=48, vocabulary=280, device="cpu").build(
        catalogue, Context(seed=1)
    )
    SFT(corpora=[NextItem()], epochs=5, learning_rate=5e-3, batch_size=16).train(
        {"main": model}, catalogue, training, Context()
    )
    folder = tmp_path_factory.mktemp("taught")
    model.save(folder)
    return folder


@pytest.fixture
def start(taught):
    return lambda: load_model(taught, device="cpu")


def test_it_learns_and_says_how(start, catalogue, training, log):
    lines = log()
    options = {**QUICK, "group": 8, "learning_rate": 3e-3, "epochs": 8, "patience": None, "beta": 0.0}
    trained = GRPO(**options).train({"main": start()}, catalogue, training, Context(seed=4, log=lines))
    curves = trained.curves
    rewards = [value for _, value in curves["reward"]]
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.02
    assert max(value for _, value in curves["valid ndcg@10"]) > curves["valid ndcg@10"][0][1]
    for name in ("zero-signal groups", "distinct rollouts", "entropy", "learnt tokens", "loss"):
        assert all(math.isfinite(value) for _, value in curves[name])
    assert curves["valid ndcg@10"][0][0] == 0
    (kept,) = lines.of("kept")
    best = max(curves["valid ndcg@10"], key=lambda point: point[1])
    assert (kept["step"], kept["ndcg@10"]) == best
    (cost,) = lines.of("cost")
    assert cost["samples"] > 0
    assert cost["tokens"] > 0


@pytest.fixture
def contented(start, catalogue, training):
    """The same training rows with validation targets that the start likes best: it can only get worse."""
    decoder = Decoder(start(), catalogue, DecoderSettings(beams=10))
    asked = [NextItem().prompt(request, catalogue, Context()) for request in training.valid.requests()]
    liked = [
        catalogue.identifiers.items_of(answer.beams[0].tokens)[0] for answer in decoder.candidates(asked)
    ]
    return Training(training.train, dataclasses.replace(training.valid, targets=np.array(liked, np.int32)))


def test_a_reward_that_makes_the_model_worse_gives_back_the_start(
    start, catalogue, contented, log, weights_of
):
    lines, model = log(), start()
    options = {**QUICK, "reward": Favourite(), "learning_rate": 1e-2, "epochs": 20, "patience": 2}
    trained = GRPO(**options, evaluate_every=2).train(
        {"main": model}, catalogue, contented, Context(log=lines)
    )
    points = [line["ndcg@10"] for line in lines.of("valid")]
    assert max(points[1:]) < points[0] == 1.0
    assert len(points) == 3
    assert same(weights_of(model), weights_of(start()))
    assert trained.curves["reward"][-1][1] > trained.curves["reward"][0][1]


def test_the_best_weights_are_the_ones_that_were_measured(start, catalogue, training, log):
    lines, model = log(), start()
    GRPO(**{**QUICK, "learning_rate": 3e-3, "epochs": 4, "patience": None}).train(
        {"main": model}, catalogue, training, Context(seed=4, log=lines)
    )
    best = max(line["ndcg@10"] for line in lines.of("valid"))
    again = log()
    GRPO(**{**QUICK, "learning_rate": 1e-30, "max_steps": 1}).train(
        {"main": model}, catalogue, training, Context(log=again)
    )
    assert again.of("valid")[0]["ndcg@10"] == pytest.approx(best, abs=1e-9)


def test_bfloat16_arithmetic_trains_float32_weights(start, catalogue, training):
    options = {**QUICK, "precision": "bfloat16", "policy": "full", "patience": None}
    trained = GRPO(**options, max_steps=2).train({"main": start()}, catalogue, training, Context())
    assert all(math.isfinite(value) for curve in trained.curves.values() for _, value in curve)
    assert {value.dtype for value in trained.model.network.parameters()} == {torch.float32}


def test_without_a_signal_and_without_kl_nothing_moves(start, catalogue, training, weights_of, monkeypatch):
    model = start()
    monkeypatch.setattr(GRPOLoop, "load_best", lambda loop: None)
    trained = GRPO(**{**QUICK, "reward": Fixed(), "beta": 0.0, "learning_rate": 1.0}, max_steps=3).train(
        {"main": model}, catalogue, training, Context()
    )
    assert same(weights_of(model), weights_of(start()))
    assert {value for _, value in trained.curves["zero-signal groups"]} == {1.0}
    assert {value for _, value in trained.curves["loss"]} == {0.0}


class Supplied(GRPO):
    """Every prompt is asked again with its whole answer supplied, so nothing is written."""

    def regenerate(self, group, leaves):
        return Regeneration(3)


@pytest.mark.parametrize("loss", get_args(PolicyLoss))
def test_a_round_in_which_nothing_was_written_is_no_number_of_nothing(
    start, catalogue, training, weights_of, monkeypatch, loss
):
    model = start()
    monkeypatch.setattr(GRPOLoop, "load_best", lambda loop: None)
    options = {**QUICK, "loss": loss, "learning_rate": 1.0, "policy": "full"}
    trained = Supplied(**options, max_steps=1).train({"main": model}, catalogue, training, Context())
    assert same(weights_of(model), weights_of(start()))
    assert trained.curves["learnt tokens"] == [(1.0, 0.0)]
    assert trained.curves["second generations"] == [(1.0, 1.0)]
    assert trained.curves["groups with a hit"] == [(1.0, 0.0)]


def test_the_reference_stays_as_it_was_unless_it_is_synchronised(start, catalogue, training, monkeypatch):
    kept = []
    make = GRPOLoop.run

    def run(loop, checkpoint):
        kept.append(loop._parts.reference.network)
        make(loop, checkpoint)

    monkeypatch.setattr(GRPOLoop, "run", run)
    plain = dict(start().network.named_parameters())
    for options in ({}, {"sync_reference": 2, "sync_share": 0.5}):
        options = {**QUICK, "learning_rate": 3e-3, "max_steps": 3, "patience": None, **options}
        GRPO(**options).train({"main": start()}, catalogue, training, Context())
    frozen, moved = (dict(one.named_parameters()) for one in kept)
    assert same(plain, frozen)
    assert not same(plain, moved)
    assert not any(value.requires_grad for value in moved.values())


class Guided(GRPO):
    """Groups without a hit are generated again behind one token of the target."""

    def regenerate(self, group, leaves):
        return None if group.hit() else Regeneration(1 + group.step % 3)


@pytest.mark.parametrize(
    "options",
    [
        {"rollout": "sample", "updates": 2},
        {"sync_reference": 3, "schedule": "cosine", "warmup": 0.2},
        {"rollout": "think", "think_tokens": 3, "think_opening": "(", "think_closing": ")", "group": 3},
        {"rollout": "think", "think_tokens": 2, "think_answer": "free", "group": 2, "max_steps": 8},
    ],
    ids=["updates", "reference", "thoughts", "free answers"],
)
def test_a_run_that_was_killed_and_resumed_ends_as_one_that_was_not(
    start, catalogue, training, tmp_path, log, weights_of, options
):
    trainer = Guided(**{**QUICK, "epochs": 2, "patience": None, "evaluate_every": 2, **options})
    straight = start()
    expected = trainer.train({"main": straight}, catalogue, training, Context(seed=5))
    for step in (3, 7):
        with pytest.raises(KeyboardInterrupt):
            trainer.train({"main": start()}, catalogue, training, Context(5, tmp_path, log=log(dies_at=step)))
    lines, resumed = log(), start()
    result = trainer.train({"main": resumed}, catalogue, training, Context(5, tmp_path, log=lines))
    assert lines.of("resumed") == [{"checkpoint": "checkpoint-6"}]
    assert same(weights_of(straight), weights_of(resumed))
    assert result.curves == expected.curves
    lines, again = log(), start()
    trainer.train({"main": again}, catalogue, training, Context(5, tmp_path, log=lines))
    assert lines.of("train") == []
    assert same(weights_of(straight), weights_of(again))
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes == {".safetensors", ".json"}


def test_a_checkpoint_whose_best_weights_were_altered_is_passed_over(
    start, catalogue, training, tmp_path, log
):
    trainer = GRPO(**QUICK, max_steps=2)
    trainer.train({"main": start()}, catalogue, training, Context(0, tmp_path))
    (file,) = tmp_path.glob("best-*/weights.safetensors")
    body = bytearray(file.read_bytes())
    body[-1] ^= 1
    file.write_bytes(body)
    lines = log()
    trainer.train({"main": start()}, catalogue, training, Context(0, tmp_path, log=lines))
    assert lines.of("resumed") == []
    other = log()
    GRPO(**{**QUICK, "epsilon": 0.3}, max_steps=2).train(
        {"main": start()}, catalogue, training, Context(0, tmp_path, log=other)
    )
    assert other.of("resumed") == []


def test_trl_leaves_no_marks_on_the_model(start, catalogue, training, tmp_path):
    model = start()
    before = model.network.config.to_dict(), model.network.generation_config.to_dict()
    GRPO(**QUICK, max_steps=1).train({"main": model}, catalogue, training, Context())
    assert "forward" not in vars(model.network)
    assert (model.network.config.to_dict(), model.network.generation_config.to_dict()) == before
    assert not model.network.training
    model.save(tmp_path)
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        loaded = load_model(tmp_path, device="cpu").network(input_ids=ids).logits
        assert torch.equal(loaded, model.network(input_ids=ids).logits)


class NoAnswer(Corpus):
    """A chat without a target."""

    def samples(self, view, catalogue, context):
        yield Sample((Text("hello "), Text("you", learn=True)), answer_form="")

    def prompt(self, request, catalogue, context):
        return Sample((Text("hello "),))


class Nothing(Corpus):
    """No samples at all."""

    def samples(self, view, catalogue, context):
        return iter(())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corpora": []}, "`corpora` is empty"),
        ({"corpora": [NoAnswer()]}, "without a target or a constrained answer"),
        ({"corpora": [Nothing()]}, "gave no prompt for the train view"),
        ({"corpora": [NextItem(each="user")]}, "learns inside histories"),
    ],
)
def test_what_cannot_be_trained_is_said(start, catalogue, training, options, message):
    with pytest.raises(GenrecError, match=message):
        GRPO(**{**QUICK, **options}).train({"main": start()}, catalogue, training, Context())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward_weights": (1.0, 2.0)}, "2 `reward_weights` for 1 rewards"),
        ({"lookahead": 3}, "write `rollout: think` too"),
        ({"reward": []}, "at least 1 item"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        GRPO(**{**QUICK, **options})


def test_selection_needs_validation_rows(start, catalogue, training):
    rows = training.valid
    empty = dataclasses.replace(rows, users=(), rows=rows.rows.of([]), targets=rows.targets[:0])
    with pytest.raises(GenrecError, match="no validation rows"):
        GRPO(**QUICK).train({"main": start()}, catalogue, Training(training.train, empty), Context())


def test_a_trainer_with_the_old_name_of_the_hook_is_refused():
    with pytest.raises(ContractError, match="`second`, which is called `regenerate` now"):
        type("Old", (GRPO,), {"second": lambda self, group, leaves: None})


def test_divergence_is_said(start, catalogue, training):
    with pytest.raises(StageError, match="diverged"):
        GRPO(**{**QUICK, "learning_rate": 1e15, "clip": 0.0}, max_steps=4).train(
            {"main": start()}, catalogue, training, Context()
        )


def test_the_tracker_keeps_the_earlier_of_two_equals_and_stops_when_patience_is_out():
    tracker = BestTracker(patience=2)
    assert [
        tracker.evaluated(step, {"m": value}, "m") for step, value in enumerate([1.0, 2.0, 2.0, 1.5])
    ] == [
        True,
        True,
        False,
        False,
    ]
    assert (tracker.best_step, tracker.best_value, tracker.stopped) == (1, 2.0, True)
    assert BestTracker.restored(tracker.state()) == tracker


def test_validation_ranks_items_not_identifiers(policy, catalogue):
    writer = policy()
    items = len(catalogue.items)
    shared = Sample((Text("x"), ItemRef(items - 1, learn=True)), target=items - 1)
    validation = SearchValidation([shared], writer.decoder)
    every = writer.search([writer.prompt_of(shared)], 100)[0]
    from genrec_core.engine.rl.policy import candidate

    beams = [candidate(one) for one in every]
    place = next(n for n, beam in enumerate(beams) if beam.tokens == catalogue.identifiers.tokens(items - 1))
    assert validation.rank(beams, shared) == place + 1
    assert validation.rank(beams, dataclasses.replace(shared, target=items - 2)) == place
    assert validation.rank(beams[:place], shared) is None
    titled = dataclasses.replace(shared, answer_form="title")
    named = [candidate(one) for one in writer.search([writer.prompt_of(titled)], 100)[0]]
    assert named[validation.rank(named, titled)].text == toy_catalogue().write(items - 1, "title")
