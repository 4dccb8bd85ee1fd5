"""Plans take what an epoch takes, in batches of like length; labels are where learning is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.engine.batches import by_rows
from genrec_core.engine.training.batch_plan import Collator, Mixture, plan_batches
from genrec_core.engine.training.loss import IGNORED
from genrec_core.engine.training.sample_table import SampleTable


def table_of(lengths):
    total = int(sum(lengths))
    return SampleTable(
        ids=np.arange(total, dtype=np.int32),
        learn=np.arange(total) % 2 == 1,
        nodes=np.full(total, -1, dtype=np.int32),
        asked=np.full(total, -1, dtype=np.int32),
        items=np.full(total, -1, dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        prompts=np.ones(len(lengths), dtype=np.int32),
        weights=np.ones(len(lengths), dtype=np.float32),
    )


def test_weights_say_how_often_samples_are_taken_and_fractions_are_drawn_afresh():
    mixture = Mixture.of([table_of([2] * 10), table_of([3] * 10), table_of([4] * 10)], [1.0, 2.0, 0.5])
    first, second = mixture.epoch(0, seed=1), mixture.epoch(1, seed=1)
    counts = np.bincount(first, minlength=30)
    assert counts[:10].tolist() == [1] * 10
    assert counts[10:20].tolist() == [2] * 10
    assert sorted(counts[20:].tolist()) == [0] * 5 + [1] * 5
    assert set(first[30:]) != set(second[30:])
    assert mixture.epoch(0, seed=1).tolist() == first.tolist()
    assert mixture.table.lengths.tolist() == [2] * 10 + [3] * 10 + [4] * 10


@settings(deadline=None)
@given(
    lengths=st.lists(st.integers(2, 40), min_size=1, max_size=60),
    batch_size=st.integers(1, 9),
    tokens=st.one_of(st.none(), st.integers(30, 200)),
    accumulation=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_a_plan_takes_every_sample_once_an_epoch_within_its_bounds(
    lengths, batch_size, tokens, accumulation, seed
):
    mixture = Mixture.of([table_of(lengths)], [1.0])
    made = plan_batches(
        mixture, epochs=2, batch_size=batch_size, tokens=tokens, accumulation=accumulation, seed=seed
    )
    assert sorted(np.concatenate(made.batches).tolist()) == sorted([*range(len(lengths))] * 2)
    for rows in made.batches:
        assert len(rows) <= batch_size
        if tokens is not None and len(rows) > 1:
            assert len(rows) * max(lengths[row] for row in rows) <= tokens
    assert made.epoch_steps[-1] == made.steps == -(-len(made.batches) // accumulation)
    again = plan_batches(
        mixture, epochs=2, batch_size=batch_size, tokens=tokens, accumulation=accumulation, seed=seed
    )
    assert all((a == b).all() for a, b in zip(made.batches, again.batches, strict=True))


def test_batches_hold_samples_of_like_length():
    lengths = np.random.default_rng(0).integers(5, 100, 640)
    padded = sum(len(rows) * lengths[rows].max() for rows in by_rows(np.arange(640), lengths, 32, None))
    assert padded < 1.1 * lengths.sum()


def test_another_seed_and_another_epoch_order_differently():
    mixture = Mixture.of([table_of([3] * 50)], [1.0])
    first = plan_batches(mixture, epochs=2, batch_size=50, tokens=None, accumulation=1, seed=1).batches
    other = plan_batches(mixture, epochs=1, batch_size=50, tokens=None, accumulation=1, seed=2).batches
    assert set(map(tuple, first)) != {tuple(other[0])}


def test_labels_are_ignored_on_padding_and_wherever_nothing_is_learnt():
    batch = Collator(table_of([4, 2]), "causal", pad_id=99).batch(np.array([0, 1]))
    assert batch["input_ids"].tolist() == [[0, 1, 2, 3], [4, 5, 99, 99]]
    assert batch["labels"].tolist() == [[IGNORED, 1, IGNORED, 3], [IGNORED, 5, IGNORED, IGNORED]]
    assert batch["denominator"].item() == 3


def test_an_encoder_gets_prompts_and_a_mask_and_a_decoder_the_answers():
    batch = Collator(table_of([4, 2]), "seq2seq", pad_id=99).batch(np.array([0, 1]))
    assert batch["input_ids"].tolist() == [[0], [4]]
    assert batch["attention_mask"].tolist() == [[1], [1]]
    assert batch["labels"].tolist() == [[1, IGNORED, 3], [5, IGNORED, IGNORED]]


def test_a_subset_of_a_table_holds_the_same_samples():
    table = table_of([4, 2, 3])
    part = table.subset([2, 0])
    assert part.ids.tolist() == [6, 7, 8, 0, 1, 2, 3]
    assert part.lengths.tolist() == [3, 4]
    assert part.digest != table.digest
    assert table.subset(range(3)).digest == table.digest


@pytest.mark.parametrize("rows", [[], [0]])
def test_subsets_may_be_empty_or_single(rows):
    assert len(table_of([4, 2]).subset(np.array(rows, dtype=np.int64))) == len(rows)
