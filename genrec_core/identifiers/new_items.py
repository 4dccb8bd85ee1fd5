"""New items: items that are named by what was learnt from others, and what they are then called.

Two occasions are the same thing. A shop gets new items after its model was trained; and an experiment
treats items that training never shows as if they had come later, because codebooks that were learnt from
them would know more than the model can. Both times old identifiers must not move by a bit.

    items a b c d, training shows b d   →   fit on (b, d), extend by (a, c), put back into catalogue order

Whoever adds items wants to see at a glance whether their names make sense: a new tent should begin like the
old tents. The report gives for each the longest beginning that it shares with a known one, and who those
are; where there are embeddings, which known items are nearest, and which new items resemble none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.context import Context
from genrec_core.contracts.dataset import Sequences
from genrec_core.contracts.errors import ContractError, GenrecError, examples
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.contracts.tokenizer import FittedTokenizer, LearnFrom, Tokenizer
from genrec_core.contracts.views import View
from genrec_core.identifiers.prefixes import Prefixes

UNLIKE = 0.05
"""A largest cosine below this resembles nothing."""

SAMPLED = 500
"""Known items whose own neighbours say how near is usual."""

CHECKED = 1_000
"""New items that are compared with the known ones."""

_BLOCK = 1 << 15
"""Known items compared with at a time."""

COMPANIONS = 3
"""Known items that are named beside each new one."""


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


def tokenize(tokenizer: Tokenizer, items: Items, train: View, context: Context) -> FittedTokenizer:
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


def _fitted(tokenizer: Tokenizer, items: Items, train: View, context: Context) -> FittedTokenizer:
    found = tokenizer.fit(items, train, context)
    fitted = found if isinstance(found, FittedTokenizer) else FittedTokenizer(found)
    _complete(tokenizer, fitted.identifiers, len(items))
    if bool(tokenizer.slot) != (fitted.model is not None):
        gave = "no model" if fitted.model is None else "a model"
        raise ContractError(
            f"tokenizer `{tokenizer.name}` has the model slot `{tokenizer.slot}` and gave {gave}",
            hint="`fit` gives `FittedTokenizer(identifiers, model)` exactly where the class names a `slot`",
        )
    return fitted


def _complete(tokenizer: Tokenizer, identifiers: Identifiers, items: int) -> Identifiers:
    if len(identifiers) != items:
        raise ContractError(f"tokenizer `{tokenizer.name}` named {len(identifiers):,} of {items:,} items")
    return identifiers


@dataclass(frozen=True)
class NewItemReport:
    """M new items behind N known ones.

    Attributes:
        known: N.
        shared: int64 [M], how many first tokens each has in common with some known item.
        companions: for each, the first known items that share that many, at least one token.
        counts: by length from 1 on: how many new items share so many first tokens with a known one.
        colliding: how many share their whole identifier with another item, known or new.
    """

    known: int
    shared: NDArray[np.int64]
    companions: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    colliding: int


def new_item_report(identifiers: Identifiers, known: int) -> NewItemReport:
    """What the items behind the first `known` are called, beside whom."""
    prefixes = Prefixes.of(identifiers)
    count = len(identifiers) - known
    shared = np.zeros(count, dtype=np.int64)
    companions: list[tuple[int, ...]] = [() for _ in range(count)]
    counts = []
    for length, group in enumerate(prefixes.groups, 1):
        old, new = group[:known], group[known:]
        with_others = np.flatnonzero((new >= 0) & np.isin(new, old))
        shared[with_others] = length
        counts.append(len(with_others))
        order = np.argsort(old, kind="stable")
        firsts = np.searchsorted(old[order], new[with_others], side="left")
        ends = np.searchsorted(old[order], new[with_others], side="right")
        for item, first, end in zip(with_others.tolist(), firsts.tolist(), ends.tolist(), strict=True):
            companions[item] = tuple(order[first : min(end, first + COMPANIONS)].tolist())
    leaves = prefixes.leaves
    colliding = int((np.bincount(leaves)[leaves[known:]] > 1).sum())
    return NewItemReport(known, shared, tuple(companions), tuple(counts), colliding)


def unlike_known(
    vectors: NDArray[np.float32], known: int, seed: int = 0
) -> tuple[list[tuple[int, float]], float]:
    """New items that resemble no known one, with their largest cosine, and the cosine that is too small.

    The bar lies far below what the known items reach among one another: of a sample's largest cosines the
    1 % quantile, less twice the way from there to the median. Never below `UNLIKE`: at a cosine of 0 a vector
    says nothing about an item.

    Args:
        vectors: float32 [N + M, d], known items first.
        known: N.
        seed: of the sample.
    """
    sample = np.arange(known)
    if known > SAMPLED:
        sample = np.random.default_rng(seed).choice(known, SAMPLED, replace=False)
    best = _largest_cosines(vectors, known, sample)
    low, middle = np.quantile(best, [0.01, 0.5]).tolist()
    bar = max(UNLIKE, low - 2 * (middle - low))
    new = np.arange(known, len(vectors))[:CHECKED]
    cosines = _largest_cosines(vectors, known, new)
    found = [(int(item), float(cosine)) for item, cosine in zip(new, cosines, strict=True) if cosine < bar]
    return found, bar


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), dtype=np.float32)


def _largest_cosines(
    vectors: NDArray[np.float32], known: int, asked: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The largest cosine of each asked item with a known one other than itself, in blocks of known items."""
    best, wanted = np.full(len(asked), -1, dtype=np.float32), _unit(vectors[asked])
    for start in range(0, known, _BLOCK):
        cosines = wanted @ _unit(vectors[start : min(start + _BLOCK, known)]).T
        rows = np.flatnonzero((asked >= start) & (asked < start + cosines.shape[1]))
        cosines[rows, asked[rows] - start] = -1
        np.maximum(best, cosines.max(axis=1, initial=-1), out=best)
    return best


def nearest_known(
    vectors: NDArray[np.float32], known: int, item: int, count: int = COMPANIONS
) -> list[tuple[int, float]]:
    """The known items nearest to one item, with their cosines, best first; vectors are float32 [N + M, d]."""
    lengths = np.linalg.norm(vectors[:known], axis=1) * np.linalg.norm(vectors[item])
    cosines = vectors[:known] @ vectors[item] / np.maximum(lengths, 1e-12)
    best = np.argsort(-cosines, kind="stable")[:count]
    return [(int(other), float(cosines[other])) for other in best]
