"""Elastic grounding: the sheet's worked examples, and agreement with Eq. 4 computed the long way."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from genrec_plugin_grlm.eig import ElasticGrounding
from genrec_plugin_grlm.term_index import TermIndex

from genrec_core import Candidate, Candidates, Catalogue, GenrecError, How, Identifiers, Items
from genrec_core.contracts.context import Context
from genrec_core.evaluation.metrics import ranks_of
from genrec_core.evaluation.rankings import Rankings


def catalogue_of(*rows, popularity=None):
    names = tuple(f"i{n}" for n in range(len(rows)))
    counts = None if popularity is None else np.asarray(popularity, dtype=np.int64)
    return Catalogue(Items(names, {}), Identifiers.of([row.split() for row in rows], separator=" "), counts)


def grounded(catalogue, *written, **options):
    beams = tuple(Candidate(tuple(text.split()), -float(n)) for n, text in enumerate(written))
    return ElasticGrounding(**options).open(catalogue, Context()).ground(Candidates(beams))


def score(index, written):
    fit = index.by_position(written.split())
    return 0.0 if fit is None else fit.score


def test_weights_are_one_over_position_plus_one():
    """Check 1: with weights 1/j the other item would win."""
    catalogue = catalogue_of("a x c x e", "x b c d e")
    assert score(TermIndex(catalogue_of("a x c x e").identifiers), "a b c d e") == pytest.approx(11 / 12)
    assert score(TermIndex(catalogue.identifiers), "a b c d e") == 0.95
    assert grounded(catalogue, "a b c d e").items.tolist() == [1]
    assert score(TermIndex(catalogue.identifiers), "a x c x e") == 1.45


def test_a_term_counts_in_its_own_position_only():
    """Check 2: the repository's scheme returns C, for `soap` is part of `soapbox`."""
    rows = ("soap raw ghana clean bar", "shampoo raw soap clean bar", "soapbox x y z w")
    written = "kenya raw soap lux bar"
    scores = [score(TermIndex(catalogue_of(row).identifiers), written) for row in rows]
    assert scores == [0.5, 0.75, 0.0]
    assert grounded(catalogue_of(*rows), written).items.tolist() == [1]
    alone = catalogue_of("soapbox x y z w")
    assert len(grounded(alone, written).items) == 0
    assert grounded(alone, written, match="anywhere").items.tolist() == [0]
    assert len(grounded(alone, written, match="anywhere", partial=0).items) == 0


def test_what_was_mapped_says_how_and_the_rest_is_invalid():
    ranked = grounded(catalogue_of("a b", "c d"), "c d", "a z", "y z", "")
    assert ranked.items.tolist() == [1, 0]
    assert ranked.how.tolist() == [How.DIRECT, How.STRUCTURAL]
    assert ranked.reached.tolist() == [How.DIRECT, How.STRUCTURAL, How.NONE, How.NONE]
    assert (ranked.candidates, ranked.invalid) == (4, 2)


def test_three_terms_where_all_identifiers_have_five_are_counted_as_malformed_and_still_mapped():
    logged = []
    context = Context(log=lambda event, **values: logged.append((event, values)))
    catalogue = catalogue_of("tent red nylon hiker light", "lamp oil brass camp old")
    beams = tuple(
        Candidate(tuple(text.split()), -1.0)
        for text in (
            "lamp oil brass camp old",
            "tent red nylon hiker warm",
            "tent red nylon",
            "",
            "a b c d e f",
        )
    )
    with ElasticGrounding().open(catalogue, context) as session:
        ranked = session.ground(Candidates(beams))
    assert ranked.reached.tolist() == [How.DIRECT, How.STRUCTURAL, How.STRUCTURAL, How.NONE, How.NONE]
    assert logged == [("answers", {"answers": 5, "malformed": 3})]
    session.close()
    assert len(logged) == 1


@pytest.mark.parametrize(("policy", "rank"), [("expand", 2), ("first", 0), ("popularity", 1)])
def test_a_shared_identifier_follows_the_policy_on_both_tracks(policy, rank):
    """Check 7: A and B share an identifier, the target is B."""
    catalogue = catalogue_of("a b", "a b", "c d", popularity=[1, 9, 5])
    for written in ("a b", "a z"):
        ranked = grounded(catalogue, written, "c d", collisions=policy)
        table = Rankings.of([ranked], 10)
        assert ranks_of(table, np.array([1], dtype=np.int32)).honest.tolist() == [rank]


def test_ties_go_to_the_catalogue_s_first_or_to_the_most_popular():
    catalogue = catalogue_of("a x", "a y", "b y", "a w", popularity=[1, 3, 9, 3])
    assert grounded(catalogue, "a z").items.tolist() == [0]
    assert grounded(catalogue, "a z", ties="popularity").items.tolist() == [1]
    with pytest.raises(GenrecError, match="how often items occur"):
        grounded(catalogue_of("a x", "a y"), "a z", ties="popularity")


def test_one_half_ties_with_a_third_and_a_sixth():
    catalogue = catalogue_of("q b q q e", "a q q q q")
    assert TermIndex(catalogue.identifiers).by_position(["a", "b", "z", "z", "e"]).identifiers.tolist() == [
        0,
        1,
    ]


def test_structural_hits_may_wait_behind_all_direct_ones():
    catalogue = catalogue_of("a b", "c d", "e f")
    written = ("a z", "c d", "e f")
    assert grounded(catalogue, *written).items.tolist() == [0, 1, 2]
    last = grounded(catalogue, *written, order="direct-first")
    assert last.items.tolist() == [1, 2, 0]
    assert (np.diff(last.scores) <= 0).all()


def brute_force(rows, written):
    """Eq. 4 over every item, in exact arithmetic: the best item and its score."""
    weights = [Fraction(1, place + 2) for place in range(6)]
    scores = [
        sum(w for w, a, b in zip(weights, row, written, strict=False) if a == b) + Fraction(0) for row in rows
    ]
    best = max(scores)
    return (scores.index(best), best) if best else (None, best)


def test_ten_thousand_random_queries_agree_with_brute_force():
    generator = np.random.default_rng(4)
    terms = np.array([f"t{n}" for n in range(12)])
    rows = [tuple(terms[generator.integers(12, size=generator.integers(3, 6))]) for _ in range(24)]
    names = Identifiers.of(rows, separator=" ")
    index, first = TermIndex(names), {row: place for place, row in reversed(list(enumerate(rows)))}
    for _ in range(10_000):
        written = terms[generator.integers(12, size=generator.integers(1, 7))].tolist()
        item, best = brute_force(rows, written)
        fit = index.by_position(written)
        if fit is None:
            assert item is None
            continue
        assert fit.score == pytest.approx(float(best))
        assert first[index.rows[int(fit.identifiers[0])]] == item


def test_more_terms_than_weights_allow_are_refused():
    with pytest.raises(GenrecError, match="33 terms"):
        TermIndex(catalogue_of(" ".join(map(str, range(33)))).identifiers)


def test_anywhere_counts_each_term_once_and_an_empty_one_never():
    index = TermIndex(catalogue_of("tent red", "tent tent").identifiers)
    fit = index.anywhere(("red", "tent"), 0.8)
    assert (fit.identifiers.tolist(), fit.score) == ([0], 1.5)
    assert index.anywhere(("",), 0.8) is None
    # `tents` contains `tent`: 0.8 of the first weight, for both.
    assert index.anywhere(("tents",), 0.8).identifiers.tolist() == [0, 1]
