"""Every form of answer with every recommender and grounder: what was written reaches the items it means."""

import numpy as np
import pytest

pytest.importorskip("genrec_plugin_grlm")
from genrec_plugin_grlm.eig import ElasticGrounding

from genrec_core import Catalogue, Context, Identifiers, Items, Request, Sequences, Training, View
from genrec_core.builtin.beam import Beam
from genrec_core.builtin.exact import Exact
from genrec_core.builtin.free_beam import FreeBeam
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.candidates import How

NAMES = [("red", "tent"), ("red", "pole"), ("blue", "lamp"), ("blue", "lamp"), ("warm", "socks")]
TITLES = ["Red tent", "Tent pole", "Lamp", "Lamp", "Warm socks"]
CATALOGUE = Catalogue(
    Items(tuple("abcde"), {"title": TITLES}), Identifiers.of(NAMES, separator=" "), np.ones(5, dtype=np.int64)
)
MEANT = {"identifier": [[0], [1], [2, 3], [4]], "title": [[0], [1], [2, 3], [4]]}
"""Items that one answer means, in either form: the two lamps share both their names."""


@pytest.fixture(scope="module")
def trained():
    """A model for each form that has learnt a fixed sequence by heart: a, b, c, e, a …"""
    models = {}
    rows = Sequences.of([[0, 1, 2, 4] * 3] * 8)
    train = View("train", tuple(f"u{row}" for row in range(8)), rows, None, 3)
    valid = View("valid", ("u",), Sequences.of([[0, 1]]), np.array([2], dtype=np.int32), 3)
    for form in MEANT:
        backbone = TinyCausal(hidden=32, layers=1, heads=2, intermediate=48, vocabulary=280)
        model = backbone.build(CATALOGUE, Context(seed=1))
        trainer = SFT(corpora=[NextItem(target=form)], epochs=25, batch_size=16, learning_rate=1e-2)
        models[form] = trainer.train(
            {"main": model}, CATALOGUE, Training(train, valid), Context(seed=1)
        ).model
    return models


def kind_of(component):
    return type(component).__name__


@pytest.mark.parametrize("form", MEANT)
@pytest.mark.parametrize(
    "recommender", [Beam(beams=4), FreeBeam(beams=4, max_tokens=16)], ids=lambda c: c.name
)
@pytest.mark.parametrize("grounder", [Exact(), ElasticGrounding()], ids=lambda c: c.name)
def test_an_answer_in_any_form_reaches_the_items_it_means(trained, form, recommender, grounder):
    prompts = {"main": NextItem(target=form)}
    models, context = {"main": trained[form]}, Context()
    requests = [Request("u", (2, 4, 0)), Request("u", (4, 0, 1))]
    with (
        recommender.open(models, CATALOGUE, prompts, context) as session,
        grounder.open(CATALOGUE, context) as grounding,
    ):
        first, second = (grounding.ground(answer) for answer in session.recommend(requests))
    assert first.items[:1].tolist() == [1]
    assert second.items[:2].tolist() == [2, 3]
    assert second.beams[:2].tolist() == [0, 0]
    assert second.reached[0] == How.DIRECT
    if isinstance(recommender, Beam):
        assert (first.invalid, second.invalid) == (0, 0)
