"""Losses as components: their values by hand, their place in fine-tuning, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError

from genrec_core import Context
from genrec_core.builtin.losses import BeamAware, Focal, Smoothed
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.engine.training.token_losses import beam_aware, cross_entropy, focal, smoothed
from genrec_core.testing.contracts import LossContract
from genrec_core.testing.toy import toy_catalogue, toy_training

HALF = torch.tensor([[0.5, 0.25, 0.25]]).log()
FIRST, SECOND = torch.tensor([0]), torch.tensor([1])


class TestSmoothed(LossContract):
    component = Smoothed


class TestFocal(LossContract):
    component = Focal


class TestBeamAware(LossContract):
    component = BeamAware
    options = {"beams": 3}


def test_values_by_hand():
    assert cross_entropy(HALF, FIRST).item() == pytest.approx(math.log(2))
    spread = (math.log(2) + 2 * math.log(4)) / 3
    assert smoothed(HALF, FIRST, 0.3).item() == pytest.approx(0.7 * math.log(2) + 0.3 * spread)
    assert focal(HALF, FIRST, 2.0).item() == pytest.approx(0.25 * math.log(2))
    assert focal(HALF, SECOND, 1.0).item() == pytest.approx(0.75 * math.log(4))
    # The second of three, two beams: it ties with the edge, so half the penalty; the first is above it.
    assert beam_aware(HALF, SECOND, 2, 0.4, 1.0).item() == pytest.approx(math.log(4) + 0.4 / 2)
    above = 1 / (1 + math.exp(math.log(2) / 0.5))
    assert beam_aware(HALF, FIRST, 2, 0.4, 0.5).item() == pytest.approx(math.log(2) + 0.4 * above)
    assert beam_aware(HALF, SECOND, 3, 0.4, 1.0).item() == pytest.approx(math.log(4)), "nothing is pruned"


def test_smoothing_as_a_component_is_the_option(tmp_path):
    weights = []
    for options in ({"label_smoothing": 0.2}, {"loss": Smoothed(share=0.2)}):
        trained = _trained(tmp_path / str(len(weights)), **options)
        weights.append([value.clone() for value in trained.models["main"].network.parameters()])
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(*weights, strict=True))


@pytest.mark.parametrize("scoring", ["full", "legal"])
@pytest.mark.parametrize("loss", [Focal(), BeamAware(beams=2)], ids=lambda loss: type(loss).__name__)
def test_training_by_another_loss_ends_elsewhere_and_validates_by_cross_entropy(tmp_path, scoring, loss):
    plain = _trained(tmp_path / "plain", scoring=scoring)
    other = _trained(tmp_path / "other", scoring=scoring, loss=loss)
    first, second = ((one.curves["train loss"][0][1], one.curves["valid loss"]) for one in (plain, other))
    assert first[0] != pytest.approx(second[0], abs=1e-3)
    one, two = (trained.models["main"].network.get_input_embeddings().weight for trained in (plain, other))
    assert not torch.allclose(one, two, atol=1e-4)
    assert first[1][-1][1] == pytest.approx(second[1][-1][1], rel=0.3), (
        "both are cross-entropy of one model size"
    )


def test_a_loss_and_label_smoothing_are_one_too_many():
    with pytest.raises(ValidationError, match="`loss` stands in its place"):
        SFT(corpora=[NextItem()], loss=Focal(), label_smoothing=0.1)


def _trained(folder, **options):
    from genrec_core.builtin.tiny_backbones import TinyCausal

    folder.mkdir()
    context, catalogue = Context(seed=1, workspace=folder), toy_catalogue()
    model = TinyCausal(hidden=16, layers=1, heads=2, intermediate=32, vocabulary=300).build(
        catalogue, context
    )
    steps = {"max_steps": 6, "batch_size": 8, "learning_rate": 0.01, "keep": "last", **options}
    return SFT(corpora=[NextItem()], **steps).train({"main": model}, catalogue, toy_training(), context)
