"""The made data set: its oracle is exact, it is easy for the oracle and hard for popularity."""

from __future__ import annotations

import numpy as np
import pytest

from genrec_core import Context, ContractError, Dataset
from genrec_core.builtin.leave_one_out import LeaveOneOut
from genrec_core.builtin.synthetic import Synthetic
from genrec_core.data.markov import MarkovOracle, save_oracle
from genrec_core.data.wording import kinds


@pytest.fixture(scope="module")
def made() -> Dataset:
    return Synthetic().load(Context())


def test_the_law_sums_to_one_and_mixes_as_said() -> None:
    oracle = MarkovOracle(
        successors=np.array([[1, 2], [2, 0], [0, 1]], dtype=np.int32),
        weights=np.array([[0.75, 0.25]] * 3),
        popularity=np.array([0.5, 0.3, 0.2]),
        noise=0.2,
    )
    assert oracle.next_item(np.array([2, 0])) == pytest.approx([0.1, 0.66, 0.24])
    assert oracle.next_item(np.array([], dtype=np.int32)) == pytest.approx([0.5, 0.3, 0.2])


def test_observed_steps_follow_the_law() -> None:
    dataset = Synthetic(items=240, users=40_000, shortest=10, longest=10).load(Context())
    rows = dataset.sequences.values.reshape(-1, 10)
    last, following = rows[:, :-1].ravel(), rows[:, 1:].ravel()
    for item in (0, 50):
        seen = np.bincount(following[last == item], minlength=240)
        probabilities = dataset.oracle.next_item(np.array([item]))
        deviation = (seen / seen.sum() - probabilities) / np.sqrt(
            probabilities * (1 - probabilities) / seen.sum()
        )
        assert np.abs(deviation).max() < 5
        assert probabilities.sum() == pytest.approx(1)


def test_the_oracle_is_good_and_popularity_is_far_behind(made: Dataset) -> None:
    views = LeaveOneOut().split(made, max_history=20)
    popular = set(np.argsort(-np.bincount(views.train.rows.values, minlength=len(made.items)))[:10].tolist())
    oracle = popularity = 0
    for example in views.test.examples():
        probabilities = views.oracle.next_item(np.array(example.history))
        oracle += example.target in np.argsort(-probabilities, kind="stable")[:10]
        popularity += example.target in popular
    assert 0.5 < oracle / len(views.test) < 0.75
    assert popularity * 6 < oracle


def test_the_data_depends_on_its_own_seed_alone(made: Dataset) -> None:
    again, other = Synthetic().load(Context(seed=99)), Synthetic(seed=1).load(Context())
    assert np.array_equal(again.sequences.values, made.sequences.values)
    assert np.array_equal(again.times, made.times)
    assert again.items.ids == made.items.ids
    assert dict(again.items.fields) == dict(made.items.fields)
    assert not np.array_equal(other.sequences.values[:100], made.sequences.values[:100])


def test_titles_are_distinct_and_two_to_four_words_long(made: Dataset) -> None:
    titles = made.items.fields["title"]
    assert len(set(titles)) == len(made.items)
    assert all(2 <= len(title.split()) <= 4 for title in titles)


def test_a_full_catalogue_still_has_distinct_titles() -> None:
    titles = [kind.title(n) for of_topic in kinds() for kind in of_topic for n in range(kind.titles)]
    assert len(set(titles)) == len(titles) >= 11_000


def test_items_that_follow_each_other_share_words(made: Dataset) -> None:
    words = [set(made.items.text(item).lower().split()) for item in range(len(made.items))]
    oracle = made.oracle

    def shared(pairs: list[tuple[int, int]]) -> float:
        return float(np.mean([len(words[one] & words[other]) for one, other in pairs]))

    near = [(item, int(other)) for item in range(len(words)) for other in oracle.successors[item]]
    far = [(one, (one * 7 + 13) % len(words)) for one in range(len(words))]
    assert shared(near) > 1.5 * shared(far)


def test_times_increase_within_a_user(made: Dataset) -> None:
    for row in range(len(made.users)):
        start, end = made.sequences.offsets[row], made.sequences.offsets[row + 1]
        assert (np.diff(made.times[start:end]) > 0).all()


def test_two_domains_label_every_interaction() -> None:
    dataset = Synthetic(domains=2, users=50).load(Context())
    labels = dataset.items.fields["domain"]
    assert dataset.domains == tuple(labels[item] for item in dataset.sequences.values)
    assert set(dataset.domains) == {"indoors", "outdoors"}


def test_lengths_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="`shortest: 20` is more than `longest: 14`"):
        Synthetic(shortest=20)


def test_a_law_of_another_kind_is_not_written(tmp_path) -> None:
    with pytest.raises(ContractError, match="an oracle of type `object` cannot be kept"):
        save_oracle(object(), tmp_path / "oracle.safetensors")
