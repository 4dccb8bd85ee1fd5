"""What a split promises: views that can be trusted, because nothing of the future is in them.

The toy users take no item twice, so an item tells its position in its user's sequence: a leak is an item that
stands too late.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec_core.contracts.views import View, Views
from genrec_core.testing.subject import Subject
from genrec_core.testing.toy import toy_dataset
from genrec_core.testing.verdicts import require

_MAX_HISTORY = 3


def gives_three_views(subject: Subject) -> None:
    """Views are called `train`, `valid` and `test`; only the training view has no fixed targets."""
    views = _split(subject)
    names = [views.train.name, views.valid.name, views.test.name]
    require(names == ["train", "valid", "test"], f"views are called {names}")
    require(views.train.targets is None, "the training view has `targets`")
    for view in (views.valid, views.test):
        require(view.targets is not None, f"the {view.name} view has no `targets`")
    require(len(views.train) and len(views.test), "the toy data gave no training or no test examples")


def keeps_rows_together(subject: Subject) -> None:
    """Users, rows, targets, times and domains of a view agree in length."""
    for view in _each(_split(subject)):
        require(len(view.users) == len(view.rows), f"{view.name}: users and rows differ in length")
        beside = len(view.rows.values) if view.targets is None else len(view.rows)
        require(
            view.targets is None or len(view.targets) == beside, f"{view.name}: targets are not one a row"
        )
        require(view.times is None or len(view.times) == beside, f"{view.name}: times do not fit the rows")
        require(not view.domains or len(view.domains) == beside, f"{view.name}: domains do not fit the rows")


def cuts_histories(subject: Subject) -> None:
    """No example's history is longer than `max_history`."""
    for view in _each(_split(subject)):
        longest = max((len(example.history) for example in view.examples()), default=0)
        require(longest <= _MAX_HISTORY, f"{view.name}: a history has {longest} items, not {_MAX_HISTORY}")


def shows_only_the_past(subject: Subject) -> None:
    """What stands before a target happened before it."""
    places = _places()
    for view in _each(_split(subject)):
        for example in view.examples():
            target = places[example.user][example.target]
            late = [item for item in example.history if places[example.user][item] >= target]
            require(not late, f"{view.name}: user {example.user} sees items {late} before they happened")


def hides_targets_from_training(subject: Subject) -> None:
    """No validation or test target of a user is in the training sequence of that user."""
    views = _split(subject)
    seen = {user: {int(item) for item in row} for user, row in views.train.sequences()}
    for view in (views.valid, views.test):
        for example in view.examples():
            leaked = example.target in seen.get(example.user, set())
            require(not leaked, f"{view.name}: target {example.target} of {example.user} is in training")


def hides_test_targets_from_validation(subject: Subject) -> None:
    """No test target is a validation target, or in a validation history, of the same user."""
    views = _split(subject)
    test = {(example.user, example.target) for example in views.test.examples()}
    for example in views.valid.examples():
        shown = {(example.user, item) for item in (*example.history, example.target)}
        require(not shown & test, f"valid: user {example.user} meets a test target")


def owns_its_rows(subject: Subject) -> None:
    """Views hold copies: the whole data cannot be reached through one."""
    data = toy_dataset()
    views = subject.component().split(data, _MAX_HISTORY)
    for view in _each(views):
        for array in (view.rows.values, view.targets):
            shared = array is not None and np.shares_memory(array, data.sequences.values)
            require(not shared, f"{view.name}: shares memory with the dataset; copy the rows")


def leaves_its_inputs_alone(subject: Subject) -> None:
    """Splitting does not change the dataset."""
    data = toy_dataset()
    before = data.sequences.values.copy()
    subject.component().split(data, _MAX_HISTORY)
    require(np.array_equal(before, data.sequences.values), "`split` changed the sequences")


def agrees_with_itself(subject: Subject) -> None:
    """Two splits of the same data are the same."""
    first, second = _split(subject), _split(subject)
    for one, other in zip(_each(first), _each(second), strict=True):
        same = _told(one) == _told(other)
        require(same, f"{one.name}: two splits of the same data differ")


def _told(view: View) -> list[tuple[str, tuple[int, ...], int]]:
    return [(example.user, example.history, example.target) for example in view.examples()]


def _split(subject: Subject) -> Views:
    views: Views = subject.component().split(toy_dataset(), _MAX_HISTORY)
    return views


def _each(views: Views) -> tuple[View, View, View]:
    return views.train, views.valid, views.test


def _places() -> dict[str, dict[int, int]]:
    """User → item → its position in the user's whole sequence."""
    data = toy_dataset()
    rows = ((user, data.sequences.row(n).tolist()) for n, user in enumerate(data.users))
    return {user: {item: place for place, item in enumerate(row)} for user, row in rows}


def result(subject: Subject) -> Any:
    """Users, histories and targets of the three views."""
    return [_told(view) for view in _each(_split(subject))]


CHECKS = (
    gives_three_views,
    keeps_rows_together,
    cuts_histories,
    shows_only_the_past,
    hides_targets_from_training,
    hides_test_targets_from_validation,
    owns_its_rows,
    leaves_its_inputs_alone,
    agrees_with_itself,
)
