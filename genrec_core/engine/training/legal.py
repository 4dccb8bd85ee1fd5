"""Legal training: the loss of a token counts only the tokens that could stand in its place.

Constrained decoding never writes a token that no identifier allows, so what a model thinks of such tokens is
of no use to it. Normalised over the whole vocabulary the loss teaches it all the same; normalised over the
legal ones, the children of the node that the identifier has come to, every bit is spent on telling items
apart. For that each learnt token of an identifier carries the trie node it is written from.

What a trie does not restrict (texts, the end of a text where it is certain) keeps the whole vocabulary.

    identifiers (5, 7) (5, 8) (6, 7):  writing 5 7 → nodes 0, 1 → 5 against {5, 6}, then 7 against {7, 8}
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.identifiers.trie import Trie


def written_from(
    trie: Trie, ids: NDArray[np.int32], learn: NDArray[np.bool_], starts: Sequence[int]
) -> NDArray[np.int32]:
    """The node that each learnt identifier token is written from, int32 beside `ids`; -1 elsewhere.

    Args:
        trie: of the identifiers' token ids.
        ids: token ids of many samples after one another.
        learn: beside `ids`.
        starts: places in `ids` where learnt identifiers begin.
    """
    nodes = np.full(len(ids), -1, dtype=np.int32)
    places = np.asarray(starts, dtype=np.int64)
    here = np.full(len(places), trie.roots[0], dtype=np.int64)
    while len(places):
        nodes[places] = here
        after = trie.step(here, ids[places].astype(np.int64))
        places = places + 1
        inside = (after >= 0) & (places < len(ids))
        inside[inside] = learn[places[inside]] & (trie.count[after[inside]] > 0)
        places, here = places[inside], after[inside]
    return nodes


def legal_losses(
    logits: Tensor, targets: Tensor, nodes: Tensor, constraint: Constraint, label_smoothing: float
) -> Tensor:
    """Cross-entropy float32 [M] over the legal tokens of each position.

    Args:
        logits: float32 [M, vocabulary].
        targets: int64 [M], token ids.
        nodes: int64 [M], trie nodes; -1 where every token is legal.
        constraint: the trie on the same device.
        label_smoothing: share of the target's probability that is spread over the legal tokens.
    """
    choices = constraint.choices(nodes.clamp(min=0)[:, None], (nodes >= 0)[:, None])
    legal = (nodes < 0)[:, None].expand_as(logits).clone()
    legal[choices.beams, choices.tokens] = True
    scores = logits.masked_fill(~legal, -torch.inf).log_softmax(-1)
    losses = -scores.gather(1, targets[:, None]).squeeze(1)
    if not label_smoothing:
        return losses
    spread = -scores.masked_fill(~legal, 0.0).sum(1) / legal.sum(1)
    return (1 - label_smoothing) * losses + label_smoothing * spread
