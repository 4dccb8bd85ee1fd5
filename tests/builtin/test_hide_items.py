"""core/hide-items: what is hidden is nowhere in training, and everywhere in the test rows."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core import Context, DataError
from genrec_core.builtin.hide_items import HideItems
from genrec_core.builtin.leave_one_out import DomainLast, LeaveOneOut
from genrec_core.builtin.synthetic import Synthetic
from genrec_core.builtin.temporal import Temporal

DATA = Synthetic(items=240, users=80, domains=2).load(Context())
SPLITS = {"leave-one-out": LeaveOneOut(), "temporal": Temporal(), "domain-last": DomainLast()}


@pytest.fixture(params=SPLITS)
def views(request):
    """The views of a split, and the same with a fifth of the items hidden."""
    split = SPLITS[request.param]
    return split.split(DATA, 5), HideItems(split=split, share=0.2, seed=4).split(DATA, 5)


def hidden_items():
    return set(np.random.default_rng(4).choice(240, 48, replace=False).tolist())


def told(view):
    """Every interaction or row of a view with what stands beside it."""
    if view.targets is not None:
        return list(view.examples())
    users = [user for user, row in view.sequences() for _ in row]
    labels = view.domains or [""] * len(users)
    return list(zip(users, view.rows.values.tolist(), view.times.tolist(), labels, strict=True))


def test_training_is_what_it_was_without_the_hidden_items(views):
    before, after = views
    assert told(after.train) == [one for one in told(before.train) if one[1] not in hidden_items()]
    assert after.train.users == before.train.users


def test_validation_rows_lose_hidden_items_and_those_with_a_hidden_target_are_left_out(views):
    before, after = views
    kept = [row for row, target in enumerate(before.valid.targets.tolist()) if target not in hidden_items()]
    assert after.valid.targets.tolist() == before.valid.targets[kept].tolist()
    for row, old in enumerate(kept):
        shown = [item for item in before.valid.rows.row(old).tolist() if item not in hidden_items()]
        assert after.valid.rows.row(row).tolist() == shown
    assert len(told(after.valid)) == len(kept) == len(after.valid.users)


def test_test_rows_are_those_of_the_other_split(views):
    before, after = views
    assert told(after.test) == told(before.test)


def test_what_is_hidden_is_counted_and_drawn_by_its_own_seed():
    views = HideItems(split=LeaveOneOut(), share=0.2, seed=4).split(DATA, 5)
    cold = sum(target in hidden_items() for target in views.test.targets.tolist())
    assert "48 of 240 items are hidden from training" in views.notes[-1]
    assert f"{cold} of 80 test targets are among them" in views.notes[-1]
    other = HideItems(split=LeaveOneOut(), share=0.2, seed=5).split(DATA, 5)
    assert other.train.rows.values.tolist() != views.train.rows.values.tolist()


def test_hiding_so_much_that_nothing_is_left_is_refused():
    with pytest.raises(DataError, match="no user has two items to train on"):
        HideItems(split=LeaveOneOut(), share=0.999).split(DATA, 5)
