"""Cold start: items that are named by what was learnt from others.

Two occasions are the same thing. A shop gets new items after its model was trained; and an experiment treats
items that training never shows as if they had come later, because codebooks that were learnt from them would
know more than the model can. Both times old identifiers must not move by a bit.

    items a b c d, training shows b d   →   fit on (b, d), extend by (a, c), put back into catalogue order
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import ContractError, GenrecError, examples
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import Fitted, LearnFrom, Tokenizer
from genrec_core.contracts.views import View


def items_to_learn_from(learn_from: LearnFrom, items: Items, train: View) -> NDArray[np.int64] | None:
    """Indices of the items that training shows, ascending; None when all are to be learnt from.

    Raises:
        GenrecError: training shows no item.
    """
    if learn_from == "all":
        return None
    seen = np.unique(train.rows.values).astype(np.int64)
    if not len(seen):
        raise GenrecError("`learn_from: seen`, but training shows no item", hint="write `learn_from: all`")
    return None if len(seen) == len(items) else seen


def tokenize(tokenizer: Tokenizer, items: Items, train: View, context: Context) -> Fitted:
    """Identifiers of a catalogue, learnt from the items that the tokenizer's `learn_from` says.

    Raises:
        GenrecError: `learn_from: seen`, and the tokenizer cannot name items it was not fitted on.
        ContractError: the tokenizer left items out, moved some, or kept back the model that it owns.
    """
    seen = items_to_learn_from(tokenizer.options.learn_from, items, train)
    if seen is None:
        return _fitted(tokenizer, items, train, context)
    place = np.full(len(items), -1, dtype=np.int32)
    place[seen] = np.arange(len(seen), dtype=np.int32)
    rows = Sequences(place[train.rows.values], train.rows.offsets)
    shown = items.subset(seen.tolist())
    fitted = _fitted(tokenizer, shown, replace(train, rows=rows), context)
    cold = np.flatnonzero(place < 0)
    own = {tokenizer.slot: fitted.model} if fitted.model else {}
    lent = replace(context, models={**context.models, **own})
    named = extended(tokenizer, fitted.identifiers, items.subset(cold.tolist()), lent)
    context.log("cold-start", learnt_from=len(seen), named_later=len(cold))
    return replace(fitted, identifiers=named.arranged(np.argsort(np.concatenate([seen, cold]))))


def extended(tokenizer: Tokenizer, identifiers: Identifiers, new: Items, context: Context) -> Identifiers:
    """Identifiers followed by those of new items.

    Raises:
        GenrecError: the tokenizer cannot name new items.
        ContractError: an old identifier moved, or a model that knows the old ones could not write the new.
    """
    grown = _complete(tokenizer, tokenizer.extend(identifiers, new, context), len(identifiers) + len(new))
    moved = [item for item in range(len(identifiers)) if grown.tokens(item) != identifiers.tokens(item)]
    if moved:
        raise ContractError(
            f"tokenizer `{tokenizer.name}` renamed {len(moved):,} old items: {examples(moved)}"
        )
    fixed = ("new_tokens", "separator", "version")
    changed = [name for name in fixed if getattr(grown, name) != getattr(identifiers, name)]
    if changed:
        raise ContractError(
            f"tokenizer `{tokenizer.name}` changed {examples(changed)} while naming new items"
        )
    learnt = set(identifiers.vocabulary) | set(identifiers.new_tokens)
    strange = [token for token in grown.vocabulary if token not in learnt]
    # Where identifiers hold words besides new tokens, a model can spell any word.
    if strange and set(identifiers.vocabulary) <= set(identifiers.new_tokens):
        raise ContractError(
            f"tokenizer `{tokenizer.name}` uses {len(strange):,} tokens that no model has learnt: "
            f"{examples(strange)}",
            hint="`new_tokens` must list every token that can ever occur",
        )
    return replace(grown, merged=identifiers.merged, users={**identifiers.users, **grown.users})


def _fitted(tokenizer: Tokenizer, items: Items, train: View, context: Context) -> Fitted:
    found = tokenizer.fit(items, train, context)
    fitted = found if isinstance(found, Fitted) else Fitted(found)
    _complete(tokenizer, fitted.identifiers, len(items))
    if bool(tokenizer.slot) != (fitted.model is not None):
        gave = "no model" if fitted.model is None else "a model"
        raise ContractError(
            f"tokenizer `{tokenizer.name}` has the model slot `{tokenizer.slot}` and gave {gave}",
            hint="`fit` gives `Fitted(identifiers, model)` exactly where the class names a `slot`",
        )
    return fitted


def _complete(tokenizer: Tokenizer, identifiers: Identifiers, items: int) -> Identifiers:
    if len(identifiers) != items:
        raise ContractError(f"tokenizer `{tokenizer.name}` named {len(identifiers):,} of {items:,} items")
    return identifiers
