"""Evaluation: what `metrics.json` and the ranks file hold."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from evaluation_rows import int32, labelled_view, ranked, table

from genrec_core.contracts.errors import ContractError
from genrec_core.evaluation.evaluate import (
    RANKS,
    CatalogueFacts,
    EvaluationInputs,
    EvaluationSettings,
    evaluate,
)
from genrec_core.evaluation.rankings import Rankings
from genrec_core.store.content import load_arrays

PROTOCOL = {"split": "core/leave-one-out", "hash": "abc123def456"}


def facts(groups=None) -> CatalogueFacts:
    return CatalogueFacts(size=6, popularity=np.array([4, 3, 2, 1, 1, 0]), groups=groups)


def some_inputs(**changes) -> EvaluationInputs:
    model = Rankings.of([ranked([0, 1, 2], beams=[0, 0, 1]), ranked([5, 3, 4])], 10)
    baselines = {"core/popular": table([0, 1, 2], [0, 1, 2]), "core/oracle": table([1, 2, 3], [5, 1, 2])}
    fields = {
        "test": labelled_view([[3], [0, 5]], [1, 5]),
        "catalogue": facts(groups=int32(0, 0, 1, 2, 3, 4)),
        "protocol": PROTOCOL,
        "model": model,
        "baselines": baselines,
    }
    return EvaluationInputs(**{**fields, **changes})


def test_the_result_holds_protocol_metrics_intervals_baselines_and_comparisons():
    metrics = evaluate(some_inputs(), EvaluationSettings(at=(1, 3))).metrics
    assert metrics["protocol"]["hash"] == "abc123def456"
    assert metrics["test"]["recall@1"] == 0.5
    assert metrics["test"]["recall@3"] == 1.0
    assert metrics["test"]["recall@1_inflated"] == 1.0
    assert metrics["baselines"]["core/popular"]["recall@3"] == 0.5
    low, high = metrics["intervals"]["test"]["recall@1"]
    assert low <= 0.5 <= high
    assert metrics["comparisons"]["core/popular"]["recall@3"]["difference"] == 0.5
    assert set(metrics["comparisons"]["core/popular"]["recall@3"]) == {"difference", "interval", "p"}
    assert metrics["share_of_oracle"]["recall@1"] == 0.5


def test_every_example_stays_in_the_denominator():
    nothing = evaluate(some_inputs(model=table([], [])), EvaluationSettings(at=(3,))).metrics
    assert nothing["test"]["recall@3"] == 0.0
    assert nothing["counts"]["test"]["examples"] == 2


def test_the_viewed_item_filter_works_on_every_system_alike():
    result = evaluate(some_inputs(), EvaluationSettings(at=(3,), filter_viewed=True))
    assert result.metrics["settings"]["filter_viewed"] is True
    # The second user has seen item 5, which is also the target: no system can recommend it now.
    assert {name: ranks.tolist() for name, ranks in result.ranks.items()} == {
        "model": [2, 0],
        "core/popular": [2, 0],
        "core/oracle": [1, 0],
    }


def test_ranks_below_the_deepest_cut_off_count_as_not_found():
    result = evaluate(some_inputs(), EvaluationSettings(at=(1,)))
    assert result.ranks["model"].tolist() == [0, 1]
    assert result.metrics["counts"]["test"]["found"] == 1


def test_baselines_are_evaluated_without_a_model():
    metrics = evaluate(some_inputs(model=None), EvaluationSettings(at=(3,))).metrics
    assert (metrics["test"], metrics["comparisons"], metrics["intervals"]["test"]) == ({}, {}, {})
    assert metrics["baselines"]["core/popular"]["recall@3"] == 0.5


def test_validation_is_evaluated_where_it_is_given():
    inputs = some_inputs(valid=labelled_view([[0]], [3]), valid_model=table([3]))
    metrics = evaluate(inputs, EvaluationSettings(at=(3,))).metrics
    assert metrics["valid"]["recall@3"] == 1.0
    assert metrics["counts"]["valid"]["examples"] == 1


def test_slices_say_how_many_examples_they_hold():
    target = evaluate(some_inputs(), EvaluationSettings(at=(3,))).metrics["slices"]["target"]
    assert target["cold"]["n"] == target["seen"]["n"] == 1
    assert target["cold"]["systems"]["model"]["recall@3"] == 1.0
    assert target["cold"]["systems"]["core/popular"]["recall@3"] == 0.0


def test_the_result_is_json_and_the_same_twice():
    first, second = (orjson.dumps(evaluate(some_inputs()).metrics) for _ in range(2))
    assert first == second


def test_the_ranks_file_holds_every_system_and_the_protocol(tmp_path):
    evaluate(some_inputs(), EvaluationSettings(at=(3,))).save_ranks(tmp_path / RANKS)
    arrays, about = load_arrays(tmp_path / RANKS)
    assert arrays["model"].tolist() == [2, 1]
    assert about == {"protocol": "abc123def456", "depth": 3}


def test_a_system_that_left_examples_out_is_refused():
    with pytest.raises(ContractError, match="`core/popular` ranked 1 examples, the test view has 2"):
        evaluate(some_inputs(baselines={"core/popular": table([0])}))


def test_rankings_shorter_than_the_deepest_cut_off_are_counted_for_every_system():
    result = evaluate(some_inputs(), EvaluationSettings(at=(3,), filter_viewed=True))
    # The users have seen item 3, and items 0 and 5: each system names one of those to the second user, and
    # the oracle names item 3 to the first.
    assert result.metrics["short"] == {"model": 1, "core/popular": 1, "core/oracle": 2}
    assert evaluate(some_inputs(), EvaluationSettings(at=(3,))).metrics["short"]["model"] == 0


def test_a_later_test_period_adds_the_drift_and_other_splits_do_not():
    valid = labelled_view([[0], [0]], [3, 3], times=np.array([1.0, 2.0]))
    test = labelled_view([[3], [0, 5]], [1, 5], times=np.array([5.0, 6.0]))
    periods = {"valid": valid, "valid_model": table([3], [3]), "test": test}
    assert evaluate(some_inputs(**periods), EvaluationSettings(at=(3,))).metrics["drift"]["distance"] == 1.0
    untimed = {**periods, "valid": labelled_view([[0], [0]], [3, 3])}
    assert "drift" not in evaluate(some_inputs(**untimed), EvaluationSettings(at=(3,))).metrics
