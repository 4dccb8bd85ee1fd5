"""`core/sasrec`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from baseline_data import items, ranked, requests, training
from pydantic import ValidationError

from genrec_core.builtin.sasrec import SASRec
from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import DataError, StageError
from genrec_core.contracts.views import View

ITEMS, STEP = 30, 7
TINY = {"factors": 16, "heads": 2, "blocks": 1, "dropout": 0.1, "learning_rate": 0.02, "batch": 64,
        "device": "cpu"}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny matrices gain nothing from threads; on a busy machine, threads that wait for each other lose."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def walk(start: int, length: int) -> list[int]:
    """Every user walks round the catalogue in equal steps, so the next item is certain."""
    return [(start + STEP * place) % ITEMS for place in range(length)]


def cycle(valid: bool = False):
    rows = [walk(start, 4 + start % 5) for start in range(ITEMS)]
    views = training(*rows)
    if not valid:
        return views
    targets = np.array([(row[-1] + STEP) % ITEMS for row in rows], dtype=np.int32)
    users = tuple(f"u{row}" for row in range(ITEMS))
    return dataclasses.replace(views, valid=View("valid", users, Sequences.of(rows), targets, 20))


def rank(views, *histories, k=ITEMS, seed=0, log=None, **options):
    context = Context(seed=seed, **({"log": log} if log else {}))
    options = {**TINY, "epochs": 25, "negatives": 20, **options}
    return ranked(SASRec(**options), items(ITEMS), views, requests(*histories), k, context)


def share_right(found, histories):
    """How often the first item that the user has not had is the one that follows."""
    first = [next(i for i in r.items if i not in h) for r, h in zip(found, histories, strict=True)]
    return np.mean([i == (h[-1] + STEP) % ITEMS for i, h in zip(first, histories, strict=True)])


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "sampled-softmax"},
        {"loss": "softmax", "negatives": None},
        {"loss": "bce", "negatives": None, "epochs": 80},
        {"tied": False},
        {"tied": False, "history_negatives": True},
        {"history_negatives": True, "negatives": 5},
        {"start": "co-occurrence", "epochs": 15},
    ],
)
def test_each_loss_learns_which_item_follows(options):
    histories = [walk(start, 3) for start in range(ITEMS)]
    found = rank(cycle(), *histories, **options)
    assert share_right(found, histories) > 0.9


def first_loss(start: str) -> float:
    losses: list[float] = []
    rank(cycle(), [0], start=start, epochs=1, log=lambda event, **values: losses.append(values["loss"]))
    return losses[0]


def test_a_start_from_co_occurrence_is_ahead_after_one_epoch():
    assert first_loss("co-occurrence") < first_loss("random")


def test_the_same_seed_gives_the_same_ranking_and_another_seed_another():
    histories = [walk(start, 2) for start in range(5)]
    first, again, other = (
        [r.scores.tolist() for r in rank(cycle(), *histories, seed=seed, epochs=2)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_global_random_state_is_left_as_it_was():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    rank(cycle(), [0], epochs=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_weights_of_the_best_validation_epoch_are_used_and_training_stops_early():
    views = cycle(valid=True)
    misled = dataclasses.replace(
        views, valid=dataclasses.replace(views.valid, targets=np.roll(views.valid.targets, 11))
    )
    seen: list[dict] = []
    options = {"evaluate_every": 1, "patience": 3, "epochs": 40, "seed": 3, "select_by": "ndcg@10"}
    stopped = rank(misled, [0], log=lambda event, **values: seen.append(values), **options)
    figures = [epoch["ndcg@10"] for epoch in seen]
    top = int(np.argmax(figures))
    assert len(seen) == top + 1 + 3 < 40
    only = rank(cycle(), [0], epochs=top + 1, seed=3)
    assert stopped[0].scores.tolist() == only[0].scores.tolist()


def test_validation_can_leave_out_what_the_user_already_had():
    views, seen = cycle(valid=True), []
    for unseen in (False, True):
        rank(views, [0], loss="bce", negatives=None, epochs=30, evaluate_every=30, select_unseen=unseen,
             log=lambda event, **values: seen.append(values))  # fmt: skip
    among_all, among_unseen = (values["ndcg@10"] for values in seen if "ndcg@10" in values)
    assert among_unseen > among_all


def test_without_validation_rows_the_last_epoch_counts():
    seen: list[dict] = []
    rank(cycle(), [0], epochs=3, log=lambda event, **values: seen.append(values))
    assert [epoch["epoch"] for epoch in seen] == [1, 2, 3]
    assert not any("ndcg@10" in epoch for epoch in seen)


def test_requests_do_not_change_what_is_learnt():
    alone = rank(cycle(valid=True), [3], epochs=3)
    among = rank(cycle(valid=True), [3], [1, 2], [9, 4, 5], epochs=3)
    np.testing.assert_allclose(alone[0].scores, among[0].scores, rtol=1e-5, atol=1e-6)


def test_the_ranking_is_in_request_order_and_independent_of_the_chunk():
    histories = [walk(start, 1 + start % 6) for start in range(20)]
    wide = rank(cycle(), *histories, epochs=3, k=ITEMS)
    narrow = rank(cycle(), *histories, epochs=3, k=ITEMS, chunk=3)
    for one, other in zip(wide, narrow, strict=True):
        assert sorted(one.items.tolist()) == list(range(ITEMS))
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4, atol=1e-5)


def test_an_empty_history_gets_the_popular_items():
    views = training([3, 3, 3, 1], [1, 2])
    assert rank(views, [], [1], epochs=1, k=2)[0].items.tolist() == [3, 1]


def test_only_the_newest_items_of_a_long_history_are_read():
    long, cut = rank(cycle(), [9, 9, 9, 1, 8], [1, 8], epochs=2, length=2)
    np.testing.assert_allclose(long.scores, cut.scores, rtol=1e-5)


def test_rows_that_teach_nothing_are_refused():
    with pytest.raises(DataError, match="none of 2 training rows"):
        rank(training([1], [2]), [1])


def test_divergence_is_reported_instead_of_ranked():
    with pytest.raises(StageError, match="training diverged: the loss of epoch"):
        rank(cycle(), [1], learning_rate=1e15, epochs=5)


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(ValidationError, match="multiple of `heads`"):
        SASRec(factors=10, heads=4)
    with pytest.raises(ValidationError, match="`history_negatives` needs `loss: sampled-softmax`, not `bce`"):
        SASRec(loss="bce", history_negatives=True)
    with pytest.raises(ValidationError, match="draws no `negatives`"):
        SASRec(loss="softmax", negatives=5)
