"""`core/exact`."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core.builtin.exact import Exact
from genrec_core.contracts.candidates import Candidate, Candidates, How
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.evaluation.metrics import identifier_groups, ranks_of
from genrec_core.evaluation.rankings import Rankings

IDENTIFIERS = Identifiers.of([("x",), ("x",), ("y",), ("z",)])
CATALOGUE = Catalogue(Items(("A", "B", "C", "D"), {}), IDENTIFIERS, np.array([1, 9, 5, 0]))


def ground(*beams: tuple[str, float], collisions: str = "expand"):
    answer = Candidates(tuple(Candidate((token,) if token else (), score) for token, score in beams))
    return Exact(collisions=collisions).open(CATALOGUE, Context()).ground(answer)


@pytest.mark.parametrize(("policy", "rank"), [("expand", 2), ("first", 0), ("popularity", 1)])
def test_a_shared_identifier_follows_the_policy(policy, rank):
    # GRLM 1.6 check 7: A and B share an identifier, beams are that one and C's, the target is B.
    ranked = ground(("x", -1.0), ("y", -2.0), collisions=policy)
    ranks = ranks_of(Rankings.of([ranked], 10), np.array([1], dtype=np.int32), identifier_groups(IDENTIFIERS))
    assert ranks.honest.tolist() == [rank]
    assert ranks.inflated.tolist() == [1]


def test_expanded_items_say_which_beam_they_came_from():
    ranked = ground(("x", -1.0), ("y", -2.0))
    assert (ranked.items.tolist(), ranked.beams.tolist()) == ([0, 1, 2], [0, 0, 1])
    assert ranked.scores.tolist() == [-1.0, -1.0, -2.0]
    assert set(ranked.how.tolist()) == {How.DIRECT}


def test_what_names_no_item_is_dropped_and_counted():
    ranked = ground(("nonsense", -0.1), ("", -0.2), ("y", -3.0))
    assert (ranked.items.tolist(), ranked.candidates, ranked.invalid) == ([2], 3, 2)
    assert ranked.reached.tolist() == [How.NONE, How.NONE, How.DIRECT]


def test_an_item_reached_twice_keeps_its_better_place():
    assert ground(("y", -1.0), ("z", -1.5), ("y", -2.0)).items.tolist() == [2, 3]


def test_equal_scores_are_settled_by_item_index():
    assert ground(("z", -1.0), ("y", -1.0), ("x", -1.0)).items.tolist() == [0, 1, 2, 3]


def test_beams_out_of_order_are_read_in_score_order():
    assert ground(("z", -5.0), ("y", -1.0)).items.tolist() == [2, 3]


def test_no_candidates_give_an_empty_ranking():
    ranked = ground()
    assert (len(ranked.items), ranked.candidates, ranked.invalid) == (0, 0, 0)


def test_popularity_that_nobody_knows_is_an_error():
    bare = Catalogue(CATALOGUE.items, IDENTIFIERS)
    with pytest.raises(GenrecError, match="how often items occur in training"):
        Exact(collisions="popularity").open(bare, Context()).ground(Candidates((Candidate(("x",), 0.0),)))


def test_a_score_that_is_not_a_number_is_an_error():
    with pytest.raises(ContractError, match="nan"):
        ground(("x", float("nan")))
