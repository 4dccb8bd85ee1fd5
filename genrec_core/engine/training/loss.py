"""The loss: cross-entropy on learnt tokens, with the output layer computed for those alone.

A prompt of a hundred tokens with an answer of four needs four rows of logits, not a hundred, and with a
large vocabulary the output layer is most of a small model's work. A hook on the output layer picks the
hidden states it is given, so this works for every architecture, whatever it does to its logits afterwards.
A causal model predicts token t + 1 at position t; a decoder is given the labels shifted by one.

*Legal* training normalises an identifier's token over the tokens that could stand in its place. Constrained
decoding never writes a token that no identifier allows, so what a model thinks of such tokens is of no use.
Each learnt token of an identifier carries the trie node that it leads to; the legal ones are that node and
its siblings:

    identifiers (5, 7) (5, 8) (6, 7):  writing 5 7 leads to nodes 1, 3 → 5 against {5, 6}, 7 against {7, 8}

Nothing else is computed then: positions are grouped by node, and nodes by how many positions and children
they have, so that a group is one batched matrix product over children alone. Neither a codebook of thousands
nor a vocabulary of a hundred thousand costs anything here. What a trie does not restrict (texts, the end of a
text where it is certain) keeps the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.contracts.loss import Loss
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.training.dense_loss import DenseLoss
from genrec_core.engine.training.teaching import TrieTeacher
from genrec_core.identifiers.trie import Trie

IGNORED = -100
"""The label of a token that is not learnt."""


def learnt_losses(
    network: Any,
    batch: Mapping[str, Tensor],
    label_smoothing: float = 0.0,
    forward: Any = None,
    legal: LegalLoss | None = None,
    dense: DenseLoss | None = None,
    loss: Loss | None = None,
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of every learnt token of a batch.

    Args:
        network: a transformers causal or encoder-decoder model.
        batch: what `Collator.batch` gives, on the network's device.
        label_smoothing: share of the target's probability that is spread over the vocabulary.
        forward: called instead of the network when something is wrapped around it.
        legal: normalises identifiers over the tokens that may stand there, by
            default everything is normalised over the whole vocabulary.
        dense: of a dense head, added to the loss of each identifier's first token.
        loss: what every token costs, instead of cross-entropy with label smoothing.

    Returns:
        Losses and weights of the M learnt tokens, float32 [M] each, rows of the batch after one another.
    """
    encoder_decoder = bool(network.config.is_encoder_decoder)
    targets, nodes, inputs = _to_learn(network.config, batch)
    places = (targets.reshape(-1) != IGNORED).nonzero().squeeze(1)
    led = nodes.reshape(-1)[places] if legal else torch.full_like(places, -1)
    free, bound = (led < 0).nonzero().squeeze(1), (led >= 0).nonzero().squeeze(1)
    with _learnt_places(network, places, places[free], keep=bool(legal or dense)) as states:
        logits = (forward or network)(**inputs, use_cache=False).logits
    scores, chosen = logits.float().reshape(len(free), -1), targets.reshape(-1)[places[free]]
    if loss is not None:
        losses = loss.losses(scores.log_softmax(-1), chosen)
    else:
        losses = torch.nn.functional.cross_entropy(
            scores, chosen, reduction="none", label_smoothing=label_smoothing
        )
    if legal and len(bound):
        asked = _beside_targets(batch["asked"], causal=not encoder_decoder)[places][bound]
        restricted = legal(states[0].index_select(0, bound), led[bound], label_smoothing, asked, loss)
        losses = torch.cat([losses, restricted])[torch.cat([free, bound]).argsort()]
    if dense:
        losses = losses + _dense(dense, batch, states[0], places, causal=not encoder_decoder)
    return losses, batch["weights"][places // targets.shape[1]]


@contextmanager
def _learnt_places(network: Any, places: Tensor, free: Tensor, keep: bool) -> Iterator[list[Tensor]]:
    """Inside, the output layer is asked about the states at `free` alone.

    With `keep` the list has the states [M, H] at `places` once the network has run.
    """
    states: list[Tensor] = []

    def kept(_: Any, __: Any, output: Any) -> None:
        # What the decoder gives: some networks (T5) scale it before their output layer, and `OutputHead` too.
        hidden = output.last_hidden_state
        states.append(hidden.reshape(-1, hidden.shape[-1]).index_select(0, places))

    def picked(_: Any, arguments: tuple[Tensor, ...]) -> tuple[Tensor]:
        hidden = arguments[0]
        return (hidden.reshape(-1, hidden.shape[-1]).index_select(0, free),)

    hooks = [network.get_output_embeddings().register_forward_pre_hook(picked)]
    if keep:
        hooks.append(network.get_decoder().register_forward_hook(kept))
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()


def _to_learn(config: Any, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """What each position is to write, int64 [B, L] with `IGNORED`; its trie node; what the network gets."""
    labels = batch["labels"]
    if config.is_encoder_decoder:
        inputs = {
            "input_ids": batch["input_ids"],
            "attention_mask": batch["attention_mask"],
            "decoder_input_ids": _shifted(labels, config),
        }
        return labels, batch["nodes"], inputs
    targets = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
    return targets, _beside_targets(batch["nodes"], causal=True), {"input_ids": batch["input_ids"]}


def batch_loss(
    network: Any,
    batch: Mapping[str, Tensor],
    label_smoothing: float = 0.0,
    forward: Any = None,
    legal: LegalLoss | None = None,
    dense: DenseLoss | None = None,
    loss: Loss | None = None,
) -> Tensor:
    """The batch's part of its step's weighted mean loss, a scalar; arguments as for `learnt_losses`."""
    losses, weights = learnt_losses(network, batch, label_smoothing, forward, legal, dense, loss)
    return (losses * weights).sum() / batch["denominator"].clamp(min=torch.finfo(torch.float32).tiny)


def _dense(
    loss: DenseLoss, batch: Mapping[str, Tensor], states: Tensor, places: Tensor, *, causal: bool
) -> Tensor:
    """What the dense head adds to the loss of each learnt token, float32 [M] like `states` [M, H]."""
    items = _beside_targets(batch["items"], causal=causal)[places]
    begun = (items >= 0).nonzero().squeeze(1)
    added = torch.zeros(len(places), device=states.device)
    if not len(begun):
        return added
    asked = _beside_targets(batch["asked"], causal=causal)[places]
    return added.index_put((begun,), loss(states[begun], items[begun], asked[begun]))


def _beside_targets(values: Tensor, *, causal: bool) -> Tensor:
    """What stands beside labels, flat and beside the positions that write them; -1 where nothing does."""
    return (torch.nn.functional.pad(values[:, 1:], (0, 1), value=-1) if causal else values).reshape(-1)


def _shifted(labels: Tensor, config: Any) -> Tensor:
    """Decoder inputs: labels one place to the right after the start token."""
    shifted = labels.new_full(labels.shape, config.decoder_start_token_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, config.pad_token_id)


def target_nodes(
    trie: Trie,
    ids: NDArray[np.int32],
    learn: NDArray[np.bool_],
    starts: Sequence[int],
    catalogues: Sequence[int] | None = None,
) -> NDArray[np.int32]:
    """The node that each learnt identifier token leads to, int32 beside `ids`; -1 elsewhere.

    Args:
        trie: of the identifiers' token ids.
        ids: token ids of many samples after one another.
        learn: beside `ids`.
        starts: places in `ids` where learnt identifiers begin.
        catalogues: beside `starts`, which of the trie's roots each begins from; the first by default.
    """
    nodes = np.full(len(ids), -1, dtype=np.int32)
    places = np.asarray(starts, dtype=np.int64)
    chosen = (
        np.zeros(len(places), dtype=np.int64)
        if catalogues is None
        else np.asarray(catalogues, dtype=np.int64)
    )
    here = trie.roots[chosen].astype(np.int64)
    while len(places):
        here = trie.step(here, ids[places].astype(np.int64))
        nodes[places] = here
        places = places + 1
        inside = (here >= 0) & (places < len(ids))
        inside[inside] = learn[places[inside]] & (trie.count[here[inside]] > 0)
        places, here = places[inside], here[inside]
    return nodes


@dataclass(frozen=True)
class _Group:
    """Nodes of about the same size: n nodes, at most P positions and C children each.

    Attributes:
        positions: int64 [n, P], rows of the hidden states; `filled` says which are no padding.
        filled: bool [n, P].
        children: int64 [n, C], child nodes; `legal` says which are no padding.
        legal: bool [n, C].
        chosen: int64 [n, P], which child was written.
    """

    positions: Tensor
    filled: Tensor
    children: Tensor
    legal: Tensor
    chosen: Tensor


class LegalLoss:
    """Cross-entropy among the children of trie nodes.

    Args:
        trie: of the identifiers' token ids.
        head: the output matrix of the model that is trained.
        teacher: soft targets beside what was chosen, where training has a teacher.
    """

    def __init__(self, trie: Trie, head: OutputHead, teacher: TrieTeacher | None = None) -> None:
        self._head, self._teacher = head, teacher
        device = head.weight.device
        self._first = torch.from_numpy(trie.first).to(device).long()
        self._count = torch.from_numpy(trie.count).to(device).long()
        self._tokens = torch.from_numpy(trie.tokens).to(device).long()
        self._parents = torch.from_numpy(trie.parents).to(device).long()

    def __call__(
        self,
        hidden: Tensor,
        nodes: Tensor,
        label_smoothing: float = 0.0,
        asked: Tensor | None = None,
        loss: Loss | None = None,
    ) -> Tensor:
        """Losses float32 [M].

        Args:
            hidden: [M, H], the states that tokens are written from.
            nodes: int64 [M], the nodes that they lead to; none is a root.
            label_smoothing: share of the target's probability that is spread over the legal tokens.
            asked: int64 [M], places in the teacher's table; -1, or None for all, where it was not asked.
            loss: what every token costs, instead of cross-entropy with label smoothing.
        """
        soft = None
        if self._teacher is not None and asked is not None and bool((asked >= 0).any()):
            soft = self._teacher.targets(nodes, asked)
        groups = list(self._groups(nodes))
        used, tokens = torch.unique(
            torch.cat([self._tokens[group.children].reshape(-1) for group in groups]), return_inverse=True
        )
        weight, bias = self._head.rows(used)
        columns = tokens.split([group.children.numel() for group in groups])
        losses, order = [], []
        for group, column in zip(groups, columns, strict=True):
            own = column.reshape(group.children.shape)
            scores = hidden[group.positions] @ weight[own].transpose(1, 2)
            if bias is not None:
                scores = scores + bias[own][:, None, :]
            logs = scores.float().masked_fill(~group.legal[:, None, :], -torch.inf).log_softmax(-1)
            found = _among(logs, group, label_smoothing) if loss is None else _by(loss, logs, group)
            if soft is not None and self._teacher is not None:
                found = _taught(
                    logs, group, found, soft, self._first[self._parents[nodes]], self._teacher.weight
                )
            losses.append(found[group.filled])
            order.append(group.positions[group.filled])
        return torch.cat(losses)[torch.cat(order).argsort()]

    def _groups(self, nodes: Tensor) -> Iterator[_Group]:
        """Positions by the node they are written from, nodes of like size together."""
        parents, own, counts = torch.unique(self._parents[nodes], return_inverse=True, return_counts=True)
        order = own.argsort(stable=True)
        begins = counts.cumsum(0) - counts
        children = self._count[parents]
        sizes = torch.stack([_magnitude(counts), _magnitude(children)], dim=1)
        for size in torch.unique(sizes, dim=0):
            chosen = (sizes == size).all(dim=1).nonzero().squeeze(1)
            across = torch.arange(int(counts[chosen].max()), device=nodes.device)
            filled = across < counts[chosen][:, None]
            positions = order[(begins[chosen][:, None] + across).clamp(max=len(order) - 1)]
            along = torch.arange(int(children[chosen].max()), device=nodes.device)
            legal = along < children[chosen][:, None]
            first = self._first[parents[chosen]][:, None]
            below = torch.where(legal, first + along, first)
            place = torch.where(filled, nodes[positions] - first, 0)
            yield _Group(positions, filled, below, legal, place)


def _among(logs: Tensor, group: _Group, label_smoothing: float) -> Tensor:
    """Losses float32 [n, P] of log-probabilities float32 [n, P, C]."""
    legal = group.legal[:, None, :]
    losses = -logs.gather(2, group.chosen[:, :, None]).squeeze(2)
    if not label_smoothing:
        return losses
    spread = -logs.masked_fill(~legal, 0.0).sum(2) / legal.sum(2)
    return (1 - label_smoothing) * losses + label_smoothing * spread


def _by(loss: Loss, logs: Tensor, group: _Group) -> Tensor:
    """Losses float32 [n, P] of log-probabilities float32 [n, P, C]; padding is given the first choice."""
    shape = group.chosen.shape
    losses: Tensor = loss.losses(logs.reshape(-1, logs.shape[2]), group.chosen.reshape(-1))
    return losses.reshape(shape)


def _taught(
    logs: Tensor, group: _Group, hard: Tensor, soft: tuple[Tensor, Tensor], first: Tensor, weight: float
) -> Tensor:
    """Losses float32 [n, P], soft targets mixed in where there are any.

    Args:
        logs: float32 [n, P, C], log-probabilities of the children.
        group: which positions they are of.
        hard: float32 [n, P], losses of what was chosen.
        soft: children int64 [M, K] and shares float32 [M, K], see `TrieTeacher.targets`.
        first: int64 [M], the first child of the node that each position writes from.
        weight: what soft targets count.
    """
    children, shares = soft
    place = (children - first[:, None])[group.positions].clamp(max=logs.shape[2] - 1)
    own = shares[group.positions]
    expected = -(own * logs.gather(2, place.clamp(min=0)).nan_to_num(neginf=0.0)).sum(2)
    return torch.where(own.sum(2) > 0, (1 - weight) * hard + weight * expected, hard)


def _magnitude(sizes: Tensor) -> Tensor:
    """Which power of two each size (at least 1) reaches."""
    return sizes.double().log2().floor().long()
