"""Rewards by hand (sheet §5.6, checks 1 and 2)."""

import itertools

import pytest
from genrec_plugin_onerec_think.rewards import Hierarchical, RolloutBeam, Sparse, best_match, matched

from genrec_core import Candidate, Context, GenrecError, Group, ItemRef, Rollout, Sample, Text
from genrec_core.engine.rl.rewards import advantages

TRUTH = ("1", "2", "3", "4")
BEAM = (("1", "2", "9", "9"), ("9", "2", "3", "4"))


def test_the_best_match_in_a_beam():
    assert best_match(BEAM, TRUTH, "positional") == 3
    assert best_match(BEAM, TRUTH, "prefix") == 2
    assert best_match((), TRUTH, "positional") == 0
    assert best_match((TRUTH,), TRUTH, "prefix") == 4


@pytest.mark.parametrize("match", ["positional", "prefix"])
def test_more_candidates_never_lower_the_match(match):
    every = list(itertools.product("19", "29", "3", "49"))
    for size in range(len(every)):
        assert best_match(every[: size + 1], TRUTH, match) >= best_match(every[:size], TRUTH, match)


def test_a_shorter_and_a_longer_identifier_match_where_both_have_tokens():
    assert [matched(("1", "2"), TRUTH, how) for how in ("positional", "prefix")] == [2, 2]
    assert [matched((*TRUTH, "5"), TRUTH, how) for how in ("positional", "prefix")] == [4, 4]


@pytest.mark.parametrize("scale", [1, 4])
def test_advantages_of_four_rewards_do_not_depend_on_their_scale(scale):
    found = advantages([reward / scale for reward in (3, 1, 0, 0)], "population")
    assert found == pytest.approx([1.633, 0, -0.816, -0.816], abs=1e-3)


@pytest.fixture
def group(itemic):
    """A group of what was written behind four thoughts and of the beams there; its target is (0, 0, 1)."""
    return lambda behind: _group(itemic, WRITTEN, behind, (0, 0, 1))


def _group(itemic, written, behind, target):
    rollouts = tuple(Rollout(itemic(path) if path else (), "", -1.0, thought="t") for path in written)
    lookahead = tuple(tuple(Candidate(itemic(path), -1.0) for path in beams) for beams in behind)
    sample = Sample((Text("Next: "), ItemRef(1, learn=True)), target=1)
    return Group(sample, itemic(target), rollouts, lookahead=lookahead)


BEHIND = [[(0, 0, 0), (0, 0, 1)], [(0, 1, 1)], [(1, 0, 1)], []]
WRITTEN = [(0, 0, 0), (0, 0, 1), (1, 0, 1), None]


@pytest.mark.parametrize(
    ("reward", "right"),
    [
        (RolloutBeam(), [1, 2 / 3, 2 / 3, 0]),
        (RolloutBeam(match="prefix"), [1, 1 / 3, 0, 0]),
        (RolloutBeam(beams=1), [2 / 3, 2 / 3, 2 / 3, 0]),
        (Hierarchical(), [2 / 3, 1, 2 / 3, 0]),
        (Hierarchical(match="prefix"), [2 / 3, 1, 0, 0]),
        (Sparse(), [0, 1, 0, 0]),
    ],
    ids=lambda one: f"{type(one).__name__}-{one.options}" if hasattr(one, "options") else "",
)
def test_scores_are_shares_of_the_levels_and_boundary_tokens_are_none(catalogue, group, reward, right):
    found = reward.score(group(BEHIND), catalogue, Context())
    assert found == pytest.approx(right)


def test_thoughts_without_beams_cannot_be_scored_by_them(catalogue, group):
    with pytest.raises(GenrecError, match="scores a thought by the beams behind it") as refused:
        RolloutBeam().score(group([]), catalogue, Context())
    assert "write `rollout: think` and `lookahead: 10`" in str(refused.value)
