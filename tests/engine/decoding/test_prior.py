"""A prior over items beside the model's own distribution."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch

from genrec_core import Catalogue, Context, Identifiers, Items, Request
from genrec_core.builtin.beam import Beam
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.popular import Popular
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.baseline import BaselineSession, Exceptions
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.views import Example
from genrec_core.engine.decoding.prior import Prior
from genrec_core.identifiers.trie import compile_trie
from genrec_core.testing.sessions import ask

ROWS = [("<a_0>", "<b_0>"), ("<a_0>", "<b_1>"), ("<a_1>", "<b_0>", "<c_0>"), ("<a_1>", "<b_0>", "<c_1>"),
        ("<a_1>", "<b_1>"), ("<a_2>", "<b_1>"), ("<a_2>", "<b_1>")]  # fmt: skip
REQUESTS = [Request("u", history) for history in [(0,), (1, 2, 3), (4, 5)]]
COUNTS = np.array([5, 0, 9, 1, 0, 2, 4], dtype=np.int64)


class Fixed(BaselineSession):
    """The same logits for everyone."""

    def __init__(self, logits):
        super().__init__(len(logits))
        self._logits = np.asarray(logits, dtype=np.float32)

    def scores(self, requests):
        return np.tile(self._logits, (len(requests), 1))


@pytest.fixture(scope="module")
def catalogue():
    new = [f"<{level}_{code}>" for level in "abc" for code in range(3)]
    return Catalogue(Items(tuple(f"i{n}" for n in range(7)), {}), Identifiers.of(ROWS, new_tokens=new))


@pytest.fixture(scope="module")
def model(catalogue):
    built = TinyCausal(hidden=32, layers=1, heads=2, intermediate=48, vocabulary=300).build(
        catalogue, Context(seed=1)
    )
    with torch.no_grad():
        weight = built.network.get_input_embeddings().weight
        weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(1))
    return built


def fitted():
    return Context(fitter=lambda baseline, items, training, context: {"counts": COUNTS})


def answers(model, catalogue, **options):
    found = ask(Beam(**options), {"main": model}, REQUESTS, catalogue, NextItem(), fitted())
    return [{beam.tokens: beam.score for beam in answer.beams} for answer in found]


def shares(weight):
    """log p of each identifier, p in proportion to (count + 1) ** weight, items that share one added."""
    p = (COUNTS + 1.0) ** weight
    p /= p.sum()
    found: dict[tuple[str, ...], float] = {}
    for row, share in zip(ROWS, p, strict=True):
        found[row] = found.get(row, 0.0) + share
    return {row: np.log(share) for row, share in found.items()}


def test_a_node_has_the_probability_of_the_items_under_it():
    trie = compile_trie([[5, 7], [5, 8], [6, 7]])
    logits = np.log([0.1, 0.3, 0.6])
    table = Prior(Fixed(logits), 2.0).nodes(trie, REQUESTS[:2], torch.device("cpu"))
    wanted = np.log(np.array([0.46, 0.10, 0.36, 0.01, 0.09, 0.36]) / 0.46)
    assert table.shape == (2, 6)
    np.testing.assert_allclose(table[1], wanted, rtol=1e-5, atol=1e-6)


def test_an_item_without_any_probability_stays_finite():
    trie = compile_trie([[5, 7], [5, 8], [6, 7]])
    table = Prior(Fixed([0.0, 0.0, -3000.0]), 1.0).nodes(trie, REQUESTS[:1], torch.device("cpu"))
    assert torch.isfinite(table).all()


class FewDiffer(BaselineSession):
    """Random logits for some items of each history, 0 for all others."""

    def __init__(self, items, low, high):
        super().__init__(items)
        self._low, self._high = low, high

    def exceptions(self, requests):
        rows = [row for row, one in enumerate(requests) for _ in set(one.history)]
        items = [item for one in requests for item in set(one.history)]
        values = np.random.default_rng(0).uniform(self._low, self._high, len(rows)).astype(np.float32)
        return Exceptions(np.array(rows, int), np.array(items, int), values.astype(np.float64))

    def scores(self, requests):
        found = np.zeros((len(requests), self.items), dtype=np.float32)
        rows, items, values = self.exceptions(requests)
        found[rows, items] = values
        return found


@pytest.mark.parametrize("spread", [(-1, 1), (-30, 0), (-3000, -2000), (-2000, 2000)])
def test_few_exceptions_make_the_nodes_that_all_logits_make(spread):
    """Identifiers of one to three tokens, some the beginnings of others, some shared; two are of no item."""
    draw = np.random.default_rng(1)
    rows = [draw.integers(0, 4, draw.integers(1, 4)).tolist() for _ in range(38)]
    trie = compile_trie(rows, draw.permutation(40)[:38], terminator=9, terminate="ambiguous")
    histories = [(), (3,), tuple(range(40)), *(tuple(draw.integers(0, 40, 9).tolist()) for _ in range(20))]
    requests = [Request("u", history) for history in histories]
    session = FewDiffer(40, *spread)
    few = Prior(session, 1.5).nodes(trie, requests, torch.device("cpu"))
    session.exceptions = lambda requests: None
    session.scores = functools.partial(FewDiffer.scores, FewDiffer(40, *spread))
    torch.testing.assert_close(few, Prior(session, 1.5).nodes(trie, requests, torch.device("cpu")))


@pytest.mark.parametrize("search", ["beam", "exhaustive"])
@pytest.mark.parametrize("weight", [0.5, 2.0])
def test_a_score_is_the_models_plus_the_weighted_priors(model, catalogue, search, weight):
    plain = answers(model, catalogue, beams=6, search="exhaustive")
    found = answers(model, catalogue, beams=6, search=search, prior=Popular(), prior_weight=weight)
    for one, both in zip(plain, found, strict=True):
        wanted = {tokens: score + shares(weight)[tokens] for tokens, score in one.items()}
        assert both == pytest.approx(wanted, abs=1e-4)
        assert list(both) == sorted(wanted, key=lambda tokens: -wanted[tokens])


def test_few_beams_keep_what_the_prior_prefers(model, catalogue):
    every = answers(model, catalogue, beams=6, prior=Popular(), prior_weight=300.0)
    few = answers(model, catalogue, beams=1, prior=Popular(), prior_weight=300.0)
    for one, all_of_them in zip(few, every, strict=True):
        assert list(one) == list(all_of_them)[:1] == [ROWS[2]]


def valid(target):
    return [Example(request.user, request.history, target=target) for request in REQUESTS]


def test_a_weight_is_chosen_by_validation_rows(model, catalogue, monkeypatch):
    monkeypatch.setattr("genrec_core.builtin.beam.TOP", 1)
    monkeypatch.setattr("genrec_core.builtin.beam.WEIGHTS", (0.0, 1.0, 300.0))
    beam, logged = Beam(beams=6, prior=Popular()), []
    assert beam.undecided()
    context = dataclasses.replace(fitted(), log=lambda event, **values: logged.append(values))
    arguments = {"main": model}, catalogue, {"main": NextItem()}
    chosen = beam.tune(*arguments, valid(2), context)
    best = max(values["recall@1"] for values in logged)
    first = next(values["prior_weight"] for values in logged if values["recall@1"] == best)
    assert best == 1.0, "some weight puts the most popular item first"
    assert chosen == {"prior_weight": first}
    assert not beam.with_options(**chosen).undecided()


def test_an_open_weight_is_refused_where_nothing_chose_it(model, catalogue):
    with pytest.raises(GenrecError, match=r"`prior_weight` of .* is chosen on validation rows"):
        answers(model, catalogue, prior=Popular())
    with pytest.raises(GenrecError, match="there are none"):
        Beam(prior=Popular()).tune({"main": model}, catalogue, {"main": NextItem()}, [], fitted())


def test_a_prior_that_was_not_fitted_is_named(model, catalogue):
    beam = Beam(prior=Popular(), prior_weight=1.0)
    with pytest.raises(GenrecError, match=r"Popular` has not been fitted"):
        beam.open({"main": model}, catalogue, {"main": NextItem()}, Context())
