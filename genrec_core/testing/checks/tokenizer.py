"""What a tokenizer promises: every item gets a name, the same one every time, and keeps it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import FittedTokenizer, Tokenizer
from genrec_core.contracts.views import View
from genrec_core.identifiers.storage import load_identifiers, save_identifiers
from genrec_core.testing.subject import Subject, snapshot
from genrec_core.testing.toy import toy_items, toy_views
from genrec_core.testing.verdicts import NotApplicable, require


def names_every_item(subject: Subject) -> None:
    """Every item has an identifier, and none is empty."""
    identifiers = _fitted(subject)
    require(isinstance(identifiers, Identifiers), f"`fit` gave {type(identifiers).__name__}, not Identifiers")
    items = len(toy_items())
    require(len(identifiers) == items, f"{items} items got {len(identifiers)} identifiers")
    empty = np.flatnonzero(identifiers.lengths < 1)
    require(not len(empty), f"items {empty.tolist()} have an empty identifier")


def keeps_codes_inside_the_vocabulary(subject: Subject) -> None:
    """`codes` point into `vocabulary`, `offsets` cut them into items, no token is listed twice."""
    ids = _fitted(subject)
    require(ids.codes.dtype == np.int32, f"`codes` must be int32, are {ids.codes.dtype}")
    require(ids.offsets.dtype == np.int64, f"`offsets` must be int64, are {ids.offsets.dtype}")
    require(len(set(ids.vocabulary)) == len(ids.vocabulary), "`vocabulary` lists a token twice")
    require(
        len(ids.codes) == 0 or (ids.codes.min() >= 0 and ids.codes.max() < len(ids.vocabulary)),
        "`codes` point outside `vocabulary`",
    )
    require(ids.offsets[0] == 0 and ids.offsets[-1] == len(ids.codes), "`offsets` do not span `codes`")


def declares_new_tokens_once(subject: Subject) -> None:
    """New tokens are distinct, non-empty and free of white space, so that each can be one row of a model."""
    new = _fitted(subject).new_tokens
    require(len(set(new)) == len(new), "`new_tokens` lists a token twice")
    odd = [token for token in new if not token or token.split() != [token]]
    require(not odd, f"`new_tokens` has empty tokens or such with white space: {odd[:3]}")


def spells_identifiers_unambiguously(subject: Subject) -> None:
    """A written identifier reads back as the tokens it was written from."""
    ids = _fitted(subject)
    for item in range(len(ids)):
        read = ids.parse(ids.text(item))
        require(read == ids.tokens(item), f"`{ids.text(item)}` of item {item} reads back as {read}")


def agrees_with_itself(subject: Subject) -> None:
    """The same items, options and seed give the same identifiers."""
    first, second = _fitted(subject), _fitted(subject)
    require(first.digest == second.digest, "two fits with the same seed gave different identifiers")


def holds_no_fitted_state(subject: Subject) -> None:
    """What was learnt is in the identifiers: a component carries nothing from one `fit` to the next."""
    component = subject.component()
    before = set(vars(component))
    component.fit(toy_items(), toy_views().train, subject.context("state"))
    grown = sorted(set(vars(component)) - before)
    require(not grown, f"`fit` left {', '.join(grown)} on the component; put it into `Identifiers.state`")


def keeps_state_as_plain_arrays(subject: Subject) -> None:
    """State is numeric arrays and settings are JSON, so that neither needs pickle."""
    ids = _fitted(subject)
    odd = [name for name, array in ids.state.items() if np.asarray(array).dtype.kind not in "biuf"]
    require(not odd, f"`state` has arrays that are not numeric: {', '.join(odd)}")
    require(
        orjson.loads(orjson.dumps(dict(ids.settings))) == dict(ids.settings),
        "`settings` is not plain JSON (tuples become lists there, keys strings)",
    )


def survives_the_disk(subject: Subject) -> None:
    """Identifiers saved and loaded are the same, state included."""
    ids = _fitted(subject)
    folder = subject.workspace / "saved"
    folder.mkdir()
    save_identifiers(ids, folder)
    again = load_identifiers(folder)
    require(again.digest == ids.digest, "identifiers changed when saved and loaded")
    require(set(again.state) == set(ids.state), "state arrays were lost when saved and loaded")


def leaves_its_inputs_alone(subject: Subject) -> None:
    """`fit` does not change the items or the view it is given."""
    items, view = toy_items(), toy_views().train
    fields, values = snapshot(dict(items.fields), view.rows.values)
    subject.component().fit(items, view, subject.context("inputs"))
    require(dict(items.fields) == fields, "`fit` changed the items' fields")
    require(np.array_equal(view.rows.values, values), "`fit` changed the training sequences")


def names_items_with_equal_text(subject: Subject) -> None:
    """Items that nothing but their id tells apart are named too."""
    items = toy_items().subset([*range(12), *range(12)])
    twins = Items(tuple(f"i{n}" for n in range(len(items))), items.fields)
    view = View("train", ("u",), Sequences.of([[0, 1, 2, 3]]), None, 4)
    ids = _fit(subject, subject.component(), twins, view, "twins").identifiers
    require(len(ids) == len(twins), f"{len(twins)} items got {len(ids)} identifiers")


def extends_without_moving_anything(subject: Subject) -> None:
    """New items are named after the old ones, whose names, like the model's new vocabulary, stay."""
    items = toy_items()
    component, fitted = _fitted_on_some(subject)
    before = fitted.digest
    grown = _extended(subject, component, fitted, items.subset(range(18, 24)))
    require(len(grown) == 24, f"18 old and 6 new items gave {len(grown)} identifiers")
    require(fitted.digest == before, "`extend` changed the identifiers it was given")
    _require_unmoved(grown, fitted)
    require(grown.new_tokens == fitted.new_tokens, "`extend` changed `new_tokens`; the model cannot follow")
    strange = set(grown.vocabulary) - set(fitted.vocabulary) - set(fitted.new_tokens)
    require(
        not strange or set(fitted.vocabulary) - set(fitted.new_tokens),
        f"`extend` uses tokens that the model never learnt: {sorted(strange)[:3]}",
    )


def extends_again_what_was_extended(subject: Subject) -> None:
    """More items can be added later, by a fresh component, to identifiers that come from the disk."""
    items = toy_items()
    component, fitted = _fitted_on_some(subject)
    once = _extended(subject, component, fitted, items.subset(range(18, 21)))
    folder = subject.workspace / "extended"
    folder.mkdir()
    save_identifiers(once, folder)
    twice = _extended(subject, subject.component(), load_identifiers(folder), items.subset(range(21, 24)))
    require(len(twice) == 24, f"18, 3 and 3 items gave {len(twice)} identifiers")
    _require_unmoved(twice, once)


def extends_whatever_order_items_are_in(subject: Subject) -> None:
    """Identifiers may be put into another order (`arranged`) and extended then: state has no row an item."""
    items = toy_items()
    component, fitted = _fitted_on_some(subject)
    backwards = fitted.arranged(range(17, -1, -1))
    grown = _extended(subject, component, backwards, items.subset(range(18, 24)))
    require(len(grown) == 24, f"18 old and 6 new items gave {len(grown)} identifiers")
    _require_unmoved(grown, backwards)


def _fitted_on_some(subject: Subject) -> tuple[Tokenizer, Identifiers]:
    """The component, fitted on the first 18 toy items."""
    if not subject.overrides("extend"):
        raise NotApplicable("cannot name items it was not fitted on (no `extend`)")
    view = View("train", ("u",), Sequences.of([[0, 1, 2, 3], [4, 5, 6]]), None, 4)
    component: Tokenizer = subject.component()
    fitted = _fit(subject, component, toy_items().subset(range(18)), view, "fit")
    subject.made["owned"] = fitted.model
    return component, fitted.identifiers


def _extended(subject: Subject, component: Tokenizer, identifiers: Identifiers, new: Items) -> Identifiers:
    try:
        own = {component.slot: subject.made["owned"]} if component.slot else {}
        return component.extend(identifiers, new, replace(subject.context("extend"), models=own))
    except GenrecError as error:
        raise NotApplicable(f"refuses new items with these options: {error.message}") from error


def _require_unmoved(grown: Identifiers, old: Identifiers) -> None:
    moved = [item for item in range(len(old)) if grown.tokens(item) != old.tokens(item)]
    require(not moved, f"`extend` renamed the old items {moved}")


def reconstructs_what_it_quantised(subject: Subject) -> None:
    """What the codes stand for is a matrix like the one that was quantised, a row an item."""
    if not subject.overrides("reconstruct"):
        raise NotApplicable("has no code books (no `reconstruct`)")
    items, component, context = toy_items(), subject.component(), subject.context("fitted")
    fitted = _fit(subject, component, items, toy_views().train, "fitted")
    found = component.reconstruct(fitted.identifiers, items, context)
    require(found is not None, "`reconstruct` gave None for identifiers that its own `fit` made")
    for name, matrix in (("seen", found.seen), ("decoded", found.decoded)):
        shown = f"`{name}` is {matrix.dtype}{list(matrix.shape)}"
        require(matrix.dtype == np.float32 and matrix.ndim == 2, f"{shown}, not a float32 matrix")
        require(len(matrix) == len(items), f"{shown}, not one row for each of {len(items)} items")
        require(bool(np.isfinite(matrix).all()), f"`{name}` holds numbers that are not finite")
    require(found.seen.shape == found.decoded.shape, "`seen` and `decoded` are of different shape")


def _fitted(subject: Subject) -> Identifiers:
    return _fit(subject, subject.component(), toy_items(), toy_views().train, "fitted").identifiers


def _fit(subject: Subject, component: Tokenizer, items: Items, view: View, folder: str) -> FittedTokenizer:
    """What fitting gives, where a tokenizer that owns a model must give it too."""
    found = component.fit(items, view, subject.context(folder))
    fitted = found if isinstance(found, FittedTokenizer) else FittedTokenizer(found)
    owned = fitted.model is not None
    require(owned == bool(component.slot), f"`slot` is {component.slot!r}, and `fit` gave a model: {owned}")
    return fitted


def result(subject: Subject) -> Any:
    """Identifiers, and the tokens that a model has to learn."""
    ids = _fitted(subject)
    return [[ids.tokens(item) for item in range(len(ids))], ids.new_tokens, ids.separator]


CHECKS = (
    names_every_item,
    keeps_codes_inside_the_vocabulary,
    declares_new_tokens_once,
    spells_identifiers_unambiguously,
    agrees_with_itself,
    holds_no_fitted_state,
    keeps_state_as_plain_arrays,
    survives_the_disk,
    leaves_its_inputs_alone,
    names_items_with_equal_text,
    extends_without_moving_anything,
    extends_again_what_was_extended,
    extends_whatever_order_items_are_in,
    reconstructs_what_it_quantised,
)
