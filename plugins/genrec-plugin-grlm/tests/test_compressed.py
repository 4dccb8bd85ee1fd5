"""Semantic compression: few terms, the same length, and the nearest centroid's word for each."""

from __future__ import annotations

import numpy as np
import pytest
from genrec_plugin_grlm.compressed import Compressed, sharing

from genrec_core import Context, Encoder, GenrecError, Identifiers, Items, Sequences, View
from genrec_core.builtin.given import Given

VIEW = View("train", ("u",), Sequences.of([(0, 1)]), None, 4)
ROWS = [["red", "tent"], ["crimson", "tents"], ["blue", "lamp"], ["navy", "lamps"], ["blue", "tent"]]
PLACES = {
    "red": (1, 0), "crimson": (0.98, 0.1), "blue": (0, 1), "navy": (0.1, 0.98),
    "tent": (-1, 0), "tents": (-0.98, 0.1), "lamp": (0, -1), "lamps": (0.1, -0.98),
    "scarlet": (0.97, 0.12), "lantern": (0.15, -0.95), "hut": (-0.9, -0.1),
}  # fmt: skip


class Placed(Encoder):
    """Terms at places of our choosing."""

    def encode(self, texts, state, context):
        return np.asarray([PLACES[text] for text in texts], dtype=np.float32) * 7


def items(rows):
    return Items(tuple(f"i{n}" for n in range(len(rows))), {"terms": rows})


GIVEN = Given(field="terms", new_tokens=False, separator=", ")


def compressed(k, rows=ROWS, context=None, tokenizer=GIVEN):
    component = Compressed(tokenizer=tokenizer, encoder=Placed(), core_terms=k)
    return component, component.fit(items(rows), VIEW, context or Context())


def test_synonyms_become_one_core_term_and_identifiers_keep_their_length():
    """Check 8."""
    logged = []
    _, found = compressed(4, context=Context(log=lambda event, **values: logged.append((event, values))))
    assert len(found.vocabulary) <= 4
    assert set(found.lengths.tolist()) == {2}
    assert found.tokens(0) == found.tokens(1)
    assert found.tokens(2) == found.tokens(3)
    assert found.tokens(4) == (found.tokens(2)[0], found.tokens(0)[1])
    (event,) = [values for name, values in logged if name == "compressed"]
    assert (event["terms_before"], event["terms_after"]) == (8, 4)
    assert (event["sharing_before"], event["sharing_after"]) == (0, 4)


def test_every_term_is_mapped_to_its_nearest_centroid_by_brute_force():
    generator = np.random.default_rng(3)
    names = [f"w{n}" for n in range(60)]
    PLACES.update({name: tuple(generator.normal(size=2)) for name in names})
    rows = [[names[n], names[n + 1]] for n in range(0, 60, 2)]
    _, found = compressed(7, rows)
    unit = np.asarray([PLACES[name] for name in names])
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    centroids, core = found.state["centroids"], found.settings["core"]
    code = ((unit[:, None] - centroids[None]) ** 2).sum(axis=2).argmin(axis=1)
    expected = [core[c] for c in code]
    assert [term for item in range(30) for term in found.tokens(item)] == expected
    nearest = ((centroids[:, None] - unit[None]) ** 2).sum(axis=2).argmin(axis=1)
    assert core == [names[place] for place in nearest]


def test_more_core_terms_than_terms_change_nothing():
    _, found = compressed(100)
    assert [list(found.tokens(n)) for n in range(5)] == ROWS
    assert sharing(found) == 0


def test_new_items_are_mapped_by_the_same_centroids():
    component, found = compressed(4)
    grown = component.extend(found, items([["scarlet", "hut"], ["navy", "lantern"]]), Context())
    assert len(grown) == 7
    assert grown.tokens(5) == found.tokens(0)
    assert grown.tokens(6) == found.tokens(2)


def test_codes_are_no_terms():
    with pytest.raises(GenrecError, match="a code has no meaning"):
        compressed(2, tokenizer=Given(field="terms"))


def test_sharing_counts_items():
    assert sharing(Identifiers.of([("a",), ("a",), ("b",)])) == 2


@pytest.mark.parametrize("k", [2, 3, 10])
def test_no_term_is_merged_with_an_equal_vector_where_all_of_them_may_stay(k):
    PLACES.update(twin=(1, 1), other=(1, 1))
    component, found = compressed(k, [["twin"], ["other"]])
    assert [found.tokens(item) for item in range(2)] == [("twin",), ("other",)]
    grown = component.extend(found, items([["other"], ["twin"]]), Context())
    assert [grown.tokens(item) for item in range(2, 4)] == [("other",), ("twin",)]
    _, merged = compressed(1, [["twin"], ["other"]])
    assert merged.tokens(0) == merged.tokens(1)
