"""Every suggestion appears on its illness and stays away from a healthy catalogue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genrec_core import Identifiers, Items, Reconstruction
from genrec_core.identifiers.diagnosis.diagnosis import IdentifierInputs, examine
from genrec_core.identifiers.diagnosis.suggestions import ADVICE_RULES, suggestions

SIDE = 20


def healthy_names(sizes=(20, 20)):
    """Each of 400 items its own code pair: even, used, 20 leaves under each first token."""
    return [(f"<a_{n // sizes[1]}>", f"<b_{n % sizes[1]}>") for n in range(sizes[0] * sizes[1])]


def book(first=SIDE, second=SIDE):
    return [f"<a_{n}>" for n in range(first)] + [f"<b_{n}>" for n in range(second)]


def texts(count=SIDE * SIDE):
    return [f"number {n} of its own kind" for n in range(count)]


def noise():
    return np.random.default_rng(5).standard_normal((SIDE * SIDE, SIDE)).astype(np.float32)


def vectors():
    middle = np.eye(SIDE, dtype=np.float32)[np.repeat(np.arange(SIDE), SIDE)]
    return middle + 0.01 * noise()


def inputs(names=None, words=None, new_tokens=None, seen=None, lost=0.0):
    names = names or healthy_names()
    seen = vectors() if seen is None else seen
    decoded = seen + np.float32(np.sqrt(lost)) * (seen.mean(axis=0) - seen)
    titles = words or texts(len(names))
    return IdentifierInputs(
        Identifiers.of(names, new_tokens=book() if new_tokens is None else new_tokens),
        Items(tuple(f"i{n}" for n in range(len(names))), {"title": titles}),
        lambda: seen,
        "test",
        lambda: Reconstruction(seen, decoded),
    )


def shared(names):
    """The first tenth of the items all get the name of the item before them."""
    return [names[n - n % 2] if n < 40 else name for n, name in enumerate(names)]


def uneven():
    """Half of all items under the first token."""
    return [(f"<a_{0 if n % 2 else n // 20}>", f"<b_{n % 20}>", f"<c_{n % 17}>") for n in range(400)]


ILL = {
    "collisions": lambda: inputs(shared(healthy_names())),
    "collisions-by-duplicates": lambda: inputs(
        shared(healthy_names()), [f"number {n - n % 2 if n < 40 else n} of its own kind" for n in range(400)]
    ),
    "ranks": lambda: inputs(
        [
            (*shared(healthy_names())[n], f"<c_{n % 2}>") if n < 40 else name
            for n, name in enumerate(healthy_names())
        ]
    ),
    "duplicates": lambda: inputs(words=[f"number {n // 2} of its own kind" for n in range(400)]),
    "unused-codes": lambda: inputs(new_tokens=book(first=2 * SIDE)),
    "uneven": lambda: inputs(uneven()),
    "fewer-levels": lambda: inputs([(f"<a_{n}>", f"<b_{n % 20}>") for n in range(400)]),
    "thin-prefixes": lambda: inputs(healthy_names((50, 8)), new_tokens=book(50, 8)),
    "short-texts": lambda: inputs(words=[f"n{n}" if n < 50 else text for n, text in enumerate(texts())]),
    "neighbours": lambda: inputs(seen=noise()),
    "reconstruction": lambda: inputs(lost=0.7),
}


def rules(found):
    return [one.rule for one in suggestions(found)]


def test_a_healthy_catalogue_needs_nothing():
    assert rules(examine(inputs(lost=0.5))) == []


@pytest.mark.parametrize("rule", ILL)
def test_each_illness_gets_its_advice_with_the_numbers(rule):
    found = {one.rule: one for one in suggestions(examine(ILL[rule]()))}
    assert rule in found, f"only {list(found)}"
    assert any(character.isdigit() for character in found[rule].finding)
    assert found[rule].advice


def test_every_rule_has_an_illness():
    assert len(ILL) == len(ADVICE_RULES) + 1, "collisions have two suggestions"


def test_collisions_of_duplicates_are_not_blamed_on_the_codes():
    assert "collisions" not in rules(examine(ILL["collisions-by-duplicates"]()))
    assert "collisions-by-duplicates" not in rules(examine(ILL["collisions"]()))


def test_words_are_not_told_to_balance_their_codes():
    names = [("red" if n % 2 else f"colour{chr(97 + n % 26)}", f"thing {n}") for n in range(400)]
    assert not {"uneven", "unused-codes", "fewer-levels"} & set(rules(examine(inputs(names, new_tokens=()))))


def test_rank_tokens_are_not_called_unused():
    ranked = ILL["ranks"]()
    ids = replace(ranked.identifiers, new_tokens=(*book(), *(f"<c_{n}>" for n in range(256))))
    assert "unused-codes" not in rules(examine(replace(ranked, identifiers=ids)))


def test_small_catalogues_have_few_leaves_and_that_is_no_illness():
    names = healthy_names((4, 4))
    small = inputs(names, new_tokens=book(4, 4), seen=vectors()[:16])
    assert "thin-prefixes" not in rules(examine(small))


def test_what_was_not_examined_is_not_judged():
    found = examine(ILL["neighbours"]())
    assert "neighbours" not in rules(replace(found, neighbours=None))
    assert "short-texts" not in rules(replace(examine(ILL["short-texts"]()), texts=None))
