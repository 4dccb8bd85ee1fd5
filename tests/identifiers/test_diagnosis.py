"""What the doctor finds: neighbours against a slow search, duplicates, collisions they explain, errors."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import orjson
import pytest

from genrec_core import GenrecError, Identifiers, Items, Reconstruction
from genrec_core.identifiers.diagnosis.diagnosis import Depth, IdentifierInputs, examine
from genrec_core.identifiers.diagnosis.duplicates import alike, count_near_duplicates, explained
from genrec_core.identifiers.diagnosis.neighbours import nearest_by_cosine, neighbours
from genrec_core.identifiers.prefixes import Prefixes

TEXTS = [
    "Red tent for two persons",
    "red TENT, for two persons!",
    "Blue kettle of steel with a long spout",
    "Blue kettle of steel with long spout",
    "Rope",
    "",
    "",
]


def items_of(texts):
    return Items(tuple(f"i{n}" for n in range(len(texts))), {"title": list(texts)})


def vectors_of(count=40, width=5, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


def names_of(count=40, seed=1, codes=3):
    generator = np.random.default_rng(seed)
    return [tuple(f"<{level}_{generator.integers(codes)}>" for level in "abc") for _ in range(count)]


def slow_recall(vectors, names, k, length):
    """Average over every order of the items that a search by prefix may give, one item at a time."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    shares = []
    for i, name in enumerate(names):
        others = [j for j in range(len(names)) if j != i]
        near = sorted(others, key=lambda j: (-round(float(unit[i] @ unit[j]), 5), j))[:k]
        depth = {
            j: len(list(itertools.takewhile(lambda ab: ab[0] == ab[1], zip(name, names[j], strict=True))))
            for j in others
        }
        depth = {j: min(found, length) for j, found in depth.items()}
        left, expected = k, 0.0
        for level in range(length, -1, -1):
            group = [j for j in others if depth[j] == level]
            taken = min(left, len(group))
            if group:
                expected += sum(j in near for j in group) * taken / len(group)
            left -= taken
        shares.append(expected / k)
    return float(np.mean(shares))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_neighbour_recall_is_the_expectation_over_ties(length):
    vectors, names = vectors_of(), names_of()
    found = neighbours(vectors, Prefixes.of(Identifiers.of(names)))
    assert found.lengths[length - 1].recall == pytest.approx(slow_recall(vectors, names, 10, length))


def test_names_that_say_nothing_reach_the_chance_level():
    same = neighbours(vectors_of(), Prefixes.of(Identifiers.of([("a",)] * 40)))
    assert same.recall == pytest.approx(same.chance) == pytest.approx(10 / 39)
    unique = neighbours(vectors_of(), Prefixes.of(Identifiers.of([(f"<{n}>",) for n in range(40)])))
    assert unique.recall == pytest.approx(unique.chance)
    assert unique.lengths[0].kept == unique.lengths[0].kept_by_chance == 0


def test_names_that_follow_the_embedding_find_every_neighbour():
    place = np.repeat(np.arange(4), 11)
    vectors = np.eye(4, dtype=np.float32)[place] + 0.01 * vectors_of(44, 4)
    found = neighbours(vectors, Prefixes.of(Identifiers.of([(f"<{p}>",) for p in place])))
    assert found.recall == pytest.approx(1)
    assert found.lengths[0].kept == 1
    assert found.lengths[0].kept_by_chance == pytest.approx(10 / 43)


def test_nearest_items_tie_in_catalogue_order_and_leave_out_the_item():
    vectors = np.asarray([[1, 0]] * 4 + [[0, 1]], dtype=np.float32)
    assert nearest_by_cosine(vectors, np.arange(5), 2).tolist() == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 1]]


def test_a_sample_of_queries_is_drawn_by_seed_and_stated():
    prefixes = Prefixes.of(Identifiers.of(names_of()))
    first, second, other = (neighbours(vectors_of(), prefixes, queries=8, seed=s) for s in (0, 0, 1))
    assert first == second != other
    assert (first.queries, first.items) == (8, 40)


def test_one_item_has_no_neighbours():
    assert neighbours(vectors_of(1), Prefixes.of(Identifiers.of([("a",)]))) is None


def test_near_duplicates_are_texts_with_the_same_words():
    found = alike(TEXTS)
    assert found.groups[0] == found.groups[1] == found.same[1]
    assert found.groups[2] == found.groups[3] != found.groups[0]
    assert found.same[2] != found.same[3]
    assert len(set(found.groups.tolist())) == 5, "a short text and texts without words are alone"


def test_only_texts_with_four_fifths_of_their_words_in_common_are_alike():
    words = [f"word{n}" for n in range(9)]
    nine, eight = " ".join(words), " ".join(words[:8])
    seven, six = " ".join(words[:7]), " ".join([*words[:7], "other", "more"])
    groups = alike([nine, eight]).groups
    assert groups[0] == groups[1]
    assert len(set(alike([nine, seven]).groups.tolist())) == 2
    assert len(set(alike([nine, six]).groups.tolist())) == 2


def test_duplicates_explain_the_collisions_that_are_theirs():
    found = alike(TEXTS)
    names = [("a",), ("a",), ("b",), ("c",), ("d",), ("d",), ("e",)]
    prefixes = Prefixes.of(Identifiers.of(names))
    told = count_near_duplicates(found, prefixes, items_of(TEXTS).ids)
    assert (told.items, told.groups, told.largest, told.surplus, told.identical) == (4, 2, 2, 2, 2)
    assert told.collisions_explained == 0.5
    assert explained(found, prefixes) == [0.5]
    assert told.examples == (("i0", "i1"), ("i2", "i3"))


def test_without_collisions_there_is_nothing_to_explain():
    prefixes = Prefixes.of(Identifiers.of([(f"{n}",) for n in range(7)]))
    assert count_near_duplicates(alike(TEXTS), prefixes, items_of(TEXTS).ids).collisions_explained is None


def test_without_datasketch_the_rest_is_found_and_the_way_to_install_it_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasketch", None)
    ids = Identifiers.of([(f"{n % 3}",) for n in range(7)])
    found = examine(IdentifierInputs(ids, items_of(TEXTS), lambda: vectors_of(7)))
    assert found.duplicates is None
    assert found.neighbours is not None
    assert any("genrec-core[doctor]" in line for line in found.missing)


def test_what_cannot_be_examined_is_said():
    found = examine(IdentifierInputs(Identifiers.of([("a",), ("b",)]), Items(("x", "y"), {})))
    assert [line.partition(":")[0] for line in found.missing] == ["near-duplicates", "neighbours"]
    quick = examine(IdentifierInputs(Identifiers.of([("a",)]), items_of(["Rope"])), Depth(full=False))
    assert quick.missing == (
        "neighbours, near-duplicates, reconstruction: not asked for (genrec doctor looks)",
    )


def test_the_largest_buckets_are_shown_with_their_first_items():
    names = [("a",), ("b",), ("b",), ("c",), ("c",), ("c",), ("c",)]
    buckets = examine(IdentifierInputs(Identifiers.of(names), items_of(["long " * 40] * 7))).buckets
    assert [(bucket.identifier, bucket.size) for bucket in buckets] == [("c", 4), ("b", 2)]
    assert [item.id for item in buckets[0].items] == ["i3", "i4", "i5"]
    assert len(buckets[0].items[0].text) == 80


def test_the_reconstruction_error_is_a_share_of_the_variance():
    seen = np.asarray([[0.0], [2.0]], dtype=np.float32)
    half = Reconstruction(seen, np.asarray([[0.0], [1.0]], dtype=np.float32))
    inputs = IdentifierInputs(
        Identifiers.of([("a",), ("b",)]), items_of(["x", "y"]), reconstruct=lambda: half
    )
    error = examine(inputs).reconstruction
    assert (error.unexplained, error.error) == (0.5, 0.5)


def test_a_tokenizer_that_cannot_reconstruct_does_not_end_the_examination():
    def refuse():
        raise GenrecError("another tokenizer made these")

    found = examine(IdentifierInputs(Identifiers.of([("a",)]), items_of(["x"]), reconstruct=refuse))
    assert found.reconstruction is None
    assert "reconstruction: another tokenizer made these" in found.missing


def test_a_reconstruction_of_another_shape_is_not_compared():
    odd = Reconstruction(np.zeros((2, 3), dtype=np.float32), np.zeros((1, 3), dtype=np.float32))
    found = examine(
        IdentifierInputs(Identifiers.of([("a",), ("b",)]), items_of("xy"), reconstruct=lambda: odd)
    )
    assert found.reconstruction is None
    assert any("`(2, 3)` and `(1, 3)`" in line for line in found.missing)


def test_a_diagnosis_is_plain_json_with_the_health_at_the_top():
    ids = Identifiers.of(names_of(7))
    found = examine(IdentifierInputs(ids, items_of(TEXTS), lambda: vectors_of(7), "core/ngrams"))
    plain = orjson.loads(orjson.dumps(found.plain(), option=orjson.OPT_SERIALIZE_NUMPY))
    assert plain["items"] == 7
    assert plain["levels"][0]["level"] == 1
    assert plain["neighbours"]["recall"] == found.neighbours.recall
    assert plain["space"] == "core/ngrams"


def test_sorted_bands_join_what_comparing_all_pairs_joins():
    pytest.importorskip("datasketch")
    dice, words = np.random.default_rng(0), [f"w{n}" for n in range(40)]
    texts = [" ".join(dice.choice(words, 12, replace=False)) for _ in range(60)]
    texts += [" ".join([*text.split()[:-1], "new"]) for text in texts[::2]]  # 11 of 13 words in common
    texts += ["", "!"]
    sets = [frozenset(text.split()) for text in texts]
    groups = list(range(len(texts)))
    for one, other in itertools.combinations(range(120), 2):
        if other < 90 and len(sets[one] & sets[other]) >= 0.8 * len(sets[one] | sets[other]):
            groups = [groups[one] if group == groups[other] else group for group in groups]
    found = alike(texts).groups.tolist()
    together = [(a, b) for a, b in itertools.combinations(range(len(texts)), 2) if found[a] == found[b]]
    wanted = [(a, b) for a, b in itertools.combinations(range(len(texts)), 2) if groups[a] == groups[b]]
    assert together == wanted != []


def test_neighbours_do_not_depend_on_the_size_of_blocks(monkeypatch):
    vectors = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
    whole = nearest_by_cosine(vectors, np.arange(40), 3)
    module = sys.modules[nearest_by_cosine.__module__]
    monkeypatch.setattr(module, "_ROWS", 7)
    monkeypatch.setattr(module, "_BLOCK", 90)
    np.testing.assert_array_equal(nearest_by_cosine(vectors, np.arange(40), 3), whole)
