"""Splits: worked examples, and that nothing held out can be reached from training."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core import DataError, Dataset, EvaluationRows, Items, Sequences, Split, View
from genrec_core.builtin.explicit_rows import ExplicitRows
from genrec_core.builtin.leave_one_out import DomainLast, LeaveOneOut
from genrec_core.builtin.random_ties import RandomTies
from genrec_core.builtin.temporal import Temporal
from genrec_core.data.ordering import TieOrder, tie_order
from genrec_core.data.row_file import repeated_rows

LETTERS = "abcdefghij"


def dataset_of(*sequences: str, times: list[float] | None = None, domains: str = "", **more) -> Dataset:
    """One user a string, one item a letter."""
    rows = [[LETTERS.index(letter) for letter in sequence] for sequence in sequences]
    items = Items(tuple(LETTERS), {"title": list(LETTERS)})
    users = tuple(f"u{row}" for row in range(len(rows)))
    clock = None if times is None else np.array(times, dtype=np.float64)
    return Dataset(items, users, Sequences.of(rows), clock, tuple(domains), **more)


def rows_of(*rows: tuple[str, str, str]) -> EvaluationRows:
    """Explicit rows from (user, history, target)."""
    users, histories, targets = zip(*rows, strict=True)
    indices = [[LETTERS.index(letter) for letter in history] for history in histories]
    return EvaluationRows(
        users, Sequences.of(indices), np.array([LETTERS.index(t) for t in targets], dtype=np.int32)
    )


def shown(view: View) -> list[str]:
    """`user: history → target` of each example."""
    return [
        f"{example.user}: {''.join(LETTERS[i] for i in example.history)} → {LETTERS[example.target]}"
        for example in view.examples()
    ]


def trained(view: View) -> list[str]:
    return [f"{user}: {''.join(LETTERS[i] for i in row)}" for user, row in view.sequences()]


def test_leave_one_out_holds_out_the_last_two() -> None:
    views = LeaveOneOut().split(dataset_of("abcde", "fgh"), max_history=3)
    assert trained(views.train) == ["u0: abc", "u1: f"]
    assert shown(views.train) == ["u0: a → b", "u0: ab → c"]
    assert shown(views.valid) == ["u0: abc → d", "u1: f → g"]
    assert shown(views.test) == ["u0: bcd → e", "u1: fg → h"]
    assert views.notes == ()


def test_leave_one_out_keeps_short_users_for_training_and_counts_them() -> None:
    views = LeaveOneOut().split(dataset_of("abc", "de", "f"), max_history=5)
    assert trained(views.train) == ["u0: a", "u1: de", "u2: f"]
    assert shown(views.test) == ["u0: ab → c"]
    assert views.notes == (
        "2 users with fewer than 3 items have no test row",
        "1 users with one item give no training example either",
    )


def test_leave_one_out_can_refuse_short_users() -> None:
    with pytest.raises(DataError, match="2 users have fewer than 3 items: `u1`, `u2`"):
        LeaveOneOut(short_users="refuse").split(dataset_of("abc", "de", "f"), max_history=5)


def test_leave_one_out_needs_a_user_with_three_items() -> None:
    with pytest.raises(DataError, match="none of 2 has so many"):
        LeaveOneOut().split(dataset_of("ab", "c"), max_history=5)


def test_temporal_cuts_ten_targets_into_eight_one_one() -> None:
    data = dataset_of("abcdef", "ghijabc"[:6], times=[0, 1, 3, 5, 7, 9, 0, 2, 4, 6, 8, 10])
    views = Temporal().split(data, max_history=10)
    assert (len(views.train), len(views.valid), len(views.test)) == (8, 1, 1)
    assert views.train.times.max() <= views.valid.times.min() <= views.test.times.min()
    assert shown(views.valid) == ["u0: abcde → f"]
    assert shown(views.test) == ["u1: ghija → b"]


def test_temporal_keeps_targets_of_one_moment_together() -> None:
    data = dataset_of("ab", "cd", "ef", "gh", "ij", times=[0, 1, 0, 2, 0, 2, 0, 3, 0, 4])
    views = Temporal(train=0.5, valid=0.25).split(data, max_history=10)
    assert shown(views.train) == ["u0: a → b"]
    assert shown(views.valid) == ["u1: c → d", "u2: e → f"]
    assert shown(views.test) == ["u3: g → h", "u4: i → j"]


def test_temporal_makes_every_later_target_a_row() -> None:
    data = dataset_of("abcde", times=[0, 1, 2, 3, 4])
    views = Temporal(train=0.5, valid=0.25).split(data, max_history=10)
    assert (shown(views.valid), shown(views.test)) == (["u0: abc → d"], ["u0: abcd → e"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dataset_of("abc"), "needs timestamps"),
        (dataset_of("abcd", times=[1, 1, 1, 1]), "too few different times"),
        (dataset_of("a", "b", times=[1, 2]), "no user has two items"),
    ],
)
def test_temporal_refuses_data_that_it_cannot_cut(data: Dataset, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Temporal().split(data, max_history=10)


def test_temporal_shares_must_leave_a_test() -> None:
    with pytest.raises(ValueError, match="so that a test remains"):
        Temporal(train=0.9, valid=0.1)


def test_explicit_rows_cut_training_before_the_first_row() -> None:
    data = dataset_of(
        "abcde",
        "fghij",
        valid=rows_of(("u0", "b", "c")),
        test=rows_of(("u0", "cd", "e"), ("u1", "fghi", "j")),
    )
    views = ExplicitRows().split(data, max_history=10)
    assert trained(views.train) == ["u0: ab", "u1: fghi"]
    assert shown(views.valid) == ["u0: b → c"]
    assert shown(views.test) == ["u0: cd → e", "u1: fghi → j"]
    assert views.notes == ("2 of 2 training sequences were cut before their first held-out row",)


def test_explicit_rows_find_a_target_that_comes_after_the_sequence() -> None:
    data = dataset_of("abc", valid=rows_of(("u0", "abc", "j")), test=rows_of(("u0", "abc", "i")))
    assert trained(ExplicitRows().split(data, max_history=10).train) == ["u0: abc"]


def test_explicit_rows_cut_at_the_earliest_place_that_fits() -> None:
    data = dataset_of("ababab", "cde", valid=rows_of(("u0", "a", "b")), test=rows_of(("u1", "cd", "e")))
    assert trained(ExplicitRows().split(data, max_history=10).train) == ["u0: a", "u1: cd"]


def test_explicit_rows_leave_out_users_whose_row_is_not_in_their_sequence() -> None:
    data = dataset_of("abc", "def", valid=rows_of(("u0", "ca", "b")), test=rows_of(("stranger", "a", "b")))
    views = ExplicitRows().split(data, max_history=10)
    assert trained(views.train) == ["u1: def"]
    assert views.notes[1:] == (
        "1 users have a row that is not in their sequence and are not in training: `u0`",
        "1 users have rows but no training sequence: `stranger`",
    )


def test_explicit_rows_refuse_a_folder_without_them() -> None:
    with pytest.raises(DataError, match="no valid rows"):
        ExplicitRows().split(dataset_of("abc", test=rows_of(("u0", "a", "b"))), max_history=10)
    bare = dataset_of("abc", valid=rows_of(("u0", "a", "b")), test=rows_of(("u0", "ab", "c")))
    with pytest.raises(DataError, match="nothing is left to train on"):
        ExplicitRows().split(bare, max_history=10)


def test_domain_last_holds_out_two_of_each_domain() -> None:
    views = DomainLast().split(dataset_of("abfgch", domains="bbffbf"), max_history=10)
    assert trained(views.train) == ["u0: af"]
    assert shown(views.valid) == ["u0: a → b", "u0: abf → g"]
    assert shown(views.test) == ["u0: abfg → c", "u0: abfgc → h"]
    assert views.test.domains == ("b", "f")
    assert [request.domain for request in views.valid.requests()] == ["b", "f"]


def test_domain_last_shows_no_test_item_in_a_validation_history() -> None:
    views = DomainLast().split(dataset_of("abcfgh", domains="bbbfff"), max_history=10)
    assert shown(views.valid) == ["u0: a → b", "u0: abf → g"]
    assert shown(views.test) == ["u0: ab → c", "u0: abcfg → h"]


def test_domain_last_counts_users_that_are_short_in_a_domain() -> None:
    data = dataset_of("abcf", "gh", domains="bbbfff")
    assert DomainLast().split(data, 10).notes == (
        "2 times a user with fewer than 3 items in a domain got no row there",
    )
    with pytest.raises(DataError, match="2 times a user has fewer than 3"):
        DomainLast(short_users="refuse").split(data, 10)
    with pytest.raises(DataError, match="needs domains"):
        DomainLast().split(dataset_of("abc"), 10)


@st.composite
def datasets(draw) -> Dataset:
    """Every interaction is an item of its own, so that an item tells its (user, position)."""
    lengths = draw(st.lists(st.integers(1, 9), min_size=2, max_size=6))
    total = sum(lengths)
    rows = np.split(np.arange(total, dtype=np.int32), np.cumsum(lengths)[:-1])
    clock = np.concatenate(
        [np.sort(draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))) for n in lengths]
    )
    domains = tuple(draw(st.lists(st.sampled_from("xy"), min_size=total, max_size=total)))
    names = tuple(str(item) for item in range(total))
    users = tuple(f"u{row}" for row in range(len(lengths)))
    return Dataset(
        Items(names, {"title": list(names)}), users, Sequences.of(rows), clock.astype(float), domains
    )


@pytest.mark.parametrize("split", [LeaveOneOut(), Temporal(train=0.5, valid=0.25), DomainLast()])
@settings(max_examples=120, deadline=None)
@given(dataset=datasets(), max_history=st.integers(1, 5))
def test_nothing_held_out_can_be_reached_from_training(
    split: Split, dataset: Dataset, max_history: int
) -> None:
    try:
        views = split.split(dataset, max_history)
    except DataError:
        return
    tests, valids = set(views.test.targets.tolist()), set(views.valid.targets.tolist())
    reachable = set(views.train.rows.values.tolist())
    assert not reachable & (tests | valids)
    assert not tests & valids
    assert not set(views.valid.rows.values.tolist()) & tests
    position = {item: (row, item) for row in range(len(dataset.users)) for item in dataset.sequences.row(row)}
    for view in (views.train, views.valid, views.test):
        assert not np.shares_memory(view.rows.values, dataset.sequences.values)
        for example in view.examples():
            assert 1 <= len(example.history) <= max_history
            assert all(position[item] < position[example.target] for item in example.history)
            assert len({position[item][0] for item in (*example.history, example.target)}) == 1


@settings(max_examples=80, deadline=None)
@given(dataset=datasets())
def test_temporal_training_ends_before_validation_and_validation_before_test(dataset: Dataset) -> None:
    try:
        views = Temporal(train=0.6, valid=0.2).split(dataset, 5)
    except DataError:
        return
    assert views.train.times.max() < views.valid.times.min()
    assert views.valid.times.max() < views.test.times.min()
    targets = Counter(
        example.target for view in (views.train, views.valid, views.test) for example in view.examples()
    )
    assert set(targets.values()) == {1}
    assert len(targets) == len(dataset.sequences.values) - len(dataset.users)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_explicit_rows_never_train_on_a_held_out_step(data) -> None:
    sequence = data.draw(st.text("ab", min_size=3, max_size=12))
    rows = []
    for _ in range(2):
        end = data.draw(st.integers(1, len(sequence) - 1))
        start = data.draw(st.integers(0, end - 1))
        rows.append(("u0", sequence[start:end], sequence[end]))
    dataset = dataset_of(sequence, "cdef", valid=rows_of(rows[0]), test=rows_of(rows[1]))
    seen = trained(ExplicitRows(repeated="keep").split(dataset, 10).train)
    visible = next((line[4:] for line in seen if line.startswith("u0")), "")
    assert all(history + target not in visible for _, history, target in rows)


def test_rows_that_repeat_or_are_in_both_parts_are_refused_or_counted() -> None:
    row = ("u0", "ab", "c")
    data = dataset_of("abcd", valid=rows_of(row), test=rows_of(row, row, row))
    with pytest.raises(DataError) as caught:
        ExplicitRows().split(data, max_history=5)
    assert caught.value.message == (
        "2 test rows repeat another one, of users `u0`; 1 test rows are validation rows too, of users `u0`"
    )
    assert "repeated: keep" in caught.value.hint
    views = ExplicitRows(repeated="keep").split(data, max_history=5)
    assert len(views.test) == 3
    assert "2 test rows repeat another one, of users `u0`" in views.notes


@pytest.mark.parametrize(
    ("valid", "test", "shown", "same"),
    [
        ("abcd", "bcd", 3, True),  # what a recommender is shown of both is b c d
        ("abcd", "bcd", 4, False),
        ("abcd", "bcd", None, True),  # one is the end of the other
        ("abcd", "abcd", 9, True),
        ("abcd", "acd", None, False),
        ("abcd", "abdc", 4, False),
    ],
)
def test_a_test_row_that_is_shown_as_a_validation_row_is_one(valid, test, shown, same) -> None:
    data = dataset_of("abcdef", valid=rows_of(("u0", valid, "e")), test=rows_of(("u0", test, "e")))
    said = ["1 test rows are validation rows too, of users `u0`"] if same else []
    assert repeated_rows(data.valid, data.test, shown) == said
    if shown and same:
        with pytest.raises(DataError, match="1 test rows are validation rows too"):
            ExplicitRows().split(data, max_history=shown)


def test_a_user_who_does_the_same_again_has_two_rows_of_one_part() -> None:
    """Different histories that end alike: two events, however little of them is shown."""
    rows = rows_of(("u0", "b", "d"), ("u0", "ab", "d"))
    data = dataset_of("abcabc", valid=rows_of(("u0", "ab", "c")), test=rows)
    assert repeated_rows(data.valid, data.test) == repeated_rows(data.valid, data.test, 1) == []


def test_domain_last_trains_on_all_that_is_not_held_out() -> None:
    data = dataset_of("abcdefghij", domains="bbbffffbff")  # books until a b c h, films d e f g i j
    views = DomainLast().split(data, max_history=9)
    assert shown(views.test) == ["u0: abcdefg → h", "u0: abcdefghi → j"]
    assert trained(views.train) == ["u0: abdefg"]
    before = DomainLast(training="before-held-out").split(data, max_history=9)
    assert trained(before.train) == ["u0: ab"]
    assert shown(before.test) == shown(views.test)


def test_ties_listed_by_item_id_are_named() -> None:
    data = dataset_of(*["abcdefghij"] * 30, times=[5.0] * 300)
    order = tie_order(data)
    assert order == TieOrder(1.0, 270, 270)
    assert order.warning.startswith("100.0% of interactions share user and time with another one")
    assert "100.0% of 270 adjacent pairs ascend where 50% are expected" in order.warning
    assert "use `split: {use: core/random-ties, split: …}`" in order.warning


@pytest.mark.parametrize(
    ("tied", "pairs", "ascending", "said"),
    [
        (
            0.9,
            1_000,
            1_000,
            "follows the item ids: 100.0% of 1,000 adjacent pairs ascend where 50% are expected",
        ),
        (
            0.42,
            1_000,
            510,
            "42.0% of interactions share user and time with another one; held against the item ids",
        ),
        (
            0.42,
            1_000,
            510,
            "51.0% of 1,000 adjacent pairs ascend where 50% are expected (binomial test, p = 0.55)",
        ),
        (0.01, 4, 4, "1.0% of interactions share user and time with another one; held against the item ids"),
        (
            0.3,
            0,
            0,
            "30.0% of interactions share user and time with another one, which is always of the same",
        ),
    ],
)
def test_a_notable_share_of_ties_is_said_with_its_test(
    tied: float, pairs: int, ascending: int, said: str
) -> None:
    assert said in TieOrder(tied, pairs, ascending).note


def test_few_ties_and_even_orders_without_times_are_no_news() -> None:
    assert TieOrder(0.009, 1_000, 510).note == ""
    assert TieOrder(0.0, 0, 0).note == ""
    assert TieOrder(None, 1_000, 510).note == ""


def test_without_times_all_adjacent_interactions_are_tested_against_the_ids() -> None:
    order = tie_order(dataset_of(*["abcdefghij"] * 30))
    assert order == TieOrder(None, 270, 270)
    assert order.warning.startswith("there are no times, and the order of interactions follows the item ids:")
    assert tie_order(dataset_of(*["abcabacb"] * 30)).warning == ""


@pytest.mark.parametrize(
    ("pairs", "ascending", "p"),
    [(0, 0, 1.0), (10, 5, 1.0), (10, 10, 2 / 1024), (10, 1, 22 / 1024), (10_000, 5_100, 0.0466)],
)
def test_the_binomial_test_of_ties_is_two_sided(pairs: int, ascending: int, p: float) -> None:
    assert TieOrder(1.0, pairs, ascending).p_value == pytest.approx(p, rel=0.01)


def test_random_ties_keep_times_and_items_and_lose_the_order_of_ids() -> None:
    data = dataset_of(*["abcdefghij"] * 30, times=[5.0] * 9 * 30 + [9.0] * 30)
    times = np.array(([5.0] * 9 + [9.0]) * 30)
    data = Dataset(data.items, data.users, data.sequences, times)
    first, again, other = (
        RandomTies(split=LeaveOneOut(), seed=seed).split(data, max_history=9) for seed in (1, 1, 2)
    )
    assert shown(first.test) == shown(again.test) != shown(other.test)
    assert all(line.endswith("→ j") for line in shown(first.test))  # j alone comes later
    assert {"".join(sorted(row.split(": ")[1])) for row in trained(first.train)} != {"abcdefgh"}
    assert "270 interactions that share user and time were put in random order (seed 1)" in first.notes
    one, two = (RandomTies(split=LeaveOneOut(), seed=seed).identity() for seed in (1, 2))
    assert one != two  # the identity is part of the protocol
    with pytest.raises(DataError, match="this data has no times"):
        RandomTies(split=LeaveOneOut()).split(dataset_of("abc"), max_history=5)
