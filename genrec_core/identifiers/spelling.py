"""Spelling: which identifiers are the same once a text tokenizer has read them.

A model knows no strings. Two identifiers that differ as text can be the same token ids: `("1", "12")` and
`("11", "2")` written without a separator, `Red tent` and `red tent` under a text tokenizer that lower-cases.
A script that its vocabulary lacks becomes the unknown token, for every item the same one. Such items could
never be distinguished, or never be reached, and no count of strings would say so.

So sameness is decided on token ids, once, when identifiers meet a vocabulary: in the stage `model`, behind a
trainer that learns identifiers, in `genrec items add`. Items with equal token ids get the identifier of the
first of them. From there on they are one bucket everywhere: in the trie, grounding, metrics and the doctor.

    lower-casing:  (Red, tent) (red, tent) (lamp)  →  (Red, tent) (Red, tent) (lamp), merged 1
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.samples import IDENTIFIER

_BATCH = 50_000
"""Identifiers tokenised in one call: bounds memory for catalogues of millions."""


def merge_same(identifiers: Identifiers, spellings: Sequence[Hashable]) -> Identifiers:
    """Identifiers in which items of equal spelling have equal tokens: those of the first such item.

    Args:
        identifiers: of N items.
        spellings: N values, equal where two identifiers are written alike (token ids, or texts).

    Returns:
        The same object when nothing is merged; else `merged` counts the items whose tokens were replaced,
        those that were replaced before among them.
    """
    firsts: dict[Hashable, int] = {}
    representative = np.asarray(
        [firsts.setdefault(spelling, item) for item, spelling in enumerate(spellings)], dtype=np.int64
    )
    moved = [
        item
        for item in np.flatnonzero(representative != np.arange(len(representative))).tolist()
        if identifiers.tokens(item) != identifiers.tokens(int(representative[item]))
    ]
    if not moved:
        return identifiers
    order = np.arange(len(representative))
    order[moved] = representative[moved]
    merged = identifiers.arranged(order)
    used, codes = np.unique(merged.codes, return_inverse=True)
    return replace(
        merged,
        vocabulary=tuple(identifiers.vocabulary[code] for code in used.tolist()),
        codes=codes.reshape(-1).astype(np.int32),
        merged=identifiers.merged + len(moved),
    )


def meet_vocabulary(catalogue: Catalogue, model: LanguageModel, largest_share: float) -> Identifiers:
    """The catalogue's identifiers as a model can tell them apart.

    Args:
        catalogue: items and identifiers, whose new tokens are in the model's vocabulary.
        model: gives the text tokenizer; without one, tokens are what they are.
        largest_share: share of the items whose identifiers may be merged with another's.

    Raises:
        GenrecError: the text tokenizer cannot write some identifiers, or more than `largest_share` of them
            are equal to an earlier item's as token ids.
    """
    identifiers = catalogue.identifiers
    if model.text_tokenizer is None:
        return identifiers
    unknown = model.text_tokenizer.unk_token_id
    users = list(identifiers.users)
    spelt = _token_ids(model, [identifiers.user_text(user) for user in users])
    _refuse_unreadable(users, spelt, unknown, "users")
    texts = [identifiers.text(item) for item in range(len(identifiers))]
    return resolve_spellings(catalogue, _token_ids(model, texts), unknown, largest_share)


def resolve_spellings(
    catalogue: Catalogue, spelt: Sequence[Sequence[int]], unknown: int | None, largest_share: float
) -> Identifiers:
    """`meet_vocabulary` for token ids that are known already.

    Args:
        catalogue: N items and their identifiers.
        spelt: token ids of each identifier.
        unknown: the id of the text tokenizer's unknown token; None where it has none.
        largest_share: see `meet_vocabulary`.

    Raises:
        GenrecError: see `meet_vocabulary`.
    """
    identifiers, ids = catalogue.identifiers, catalogue.items.ids
    refuse_unreadable_answers(catalogue, IDENTIFIER, spelt, unknown)
    met = merge_same(identifiers, [tuple(row) for row in spelt])
    moved = met.merged - identifiers.merged
    if moved <= largest_share * len(met):
        return met
    merged = [item for item in range(len(met)) if met.tokens(item) != identifiers.tokens(item)]
    pairs = (f"{ids[item]}: {identifiers.text(item)} = {met.text(item)}" for item in merged)
    raise GenrecError(
        f"{moved:,} of {len(met):,} identifiers are equal to another item's once the model's text tokenizer "
        f"has read them: {examples(pairs)}",
        hint="use identifiers that differ in more than case, width or the place of the separator, or let "
        f"such items share one: model: {{max_merged: {math.ceil(100 * moved / len(met)) / 100:g}}}",
    )


def refuse_unreadable_answers(
    catalogue: Catalogue, form: str, spelt: Sequence[Sequence[int]], unknown: int | None
) -> None:
    """Do nothing if a text tokenizer can write every item's answer in a form.

    An item whose field is empty has no answer, which is no fault; every item has an identifier.

    Args:
        catalogue: N items.
        form: `identifier`, or an item field.
        spelt: token ids of each item in this form.
        unknown: the id of the text tokenizer's unknown token; None where it has none.

    Raises:
        GenrecError: there is none for a text, or it holds the unknown token.
    """
    ids, texts = catalogue.items.ids, catalogue.answers(form)
    answered = [item for item, text in enumerate(texts) if text.strip() or form == IDENTIFIER]
    names = [f"{ids[item]}: {texts[item]}" for item in answered]
    what = "identifiers" if form == IDENTIFIER else f"answers in `{form}`"
    _refuse_unreadable(names, [spelt[item] for item in answered], unknown, "items", what)


def _token_ids(model: LanguageModel, texts: Sequence[str]) -> list[list[int]]:
    return [
        ids for start in range(0, len(texts), _BATCH) for ids in model.tokenise(texts[start : start + _BATCH])
    ]


def _refuse_unreadable(
    names: Sequence[str],
    spelt: Sequence[Sequence[int]],
    unknown: int | None,
    whose: str,
    what: str = "identifiers",
) -> None:
    """What has no tokens cannot be written, what holds the unknown token cannot be distinguished."""
    bad = [name for name, ids in zip(names, spelt, strict=True) if not ids or unknown in ids]
    if bad:
        raise GenrecError(
            f"the model's text tokenizer cannot write the {what} of {len(bad):,} of {len(names):,} "
            f"{whose}: {examples(bad)}",
            hint="use a model whose vocabulary has these characters, or answer with identifiers made of new "
            "tokens (sid/rq-kmeans)",
        )
