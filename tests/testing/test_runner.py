"""The kit notices every fault it is there to notice, and says so."""

from __future__ import annotations

import pytest

from genrec_core import GenrecError
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.registry import KINDS
from genrec_core.testing.checks import FLOOR, checks_for
from genrec_core.testing.runner import CheckResult, check_component, shortfall, summary_line
from tests.testing.broken import FAULTS, Chunked, Demanding, Filtering, Good, Hashing, Skipping


@pytest.fixture(scope="module")
def installed():
    return load_plugins()[0]


@pytest.mark.parametrize(("component", "check"), FAULTS, ids=lambda value: getattr(value, "__name__", value))
def test_each_fault_is_noticed_by_the_check_meant_for_it(component, check, installed):
    (result,) = check_component(component.kind, component, builder=installed, only=[check])
    assert result.outcome == "failed"
    assert result.reason


def test_a_sound_component_passes_every_check_that_applies_to_it(installed):
    results = check_component("tokenizer", Good, builder=installed)
    assert [r for r in results if r.outcome == "failed"] == []
    assert {r.name: r.reason for r in results if r.outcome == "skipped"}.keys() == {
        "extends_without_moving_anything",
        "extends_again_what_was_extended",
        "extends_whatever_order_items_are_in",
        "reconstructs_what_it_quantised",
        "registers_without_torch",
        "keeps_results_whatever_is_operational",
    }
    assert shortfall("tokenizer", results) == ""


def test_every_kind_has_checks_with_docstrings_and_a_floor_below_their_number():
    for kind in KINDS:
        checks = checks_for(kind)
        assert all(check.__doc__ for check in checks)
        assert len({check.__name__ for check in checks}) == len(checks)
        assert 0 < FLOOR[kind] <= len(checks)


def test_too_few_checks_are_told_from_enough():
    results = [CheckResult("one", "passed"), CheckResult("two", "skipped", "no reason to")]
    assert "only 1 checks ran" in shortfall("tokenizer", results)
    assert summary_line("tokenizer", "a/b", results) == (
        "tokenizer a/b: 1 passed, 0 failed, 1 skipped (two: no reason to)"
    )


def test_an_exception_inside_a_check_is_a_failure_with_its_place(installed):
    class Breaking(Good):
        """Raises."""

        def fit(self, items, train, context):
            raise ZeroDivisionError("by nought")

    results = check_component("tokenizer", Breaking, builder=installed)
    reasons = [r.reason for r in results if r.outcome == "failed"]
    assert len(reasons) > 5
    assert all("ZeroDivisionError: by nought (test_runner.py:" in reason for reason in reasons)


REASONS = [
    (Hashing, "gives_the_same_in_another_process", "use `hashlib`, sort sets"),
    (
        Chunked,
        "keeps_results_whatever_is_operational",
        "operational option `batch: 1` changes the result, at 0.1.0",
    ),
    (
        Skipping,
        "answers_requests_without_history",
        "3 requests, one of them without a history, got 2 answers",
    ),
    (Filtering, "keeps_viewed_items", "no candidate of 20 requests is in its history"),
]


@pytest.mark.parametrize(
    ("component", "check", "part"), REASONS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_reason_says_what_is_wrong_and_what_to_do(component, check, part, installed):
    (result,) = check_component(component.kind, component, builder=installed, only=[check])
    assert part in result.reason


def test_options_that_do_not_fit_are_told_before_any_check_runs(installed):
    with pytest.raises(GenrecError, match="path"):
        check_component("tokenizer", Demanding, builder=installed)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("split", "core/leave-one-out"),
        ("split", "core/temporal"),
        ("split", "core/rows"),
        ("split", "core/domain-last"),
        ("split", "core/hide-items"),
        ("source", "core/synthetic"),
        ("encoder", "core/ngrams"),
        ("corpus", "core/next-item"),
        ("grounder", "core/exact"),
        ("backbone", "core/tiny-causal"),
        ("recommender", "core/beam"),
        ("recommender", "core/think"),
        ("recommender", "core/free-beam"),
        ("baseline", "core/popular"),
        ("baseline", "core/item-knn"),
        ("baseline", "core/transitions"),
        ("baseline", "core/repeats"),
        ("baseline", "core/oracle"),
    ],
)
def test_built_in_components_keep_their_contracts(kind, name, installed):
    results = check_component(kind, installed.resolve(kind, name), name=name, builder=installed)
    assert [r for r in results if r.outcome == "failed"] == []
    assert shortfall(kind, results) == ""


def test_supervised_fine_tuning_keeps_its_contract(installed):
    options = {"corpora": [{"use": "core/next-item"}], "epochs": 1}
    results = check_component("trainer", installed.resolve("trainer", "core/sft"), options, builder=installed)
    assert [r for r in results if r.outcome == "failed"] == []
    assert shortfall("trainer", results) == ""
