"""Items that are named by what was learnt from others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrec_core import Context, ContractError, GenrecError, Identifiers, Items, Sequences, Tokenizer, View
from genrec_core.identifiers.cold_start import extended, items_to_learn_from, tokenize


class Watching(Tokenizer):
    """Names items in the order they come in, and remembers nothing but what it was shown."""

    shown: list[tuple[tuple[str, ...], list[int]]] = []

    def fit(self, items, train, context):
        self.shown.append((items.ids, train.rows.values.tolist()))
        return Identifiers.of([("fitted", item) for item in items.ids], separator=" ")

    def extend(self, identifiers, items, context):
        old = [identifiers.tokens(item) for item in range(len(identifiers))]
        return Identifiers.of([*old, *(("later", item) for item in items.ids)], separator=" ")


class Unable(Tokenizer):
    """Has no `extend`."""

    def fit(self, items, train, context):
        return Identifiers.of([(item,) for item in items.ids], separator=" ")


ITEMS = Items(tuple("abcde"), {"title": ["A", "B", "C", "D", "E"]})
TRAIN = View("train", ("u", "v"), Sequences.of([[3, 1], [1, 3, 3]]), None, 5)


def test_learning_from_seen_items_fits_on_them_alone_and_names_the_others_later_in_catalogue_order():
    Watching.shown.clear()
    found = tokenize(Watching(learn_from="seen"), ITEMS, TRAIN, Context()).identifiers
    assert Watching.shown == [(("b", "d"), [1, 0, 0, 1, 1])]
    assert [found.text(item) for item in range(5)] == [
        "later a",
        "fitted b",
        "later c",
        "fitted d",
        "later e",
    ]


def test_by_default_and_where_all_are_seen_everything_is_fitted_on():
    everything = replace(TRAIN, rows=Sequences.of([[0, 1, 2, 3, 4]]))
    for tokenizer, train in ((Watching(), TRAIN), (Watching(learn_from="seen"), everything)):
        found = tokenize(tokenizer, ITEMS, train, Context()).identifiers
        assert all(found.tokens(item)[0] == "fitted" for item in range(5))


def test_a_tokenizer_that_cannot_name_new_items_refuses_to_learn_from_seen_ones_only():
    with pytest.raises(GenrecError, match="cannot name items that it was not fitted on"):
        tokenize(Unable(learn_from="seen"), ITEMS, TRAIN, Context())
    assert len(tokenize(Unable(), ITEMS, TRAIN, Context()).identifiers) == 5


def test_training_that_shows_nothing_gives_nothing_to_learn_from():
    with pytest.raises(GenrecError, match="training shows no item"):
        items_to_learn_from("seen", ITEMS, replace(TRAIN, rows=Sequences.of([])))


@pytest.mark.parametrize(
    ("names", "changes", "wrong"),
    [
        ([("<1>",), ("<0>",), ("<2>",)], {}, "renamed 2 old items: `0`, `1`"),
        ([("<0>",), ("<1>",)], {}, "named 2 of 3 items"),
        ([("<0>",), ("<1>",), ("<9>",)], {}, "1 tokens that no model has learnt: `<9>`"),
        ([("<0>",), ("<1>",), ("<2>",)], {"new_tokens": ("<0>",)}, "changed `new_tokens`"),
    ],
)
def test_an_extension_that_no_model_could_follow_is_the_tokenizers_fault(names, changes, wrong):
    class Faulty(Unable):
        """Extends to whatever the test says."""

        def extend(self, identifiers, items, context):
            return Identifiers.of(names, **{"new_tokens": identifiers.new_tokens, **changes})

    fitted = Identifiers.of([("<0>",), ("<1>",)], new_tokens=("<0>", "<1>", "<2>"))
    with pytest.raises(ContractError, match=wrong):
        extended(Faulty(), fitted, ITEMS.subset([2]), Context())


def test_arranging_and_arranging_back_changes_nothing():
    old = Identifiers.of([("a", "x"), ("b",), ("a", "y", "z")], state={"mean": np.zeros(2)})
    order = [2, 0, 1]
    mixed = old.arranged(order)
    assert [mixed.tokens(item) for item in range(3)] == [("a", "y", "z"), ("a", "x"), ("b",)]
    assert mixed.arranged(np.argsort(order)).digest == old.digest
    assert mixed.state.keys() == {"mean"}
