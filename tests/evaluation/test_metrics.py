"""Metrics against worked examples, the obvious loops, and libraries that others maintain."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from evaluation_rows import int32, naive_metrics, ranked, table
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.contracts.candidates import How
from genrec_core.evaluation.metrics import accuracy, counts, coverage, flat, ranks_of, validity
from genrec_core.evaluation.rankings import Rankings


def test_one_unique_hit_in_ten_slots_gives_an_ndcg_of_one():
    # OneRec-Think 5.6 check 8: padding with the hit must not add up to more than the ideal.
    rankings = table([7, 0, 1, 2, 3, 4, 5, 6, 8, 9])
    assert accuracy(ranks_of(rankings, int32(7)).honest, [10])["ndcg@10"] == 1.0


def test_a_hit_at_rank_three_is_worth_a_half_and_a_miss_stays_in_the_denominator():
    found = accuracy(int32(3, 0), [2, 5])
    assert found["recall@2"] == 0.0
    assert found["recall@5"] == 0.5
    assert found["ndcg@5"] == pytest.approx(0.5 / math.log2(4))
    assert found["mrr"] == pytest.approx(0.5 / 3)


def test_ranks_below_the_deepest_cut_off_do_not_count_for_mrr():
    assert accuracy(int32(6, 5), [5])["mrr"] == pytest.approx(0.5 / 5)


def test_valid_and_direct_rates_have_different_denominators():
    # GRLM §1.2: of ten candidates nine reach an item, eight of them directly.
    reached = np.asarray([How.DIRECT] * 8 + [How.STRUCTURAL, How.NONE], dtype=np.uint8)
    rankings = Rankings.of([ranked(range(9), candidates=10, invalid=1, reached=reached)], 10)
    rates = validity(rankings, [5, 10])
    assert rates == {"vr@5": 1.0, "dhr@5": 1.0, "vr@10": 8 / 10, "dhr@10": 8 / 9}
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    assert "vr is 8/10 and dhr 8/9" in " ".join(page.split())
    counted = counts(rankings, ranks_of(rankings, int32(3)), [10])
    assert (counted["candidates@10"], counted["grounded@10"], counted["direct@10"]) == (10, 9, 8)
    assert (counted["invalid"], counted["found"]) == (1, 1)


def test_a_grounder_that_does_not_say_is_measured_by_the_beams_of_its_items():
    rankings = Rankings.of([ranked([4, 5, 6], beams=[1, 1, 3], candidates=4, invalid=2)], 10)
    assert validity(rankings, [4]) == {"vr@4": 0.5, "dhr@4": 1.0}


def test_a_baseline_writes_no_candidates_and_has_no_valid_rate():
    rankings = Rankings.of([ranked([1], candidates=0)], 5)
    assert not [
        name for name in flat(rankings, ranks_of(rankings, int32(1)), [5], 9) if name.startswith("vr")
    ]


def test_coverage_is_the_share_of_the_catalogue_in_any_top_k():
    rankings = table([0, 1, 2], [0, 3])
    assert coverage(rankings, 1, 8) == 1 / 8
    assert coverage(rankings, 3, 8) == 4 / 8


def test_the_inflated_recall_stands_beside_the_honest_one():
    rankings = Rankings.of([ranked([0, 1, 2], beams=[0, 0, 1])], 10)
    found = flat(rankings, ranks_of(rankings, int32(1), int32(0, 0, 1)), [1], 3)
    assert (found["recall@1"], found["recall@1_inflated"]) == (0.0, 1.0)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_metrics_equal_the_obvious_loops(data):
    users = data.draw(st.integers(1, 6))
    lists = [data.draw(st.permutations(range(9)))[: data.draw(st.integers(0, 9))] for _ in range(users)]
    targets = [data.draw(st.integers(0, 8)) for _ in range(users)]
    k = data.draw(st.integers(1, 9))
    found = accuracy(ranks_of(table(*lists), int32(*targets)).honest, [k])
    recall, ndcg = naive_metrics(lists, targets, k)
    assert found[f"recall@{k}"] == pytest.approx(recall)
    assert found[f"ndcg@{k}"] == pytest.approx(ndcg)


def random_lists(users: int = 200, items: int = 40, k: int = 12):
    generator = np.random.default_rng(5)
    lists = np.stack([generator.permutation(items)[:k] for _ in range(users)])
    return lists, generator.integers(0, items, users)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_ndcg_equals_scikit_learns(k):
    sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    lists, targets = random_lists()
    scores, truth = np.zeros((200, 40)), np.zeros((200, 40))
    np.put_along_axis(scores, lists, np.arange(12, 0, -1)[None] * np.ones((200, 1)), axis=1)
    truth[np.arange(200), targets] = 1
    theirs = sklearn_metrics.ndcg_score(truth, np.where(scores > 0, scores, -1e-9), k=k, ignore_ties=True)
    ours = accuracy(ranks_of(table(*lists, k=12), targets.astype(np.int32)).honest, [k])[f"ndcg@{k}"]
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_ndcg_and_mrr_equal_rectools(k):
    pytest.importorskip("rectools", reason="RecTools is not installed")
    import pandas as pd
    from rectools import metrics as rectools_metrics

    lists, targets = random_lists()
    users = np.repeat(np.arange(200), 12)
    reco = pd.DataFrame(
        {"user_id": users, "item_id": lists.ravel(), "rank": np.tile(np.arange(1, 13), 200), "weight": 1.0}
    )
    truth = pd.DataFrame({"user_id": np.arange(200), "item_id": targets, "weight": 1.0, "datetime": 0})
    ours = accuracy(ranks_of(table(*lists, k=12), targets.astype(np.int32)).honest, [k])
    assert ours[f"recall@{k}"] == pytest.approx(rectools_metrics.Recall(k=k).calc(reco, truth))
    assert ours["mrr"] == pytest.approx(rectools_metrics.MRR(k=k).calc(reco, truth))
    standard = rectools_metrics.NDCG(k=k, divide_by_achievable=True).calc(reco, truth)
    assert ours[f"ndcg@{k}"] == pytest.approx(standard)
