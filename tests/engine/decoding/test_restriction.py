"""Items that a row may not be given: the search without them is the search that never knew them."""

import numpy as np
import pytest
import torch

from genrec_core.engine.decoding.beam import SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import Support, decode_state_for
from genrec_core.identifiers.trie import compile_trie
from tests.engine.decoding.random_models import END, FAMILIES, random_model

CPU = torch.device("cpu")
RANDOM = np.random.default_rng(4)
# Forty items, some sharing an identifier, some identifiers continuing others.
IDENTIFIERS = [RANDOM.integers(3, 8, RANDOM.integers(1, 4)).tolist() for _ in range(40)]
TRIE = compile_trie(IDENTIFIERS, terminator=END, terminate="ambiguous")
PROMPTS = [[20, 21, 22], [30], [40, 41, 42, 43], [50, 51]]
WAYS = [*((name, None) for name in FAMILIES), ("llama", "copies"), ("llama", "plain")]
EXCLUDED = [[], [3], RANDOM.permutation(40)[:25].tolist(), list(range(40))]


def found(name, how, constraint, way=None, monkeypatch=None):
    model = random_model(name)
    if way is not None:
        monkeypatch.setattr("genrec_core.engine.decoding.support.support_of", lambda network: Support(way))
    state = decode_state_for(model, steps=TRIE.depth(), width=how.beams)
    return search(state, OutputHead(model.network), constraint, PROMPTS, how)


def nodes_of(result, row):
    return [node for node in result.nodes[row].tolist() if node >= 0]


def allowed_nodes(items):
    """Nodes where at least one allowed item ends."""
    return {node for node in np.flatnonzero(TRIE.ends) if set(TRIE.items_at(node).tolist()) & set(items)}


@pytest.mark.parametrize("scoring", ["full", "legal"])
@pytest.mark.parametrize(("name", "way"), WAYS)
def test_excluded_items_leave_the_order_and_scores_of_the_others(name, way, scoring, monkeypatch):
    every = found(name, SearchSettings(60, scoring), Constraint(TRIE, CPU))
    beams = SearchSettings(60, scoring)
    left = found(name, beams, Constraint(TRIE, CPU).for_rows(EXCLUDED), way, monkeypatch)
    for row, excluded in enumerate(EXCLUDED):
        kept = allowed_nodes(set(range(40)) - set(excluded))
        pairs = zip(nodes_of(every, row), every.scores[row].tolist(), strict=False)
        expected = [(node, score) for node, score in pairs if node in kept]
        assert nodes_of(left, row) == [node for node, _ in expected]
        scores = left.scores[row, : len(expected)].tolist()
        assert scores == pytest.approx([score for _, score in expected], abs=1e-4)


@pytest.mark.parametrize("pairs", [0, 10**6])
@pytest.mark.parametrize("beams", [2, 8, 60])
def test_excluded_items_are_found_from_either_side(beams, pairs, monkeypatch):
    """By the choices, and by the items; alone and with a set of allowed ones that holds everything."""
    excluded = [[], [3], RANDOM.permutation(40)[:9].tolist(), list(range(40))]
    name, how = FAMILIES[0], SearchSettings(beams, "legal")
    everything = [frozenset(range(40))] * len(excluded)
    expected = found(name, how, Constraint(TRIE, CPU).for_rows(excluded, everything))
    monkeypatch.setattr("genrec_core.engine.decoding.constraint.PAIRS_A_CHOICE", pairs)
    result = found(name, how, Constraint(TRIE, CPU).for_rows(excluded))
    assert result.nodes.tolist() == expected.nodes.tolist()
    assert result.scores.tolist() == expected.scores.tolist()


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("beams", [1, 3, 8])
def test_as_many_beams_come_back_as_legal_answers_exist(name, beams):
    result = found(name, SearchSettings(beams), Constraint(TRIE, CPU).for_rows(EXCLUDED))
    for row, excluded in enumerate(EXCLUDED):
        kept = allowed_nodes(set(range(40)) - set(excluded))
        assert len(nodes_of(result, row)) == min(beams, len(kept))
        assert set(nodes_of(result, row)) <= kept


@pytest.mark.parametrize("few", [1, 10, 1000])
@pytest.mark.parametrize("name", FAMILIES)
def test_only_some_items_may_be_answered_less_the_excluded_ones(name, few, monkeypatch):
    # By 1 every set but the whole catalogue is named item by item, by 1000 only the empty one.
    monkeypatch.setattr("genrec_core.engine.decoding.constraint.FEW", few)
    only = [None, frozenset({0, 1, 2, 99}), frozenset(), frozenset({5, 6, 7})]
    exclude = [[1], [1], [], [6]]
    result = found(name, SearchSettings(60), Constraint(TRIE, CPU).for_rows(exclude, only))
    for row, (kept, left_out) in enumerate(zip(only, exclude, strict=True)):
        items = set(range(40) if kept is None else kept) - set(left_out)
        assert set(nodes_of(result, row)) == allowed_nodes(items)


def test_an_item_that_shares_its_identifier_with_an_allowed_one_stays_writable():
    trie = compile_trie([[5, 6], [5, 6], [5, 7]])
    constraint = Constraint(trie, CPU)
    model = random_model("qwen3")

    def written(exclude):
        state = decode_state_for(model, steps=2, width=3)
        result = search(
            state, OutputHead(model.network), constraint.for_rows([exclude]), [[20]], SearchSettings(3)
        )
        return {tuple(trie.path(node)) for node in result.nodes[0].tolist() if node >= 0}

    assert written([0]) == {(5, 6), (5, 7)}
    assert written([0, 1]) == {(5, 7)}


@pytest.mark.parametrize("name", FAMILIES)
def test_sampling_draws_no_excluded_item_and_as_many_as_exist(name):
    noise = torch.Generator().manual_seed(0)
    result = found(name, SearchSettings(8, "legal", noise), Constraint(TRIE, CPU).for_rows(EXCLUDED))
    for row, excluded in enumerate(EXCLUDED):
        kept = allowed_nodes(set(range(40)) - set(excluded))
        assert len(set(nodes_of(result, row))) == len(nodes_of(result, row)) == min(8, len(kept))
        assert set(nodes_of(result, row)) <= kept
