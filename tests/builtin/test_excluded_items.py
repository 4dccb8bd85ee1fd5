"""Items that a request excludes: no candidate leads to one, and as many candidates come back all the same."""

import numpy as np
import pytest
import torch

from genrec_core import (
    Candidate,
    Candidates,
    Catalogue,
    Context,
    Identifiers,
    Items,
    Request,
    Sequences,
    Training,
    View,
)
from genrec_core.builtin.beam import Beam
from genrec_core.builtin.exact import Exact
from genrec_core.builtin.free_beam import FreeBeam
from genrec_core.builtin.fused import Fused
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.recommender import excluding
from genrec_core.testing.sessions import ask

ROWS = [("<a_0>", "<b_0>"), ("<a_0>", "<b_0>"), *((f"<a_{n // 3}>", f"<b_{n % 3}>") for n in range(1, 9))]
"""Ten items; the first two share an identifier."""
CATALOGUE = Catalogue(
    Items(tuple(f"i{n}" for n in range(10)), {"title": [f"thing {n}" for n in range(10)]}),
    Identifiers.of(ROWS, new_tokens=[f"<{level}_{n}>" for level in "ab" for n in range(3)]),
    np.ones(10, dtype=np.int64),
)
REQUESTS = [
    Request("none", (5, 6)),
    Request("one of two", (5, 6), exclude=(0,)),
    Request("both", (5, 6), exclude=(0, 1)),
    Request("a whole branch", (5, 6), exclude=(4, 5, 6)),
    Request("all but three", (5, 6), exclude=(2, 4, 5, 6, 7, 8, 9)),
    Request("one domain", (5, 6), only=frozenset({0, 4, 5, 6, 7, 8})),
    Request("one domain without two", (5, 6), only=frozenset({3, 4, 8}), exclude=(3, 5)),
]


@pytest.fixture(scope="module")
def model():
    made = TinyCausal(hidden=32, layers=1, heads=2, vocabulary=280).build(CATALOGUE, Context(seed=3))
    with torch.no_grad():
        noise = torch.Generator().manual_seed(3)
        made.network.get_input_embeddings().weight.normal_(0, 0.5, generator=noise)
    return made


@pytest.mark.parametrize("form", ["identifier", "title"])
@pytest.mark.parametrize("search", ["beam", "exhaustive"])
def test_k_items_come_back_wherever_k_are_left(model, form, search):
    answers = ask(Beam(beams=4, search=search), {"main": model}, REQUESTS, CATALOGUE, NextItem(target=form))
    ground = Exact().open(CATALOGUE, Context())
    for request, answer in zip(REQUESTS, answers, strict=True):
        items = ground.ground(answer).items.tolist()
        allowed = np.flatnonzero(request.allows(np.arange(10))).tolist()
        assert set(items) <= set(allowed), request.user
        left = {ROWS[item] if form == "identifier" else item for item in allowed}
        assert len(answer.beams) == min(4, len(left)), request.user


@pytest.mark.parametrize("form", ["identifier", "title"])
def test_allowed_items_alone_come_back_and_as_many_as_there_are(model, form):
    rules = [
        (frozenset({0, 4, 5, 9}), ()),
        (frozenset({0, 4, 5, 9}), (4,)),
        (frozenset({1}), (0,)),
        (frozenset({1}), (1,)),
    ]
    requests = [Request("u", (5, 6), only=only, exclude=exclude) for only, exclude in rules]
    answers = ask(Beam(beams=4), {"main": model}, requests, CATALOGUE, NextItem(target=form))
    ground = Exact().open(CATALOGUE, Context())
    for (only, exclude), answer in zip(rules, answers, strict=True):
        assert sorted(ground.ground(answer).items.tolist()) == sorted(only - set(exclude))


def test_more_candidates_than_beams_are_written_when_more_are_asked_for(model):
    assert Beam(beams=4).reaching(3).options.beams == 4
    (answer,) = ask(Beam(beams=4).reaching(9), {"main": model}, REQUESTS[:1], CATALOGUE, NextItem())
    assert len(answer.beams) == 9
    assert FreeBeam(beams=4).reaching(6).options.beams == 6
    fused = Fused(recommenders=[Beam(beams=4)], weights=[1.0], pool=4).reaching(8)
    assert (fused.options.pool, fused.options.recommenders[0].options.beams) == (8, 8)


def test_scores_of_what_is_left_do_not_change(model):
    whole, _, without, *_ = ask(
        Beam(beams=9, search="exhaustive"), {"main": model}, REQUESTS, CATALOGUE, NextItem()
    )
    scores = {beam.tokens: beam.score for beam in whole.beams}
    assert len(without.beams) == 8
    assert all(beam.score == pytest.approx(scores[beam.tokens], abs=1e-4) for beam in without.beams)


@pytest.fixture(scope="module")
def trained(model):
    """The model after it has seen every item behind items 5 and 6, so that it writes identifiers unbidden."""
    rows = Sequences.of([[5, 6, item] for item in range(10)] * 4)
    train = View("train", tuple(f"u{row}" for row in range(40)), rows, None, 3)
    valid = View("valid", ("u",), Sequences.of([[5, 6]]), np.array([2], dtype=np.int32), 3)
    trainer = SFT(corpora=[NextItem()], epochs=25, batch_size=20, learning_rate=1e-2)
    return trainer.train({"main": model}, CATALOGUE, Training(train, valid), Context(seed=1)).model


def test_free_beams_lead_to_no_excluded_item_either(trained):
    free, ground = FreeBeam(beams=30, max_tokens=4), Exact().open(CATALOGUE, Context())
    answers = ask(free, {"main": trained}, REQUESTS, CATALOGUE, NextItem())
    found = [set(ground.ground(answer).items.tolist()) for answer in answers]
    assert len(found[0]) >= 8, "without a limit nearly every item is written"
    for request, items in zip(REQUESTS, found, strict=True):
        assert items == found[0] & set(np.flatnonzero(request.allows(np.arange(10))).tolist()), request.user


def test_a_candidate_that_means_others_too_says_which_are_left():
    shared, other = Candidate(ROWS[0], -1.0), Candidate(ROWS[5], -2.0)
    answer = Candidates((shared, other), {"finish": 2})
    left = excluding(answer, Request("u", (), exclude=(0,)), CATALOGUE)
    assert [(beam.tokens, beam.items) for beam in left.beams] == [(ROWS[0], (1,)), (ROWS[5], ())]
    assert left.phases == {"finish": 2}
    assert excluding(answer, Request("u", (), exclude=(0, 1)), CATALOGUE).beams == (other,)
    assert excluding(answer, Request("u", ()), CATALOGUE) is answer
