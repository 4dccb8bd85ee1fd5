"""What is read together: everything once, of one kind, within bounds, without much padding."""

from hypothesis import given
from hypothesis import strategies as st

from genrec_core.engine.batches import PADDING, by_tokens


def test_a_long_row_does_not_pad_the_short_ones():
    assert by_tokens([40] * 31 + [300], 32_768) == [[31, 0, 1, 2], list(range(3, 31))]


def test_a_little_padding_is_cheaper_than_another_batch():
    assert by_tokens([10, 12, 30], 32_768) == [[2, 1, 0]]


def test_room_to_write_counts():
    assert by_tokens([10, 10, 10], 40, room=10) == [[0, 1], [2]]


def test_a_row_that_is_too_long_is_a_batch_of_its_own():
    assert by_tokens([100, 5], 50) == [[0], [1]]


def test_nothing_is_no_batch():
    assert by_tokens([], 50) == []


@given(
    st.lists(st.tuples(st.integers(1, 400), st.sampled_from("ab")), max_size=80),
    st.integers(1, 5000),
    st.integers(0, 30),
)
def test_each_row_is_read_once_among_its_kind_within_bounds(rows, most, room):
    lengths, kinds = [length for length, _ in rows], [kind for _, kind in rows]
    found = by_tokens(lengths, most, room=room, kinds=kinds)
    assert sorted(place for batch in found for place in batch) == list(range(len(rows)))
    for batch in found:
        longest = max(lengths[place] for place in batch)
        padded, real = len(batch) * longest, sum(lengths[place] for place in batch)
        assert len({kinds[place] for place in batch}) == 1
        assert len(batch) == 1 or padded + len(batch) * room <= most
        assert padded - real <= max(PADDING, real // 4)
