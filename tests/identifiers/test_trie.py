"""The compiled trie against a dictionary of prefixes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.identifiers.trie import compile_trie, extend_trie, forest

catalogues = st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=5), min_size=1, max_size=30)
END = 9


def children(sequences, prefix):
    """What may follow a prefix, the slow and obvious way."""
    depth = len(prefix)
    return sorted({row[depth] for row in sequences if len(row) > depth and row[:depth] == list(prefix)})


@settings(max_examples=200, deadline=None)
@given(catalogues)
def test_legal_tokens_are_those_of_a_dictionary_of_prefixes(sequences):
    ended = [[*row, END] for row in sequences]
    trie = compile_trie(sequences, terminator=END)
    for row in ended:
        for depth in range(len(row) + 1):
            node = trie.descend(row[:depth])
            assert trie.legal(node).tolist() == children(ended, row[:depth])
            assert trie.leaves[node] == sum(other[:depth] == row[:depth] for other in ended)
            assert trie.path(node) == row[:depth]
            under = [item for item, other in enumerate(ended) if other[:depth] == row[:depth]]
            assert sorted(trie.items_under(node).tolist()) == under


@settings(max_examples=200, deadline=None)
@given(catalogues)
def test_every_item_is_found_at_its_own_sequence_only(sequences):
    trie = compile_trie(sequences, terminator=END)
    for item, row in enumerate(sequences):
        same = [other for other, tokens in enumerate(sequences) if tokens == row]
        assert trie.items_at(trie.descend([*row, END])).tolist() == same
        assert item in same
    assert sorted(item for _, item in trie.entries()) == list(range(len(sequences)))
    assert trie.depth() == max(map(len, sequences)) + 1


@settings(max_examples=200, deadline=None)
@given(catalogues, st.data())
def test_a_restricted_trie_equals_one_compiled_from_the_items_that_stay(sequences, data):
    keep = np.asarray(data.draw(st.lists(st.booleans(), min_size=len(sequences), max_size=len(sequences))))
    whole = compile_trie(sequences, terminator=END)
    if not keep.any():
        with pytest.raises(GenrecError, match="no item to recommend"):
            whole.restrict(keep)
        return
    stay = np.flatnonzero(keep)
    alone = compile_trie([sequences[item] for item in stay], stay, terminator=END)
    part = whole.restrict(keep)
    for name in ("count", "tokens", "starts", "leaves", "ends", "items", "roots"):
        assert getattr(part, name).tolist() == getattr(alone, name).tolist(), name
    assert list(part.entries()) == list(alone.entries())


@settings(max_examples=100, deadline=None)
@given(st.lists(catalogues, min_size=1, max_size=4))
def test_a_forest_keeps_catalogues_apart(several):
    tries = [compile_trie(sequences, terminator=END) for sequences in several]
    together = forest(tries)
    for number, trie in enumerate(tries):
        assert list(together.entries(number)) == list(trie.entries())
        for tokens, _ in trie.entries():
            assert together.descend(tokens, number) == together.roots[number] + trie.descend(tokens)
    for node, parent in enumerate(together.parents):
        assert parent < 0 or node in range(
            together.first[parent], together.first[parent] + together.count[parent]
        )


def test_new_items_join_without_moving_the_old_ones():
    trie = extend_trie(compile_trie([[1, 2], [1, 3]]), [[1, 4], [2, 2]], [7, 8])
    assert {tuple(tokens): item for tokens, item in trie.entries()} == {
        (1, 2): 0, (1, 3): 1, (1, 4): 7, (2, 2): 8,
    }  # fmt: skip


def test_only_ambiguous_identifiers_get_a_terminator_when_asked():
    # IDGenRec check 6: with "a b" and "a b c", after "a b" comes "c" or the end.
    trie = compile_trie([[1, 2], [1, 2, 3], [4]], terminator=0, terminate="ambiguous")
    assert trie.legal(trie.descend([1, 2])).tolist() == [0, 3]
    assert trie.legal(trie.descend([4])).tolist() == []
    assert trie.legal(trie.descend([1, 2, 3])).tolist() == []


def test_the_trie_is_no_bigram_graph():
    # OneRec-Think check 4: a graph of (position, token) pairs would also allow (a1, b1, c2).
    a1, a2, b1, c1, c2 = range(5)
    trie = compile_trie([[a1, b1, c1], [a2, b1, c2]])
    assert trie.legal(trie.descend([a1, b1])).tolist() == [c1]


def test_a_beginning_without_terminator_is_refused():
    with pytest.raises(ContractError, match=r"\[1, 2\] is the beginning of another"):
        compile_trie([[1, 2], [1, 2, 3]])


@pytest.mark.parametrize("sequences", [[], [[1], []]])
def test_empty_identifiers_are_refused(sequences):
    with pytest.raises(ContractError, match="non-empty token sequences"):
        compile_trie(sequences)


def test_steps_that_lead_nowhere_say_so():
    trie = compile_trie([[1, 2], [3, 4]])
    assert trie.step(np.asarray([0, 0, -1]), np.asarray([1, 2, 1])).tolist() == [1, -1, -1]
    assert trie.descend([1, 4]) == -1


def test_a_million_identifiers_take_less_than_150_megabytes():
    codes = np.random.default_rng(0).integers(0, 256, (1_000_000, 4)).astype(np.int32)
    tracemalloc.start()
    trie = compile_trie(codes + 256 * np.arange(4, dtype=np.int32))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(trie.items) == 1_000_000
    assert trie.nbytes < 60e6
    assert peak < 150e6 + codes.nbytes  # the argument itself is made inside the measurement
