"""The public data sets: loaded whole, cut as published, nothing held out in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec_core.builtin.explicit_rows import ExplicitRows
from genrec_core.builtin.leave_one_out import LeaveOneOut
from genrec_core.builtin.temporal import Temporal
from genrec_core.data.folder import load_folder
from genrec_core.data.ordering import tie_order


@pytest.mark.parametrize(
    ("name", "users", "items", "interactions"),
    [
        ("ml-100k", 943, 1_682, 100_000),
        ("amazon-beauty", 22_363, 12_101, 198_502),
        ("amazon-industrial", 3_285, 3_686, 22_743),
    ],
)
def test_counts_are_those_of_the_readme(
    shared_data: Path, name: str, users: int, items: int, interactions: int
) -> None:
    dataset = load_folder(shared_data / name)
    assert (len(dataset.users), len(dataset.items), len(dataset.sequences.values)) == (
        users,
        items,
        interactions,
    )


def test_leave_one_out_on_beauty_has_one_row_a_user(shared_data: Path) -> None:
    views = LeaveOneOut().split(load_folder(shared_data / "amazon-beauty"), max_history=20)
    assert (len(views.test), len(views.valid)) == (22_363, 22_363)
    assert views.notes == ()


def test_ties_of_beauty_follow_the_item_ids(shared_data: Path) -> None:
    order = tie_order(load_folder(shared_data / "amazon-beauty"))
    assert round(order.share, 2) == 0.69
    assert "the order of interactions follows the item ids: 69.4% of 176,139" in order.warning


def test_temporal_on_movielens_parts_time(shared_data: Path) -> None:
    views = Temporal().split(load_folder(shared_data / "ml-100k"), max_history=20)
    assert (
        views.train.times.max() < views.valid.times.min() <= views.valid.times.max() < views.test.times.min()
    )


def test_industrial_trains_on_no_step_of_its_rows(shared_data: Path) -> None:
    dataset = load_folder(shared_data / "amazon-industrial")
    views = ExplicitRows().split(dataset, max_history=10)
    assert (len(views.valid), len(views.test)) == (4_532, 4_533)
    held_out = {
        (example.user, example.history, example.target)
        for view in (views.valid, views.test)
        for example in view.examples()
    }
    train = {(example.user, example.history, example.target) for example in views.train.examples()}
    assert len(views.train) == 10_393
    assert not train & held_out
    assert not any("are not in training" in note for note in views.notes)
