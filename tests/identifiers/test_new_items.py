"""New items: named by what was learnt from others, and reported beside the known ones."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from genrec_core import Context, ContractError, GenrecError, Identifiers, Items, Sequences, Tokenizer, View
from genrec_core.identifiers.new_items import (
    COMPANIONS,
    extended,
    items_to_learn_from,
    nearest_known,
    new_item_report,
    tokenize,
    unlike_known,
)


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


KNOWN = [("a", "x", "1"), ("a", "x", "2"), ("a", "y"), ("b",)]


def reported(*new):
    return new_item_report(Identifiers.of([*KNOWN, *new]), len(KNOWN))


def test_the_longest_shared_beginning_counts_and_its_known_owners_are_named():
    told = reported(("a", "x", "3"), ("a", "z"), ("c", "x", "1"), ("b", "x"))
    assert told.shared.tolist() == [2, 1, 0, 1]
    assert told.companions == ((0, 1), (0, 1, 2), (), (3,))
    assert told.counts == (3, 1, 0)


def test_new_items_are_no_companions_of_each_other():
    told = reported(("c", "x"), ("c", "x"))
    assert told.shared.tolist() == [0, 0]
    assert told.colliding == 2


def test_an_identifier_that_a_known_item_has_collides():
    told = reported(("a", "y"), ("d",))
    assert (told.shared.tolist(), told.colliding) == ([2, 0], 1)


def test_at_most_a_few_companions_are_named():
    told = new_item_report(Identifiers.of([("a", str(n)) for n in range(9)]), 8)
    assert told.companions == (tuple(range(COMPANIONS)),)


def test_the_nearest_known_item_has_the_largest_cosine_whatever_the_lengths():
    vectors = np.asarray([[9, 1], [1, 1], [0, 0], [2, 2.1], [1, 1.01]], dtype=np.float32)
    nearest = nearest_known(vectors, 4, 4, count=2)
    assert [item for item, _ in nearest] == [1, 3]
    assert abs(nearest[0][1] - 1) < 1e-4


def test_new_items_that_resemble_no_known_one_are_found_with_their_largest_cosine():
    known = [[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0.1, 1, 0]]
    new = [[2, 0.05, 0], [0, 0, 3], [0, 0, 0], [1, 1, 0.2]]
    found, bar = unlike_known(np.asarray(known + new, dtype=np.float32), 4)
    assert bar == pytest.approx(0.995, abs=1e-3)  # every known item has one as near as this
    assert [item for item, _ in found] == [5, 6, 7]
    assert [cosine for _, cosine in found] == pytest.approx([0, 0, 1.1 / (2.04 * 1.01) ** 0.5])


def test_what_counts_as_unlike_is_never_below_the_least_and_blocks_do_not_matter(monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((50, 200)).astype(np.float32)
    vectors[49] = 0
    whole = unlike_known(vectors, 45)
    assert whole[0][-1] == (49, 0.0)
    monkeypatch.setattr(sys.modules[unlike_known.__module__], "_BLOCK", 7)
    found, bar = unlike_known(vectors, 45)
    assert (found, bar) == (whole[0], pytest.approx(whole[1]))
    assert unlike_known(np.eye(3, dtype=np.float32), 2) == ([(2, 0.0)], 0.05)
