"""The unseen-domain protocol: what is evaluated was never trained on, and one catalogue holds both."""

from dataclasses import replace

import numpy as np
import pytest
from genrec_plugin_singer.unseen_domain import UnseenDomain
from pydantic import ValidationError

from genrec_core import Context, DataError, Dataset, EvaluationRows, Items, Sequences, Source
from genrec_core.builtin.merged import Merged


class Shop(Source):
    """Six items of its own colour, two users; the second took two items only."""

    class Options(Source.Options):
        colour: str
        rows: bool = False

    def load(self, context):
        titles = [f"{self.options.colour} {n}" for n in range(6)]
        sequences = Sequences.of([[0, 1, 2, 3, 4, 5], [5, 4]])
        data = Dataset(Items(tuple("abcdef"), {"title": titles}), ("u", "v"), sequences)
        if self.options.rows:
            row = EvaluationRows(("u",), Sequences.of([[1, 2]]), np.array([3], np.int32))
            later = EvaluationRows(("u",), Sequences.of([[2, 3]]), np.array([4], np.int32))
            data = replace(data, valid=row, test=later)
        return data


def both(rows=False):
    parts = {name: Shop(colour=name, rows=rows) for name in ("red", "blue")}
    return Merged(parts=parts, users="separate").load(Context())


def views(rows=False, **options):
    split = UnseenDomain(**{"seen": ["red"], "unseen": ["blue"], **options})
    return split.split(both(rows), max_history=3)


@pytest.mark.parametrize("rows", [False, True])
def test_training_and_selection_never_meet_the_evaluated_domain(rows):
    found = views(rows)
    assert not [note for note in found.notes if "validation rows" in note]
    for view in (found.train, found.valid):
        assert view.rows.values.max() < 6
    assert found.valid.targets.max() < 6
    assert found.test.rows.values.min() >= 6
    assert found.test.targets.min() >= 6
    assert set(found.test.domains) == {"blue"}


def test_without_explicit_rows_the_last_item_of_a_domain_is_held_out():
    found = views()
    assert found.valid.targets.tolist() == [5]
    assert [row.tolist() for _, row in found.train.sequences()] == [[0, 1, 2, 3, 4], [5, 4]]
    assert found.test.targets.tolist() == [11, 10]


def test_explicit_rows_are_used_where_there_are_some():
    found = views(rows=True)
    assert found.valid.targets.tolist() == [3]
    assert [row.tolist() for _, row in found.train.sequences()] == [[0, 1, 2], [5, 4]]
    assert found.test.targets.tolist() == [10]


def test_domains_that_name_no_item_or_stand_on_both_sides_are_refused():
    with pytest.raises(DataError, match="no item has `green`"):
        views(unseen=["green"])
    with pytest.raises(ValidationError, match="both name `red`"):
        views(unseen=["red"])
