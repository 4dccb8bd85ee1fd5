"""Log-probabilities of rollouts, with gradients: one reading of each tree, columns only where they count.

`policy: full` normalises a token over the whole vocabulary. `policy: legal` normalises a token of a
constrained answer over the tokens the trie allows there, which is the distribution that rollouts and
evaluation draw from; then a forced token has probability 1 and no gradient, and no vocabulary-sized row is
computed. Tokens of thoughts are always normalised over the vocabulary.

The old policy, the reference and the current policy are scored by this one function, in evaluation mode:
dropout would make the ratio between equal policies differ from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from genrec_core.engine.batches import by_tokens, padded
from genrec_core.engine.choices import Scoring
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.decode_state import added_mask
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import TREES, evaluating, support_of
from genrec_core.engine.rl.trees import FREE, PackedTree

LOGITS = 1 << 25
"""Logits kept at once: more are computed in pieces and again for the gradient."""


class TreeScorer:
    """Scores rollouts under one network.

    Args:
        network: a causal or encoder-decoder transformers model.
        constraints: the catalogues that answers are constrained to, in the order `PackedTree.forms` means.
        scoring: `full` or `legal`, as above.
        temperature: divides logits.
        batch_tokens: tokens whose activations are kept for the gradient; of more, they are computed again.
    """

    def __init__(
        self,
        network: Any,
        constraints: Sequence[Constraint],
        scoring: Scoring,
        temperature: float,
        batch_tokens: int = 32768,
    ) -> None:
        self.network, self._head = network, OutputHead(network)
        self._constraints, self._scoring, self._temperature = constraints, scoring, temperature
        self._batch_tokens = batch_tokens

    def score(self, trees: Sequence[PackedTree], shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Log-probability and entropy of every learnt token.

        Args:
            trees: what `pack_trees` gives.
            shape: (B, T), rollouts and tokens of the longest.

        Returns:
            Two float32 [B, T], 0 where nothing is learnt; entropies (in nats) carry no gradient.
        """
        # Rollouts without a learnt token have no gradient, but they must have one of zero to go backwards.
        scores = self._head.weight.new_zeros(shape, dtype=torch.float32) + 0.0 * self._head.weight[0, 0]
        entropies = scores.new_zeros(shape)
        many = sum(tree.read for tree in trees) > self._batch_tokens
        for tree in trees:
            if many and len(trees) > 1 and torch.is_grad_enabled():
                values, entropy = checkpoint(self._read, tree, use_reentrant=False)
            else:
                values, entropy = self._read(tree)
            places = (tree.rows, tree.columns)
            scores = scores.index_put(places, values)
            entropies[places] = entropy[tree.reads]
        return scores, entropies

    def _read(self, tree: PackedTree) -> tuple[Tensor, Tensor]:
        """Log-probabilities [M] of a tree's learnt tokens and entropies [U] of its positions."""
        with evaluating(self.network):
            hidden = self._states(tree)
        scores = hidden.new_zeros(len(tree.reads), dtype=torch.float32)
        entropies = hidden.new_zeros(len(tree.positions), dtype=torch.float32)
        for form in range(FREE, len(self._constraints)):
            at = self._at(tree, form)
            entries = at[tree.reads].nonzero().squeeze(1)
            if not len(entries):
                continue
            positions = at.nonzero().squeeze(1)
            reads = (at.cumsum(0) - 1)[tree.reads[entries]]
            tokens = tree.tokens[entries]
            columns: Tensor | None = None
            allowed: Tensor | None = None
            if form != FREE:
                columns, allowed = _allowed(self._constraints[form], tree.nodes[positions], self._head.size)
                tokens = torch.searchsorted(columns, tokens)
            values, entropy = self._normalised(hidden[positions], reads, tokens, columns, allowed)
            scores = scores.index_put((entries,), values)
            entropies[positions] = entropy
        return scores, entropies

    def _states(self, tree: PackedTree) -> Tensor:
        """States [U, H] of a tree's positions: all at once, or each path alone where that is not right."""
        support, decoder = support_of(self.network), self.network.get_decoder()
        way = support.way_for(int(tree.position_ids.max()) + 1)
        if way not in TREES:
            return self._path_by_path(tree)
        kind = tree.ids.device.type
        autocast = torch.is_autocast_enabled(kind)
        dtype = torch.get_autocast_dtype(kind) if autocast else self._head.weight.dtype
        out = decoder(
            input_ids=tree.ids,
            position_ids=tree.position_ids,
            attention_mask=added_mask(tree.mask, dtype) if way == "tree-added" else tree.mask,
            use_cache=False,
        )
        states: Tensor = out.last_hidden_state
        return states.reshape(-1, states.shape[-1])[tree.positions]

    def _path_by_path(self, tree: PackedTree) -> Tensor:
        """States [U, H] of a tree's positions, each path from the prompt to a leaf read as its own row.

        An encoder reads every prompt once, and its states are shared by the paths behind it.
        """
        size, seen = tree.ids.shape[1], tree.mask[:, 0].cpu()
        places = [divmod(place, size) for place in tree.positions.tolist()]
        paths: list[tuple[int, list[int]]] = []
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for row, column in sorted(places, reverse=True):  # children stand behind their parents
            if (row, column) not in found:
                path = seen[row, column].nonzero().squeeze(1).tolist()
                found.update(((row, at), (len(paths), place)) for place, at in enumerate(path))
                paths.append((row, path))
        rows = [tree.ids[row, path].tolist() for row, path in paths]
        encoded = self._encoded(tree)
        states: list[Tensor] = [tree.ids.new_zeros(0)] * len(rows)
        for batch in by_tokens([len(row) for row in rows], self._batch_tokens):
            ids, _ = padded([rows[number] for number in batch], 0, tree.ids.device)
            beside = {name: value[[paths[number][0] for number in batch]] for name, value in encoded.items()}
            read = self.network.get_decoder()(input_ids=ids, use_cache=False, **beside).last_hidden_state
            for number, state in zip(batch, read, strict=True):
                states[number] = state
        return torch.stack([states[number][place] for number, place in (found[at] for at in places)])

    def _encoded(self, tree: PackedTree) -> dict[str, Tensor]:
        """What a decoder is given of its encoder, one row a prompt; nothing where there is no encoder."""
        if not tree.sources:
            return {}
        ids, lengths = padded(tree.sources, 0, tree.ids.device)
        seen = (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]).long()
        states = self.network.get_encoder()(input_ids=ids, attention_mask=seen).last_hidden_state
        return {"encoder_hidden_states": states, "encoder_attention_mask": seen}

    def _at(self, tree: PackedTree, form: int) -> Tensor:
        """Bool [U], the positions that are normalised under one form."""
        if self._scoring == "full":
            return torch.full_like(tree.forms, form == FREE, dtype=torch.bool)
        return tree.forms == form

    def _normalised(
        self, hidden: Tensor, reads: Tensor, tokens: Tensor, columns: Tensor | None, allowed: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities of `tokens` at the states they are read from (ascending), and entropies."""
        width = self._head.size if columns is None else len(columns)
        size = max(1, LOGITS // width)
        parts = []
        for begin in range(0, len(hidden), size):
            first, last = torch.searchsorted(reads, torch.tensor([begin, begin + size], device=reads.device))
            inside = slice(int(first), int(last))
            arguments = (
                hidden[begin : begin + size],
                reads[inside] - begin,
                tokens[inside],
                columns,
                None if allowed is None else allowed[begin : begin + size],
            )
            again = len(hidden) > size and torch.is_grad_enabled()
            parts.append(
                checkpoint(self._softmax, *arguments, use_reentrant=False)
                if again
                else self._softmax(*arguments)
            )
        scores, entropies = zip(*parts, strict=True)
        return torch.cat(scores), torch.cat(entropies)

    def _softmax(
        self, hidden: Tensor, reads: Tensor, tokens: Tensor, columns: Tensor | None, allowed: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        logits = self._head.logits(hidden) if columns is None else self._head.logits(hidden, columns)
        logits = logits / self._temperature
        if allowed is not None:
            logits = logits.masked_fill(~allowed, torch.finfo(logits.dtype).min)
        normaliser = logits.logsumexp(dim=1)
        scores = logits[reads, tokens] - normaliser[reads]
        with torch.no_grad():
            shares = (logits - normaliser[:, None]).exp()
            entropies = normaliser - torch.linalg.vecdot(shares, logits)  # what is not legal has share 0
        return scores, entropies


def _allowed(constraint: Constraint, nodes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Columns (ascending token ids) that are legal at any of the nodes, and bool [U, columns] at which."""
    choices = constraint.choices(nodes[:, None], torch.ones_like(nodes[:, None], dtype=torch.bool))
    used = torch.zeros(size, dtype=torch.bool, device=nodes.device)
    used[choices.tokens] = True
    columns = used.nonzero().squeeze(1)
    allowed = torch.zeros((len(nodes), len(columns)), dtype=torch.bool, device=nodes.device)
    allowed[choices.beams, torch.cumsum(used, 0)[choices.tokens] - 1] = True
    return columns, allowed
