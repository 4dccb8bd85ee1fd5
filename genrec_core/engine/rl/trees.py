"""Trees: a group laid out as one row, so that its prompt is read once and shared beginnings once.

The usual update copies a prompt for each of its G rollouts and reads all copies, forwards and backwards. Here
the completions stand behind one copy as a tree, and a mask lets each token see the prompt and its own
ancestors only: the layout of constrained decoding (`engine.decoding.decode_state`), now with gradients.
Beams of one prompt share most of their first tokens, so of the output matrix too only distinct places are
asked.

    prompt      tree            positions (where a next token is predicted)
    p p p p     a  b  (a)c      after p: a, b    after a: c, d    after (a)c: …

An encoder-decoder model's prompt is read by its encoder, once a row, and the tree stands behind the token
that its decoder begins with. Such decoders count positions by place, so each path is a row of its own when it
is read (`log_probabilities`).

    source  p p p p     tree  start  a  b  (a)c

A completion's last token predicts nothing and is not read. A group whose completions are long is split over
several rows, each with its own copy of the prompt, because attention grows with the square of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec_core.engine.batches import by_tokens
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.rollouts import Completion, PromptRollouts

ROOM = 512
"""Completion tokens behind one copy of a prompt (or the prompt's own length, if that is more)."""

FREE = -1
"""Form of a position behind which anything may be written."""


@dataclass(frozen=True)
class PackedTree:
    """Some rows, read together: R rows of S tokens, U positions, M learnt tokens.

    Attributes:
        ids, position_ids: int64 [R, S]; padded at the right.
        sources: token ids that the encoder reads, one a row; none where there is no encoder.
        mask: bool [R, 1, S, S], which token sees which.
        positions: int64 [U], flat place (row × S + column) of each state that predicts.
        forms: int64 [U], which of the policy's catalogues constrains there, `FREE` for none.
        nodes: int64 [U], the trie node reached there.
        reads: int64 [M], ascending: the position that predicts each learnt token.
        tokens: int64 [M], the learnt tokens.
        rows, columns: int64 [M], where each stands among the rollouts' padded completions [B, T].
    """

    ids: Tensor
    position_ids: Tensor
    sources: tuple[tuple[int, ...], ...]
    mask: Tensor
    positions: Tensor
    forms: Tensor
    nodes: Tensor
    reads: Tensor
    tokens: Tensor
    rows: Tensor
    columns: Tensor

    @property
    def read(self) -> int:
        """Tokens that are read, by an encoder too."""
        return self.ids.numel() + sum(map(len, self.sources))


class _Row:
    """One prompt with a tree of completions behind it; with a `begin`, the prompt is an encoder's."""

    def __init__(self, prompt: Sequence[int], begin: int | None) -> None:
        self.source = () if begin is None else tuple(prompt)
        self.ids = list(prompt) if begin is None else [begin]
        self.prompt = len(self.ids)
        self.parents: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self.positions: dict[tuple[int, int, int], int] = {}
        self.learnt: list[tuple[int, int, int, int]] = []

    def fits(self, completion: Completion) -> bool:
        """Whether there is room for a completion, or nothing else in the row yet."""
        used = len(self.parents)
        return not self.learnt or used + len(completion.ids) <= max(ROOM, self.prompt)

    def add(self, completion: Completion, place: int, form: int, nodes: Sequence[int]) -> None:
        """Grow the tree by a completion, the `place`-th of all; `nodes` lie along its answer."""
        at = self.prompt - 1
        last = max(column for column, learnt in enumerate(completion.learn) if learnt)
        for column, token in enumerate(completion.ids[: last + 1]):
            if completion.learn[column]:
                free = column < completion.answer
                key = (at, FREE, 0) if free else (at, form, nodes[column - completion.answer])
                position = self.positions.setdefault(key, len(self.positions))
                self.learnt.append((position, token, place, column))
            if column < last:
                at = self._child(at, token)

    def _child(self, parent: int, token: int) -> int:
        child = self._children.get((parent, token))
        if child is None:
            child = self._children[parent, token] = len(self.ids)
            self.ids.append(token)
            self.parents.append(parent)
        return child

    def mask(self, size: int) -> NDArray[np.bool_]:
        """Bool [size, size]; padding sees itself, because a row that sees nothing is not a number."""
        mask = np.eye(size, dtype=np.bool_)
        mask[: self.prompt, : self.prompt] |= np.tri(self.prompt, dtype=np.bool_)
        for child, parent in enumerate(self.parents, start=self.prompt):
            mask[child] |= mask[parent]
        return mask

    def position_ids(self) -> list[int]:
        """How many tokens each token has before it on its own path."""
        position_ids = list(range(self.prompt))
        for parent in self.parents:
            position_ids.append(position_ids[parent] + 1)
        return position_ids


def pack_trees(groups: Sequence[PromptRollouts], policy: Policy, forms: Sequence[str]) -> list[PackedTree]:
    """Lay out groups.

    Args:
        groups: their completions, one after another, are the rows B of everything the loss sees.
        policy: for its tries and for how many tokens are read together.
        forms: every form that samples answer in; `PackedTree.forms` are places in it.

    Returns:
        Pieces of rows of similar length: at most `policy.batch_tokens` tokens, or one row. A completion with
        no learnt token is in none of them.
    """
    rows = list(_rows(groups, policy, forms))
    together = by_tokens([len(row.source) + len(row.ids) for row in rows], policy.batch_tokens)
    return [_piece([rows[place] for place in batch], policy.model.device) for batch in together]


def _rows(groups: Sequence[PromptRollouts], policy: Policy, forms: Sequence[str]) -> Iterator[_Row]:
    model, place = policy.model, 0
    begin = int(model.network.config.decoder_start_token_id) if model.family == "seq2seq" else None
    for group in groups:
        form = group.prompt.sample.answer_form
        walks = _walks(group.completions, policy, form)
        row = _Row(group.prompt.ids, begin)
        for completion, nodes in zip(group.completions, walks, strict=True):
            if any(completion.learn):
                if not row.fits(completion):
                    yield row
                    row = _Row(group.prompt.ids, begin)
                row.add(completion, place, forms.index(form), nodes)
            place += 1
        if row.learnt:
            yield row


def _walks(completions: Sequence[Completion], policy: Policy, form: str) -> list[list[int]]:
    """Trie nodes along each answer, the root first: behind node t the answer's token t is written."""
    trie = policy.decoder.constraint(form).trie
    answers = [completion.ids[completion.answer :] for completion in completions]
    tokens = np.full((len(answers), max(map(len, answers), default=0)), -1, dtype=np.int64)
    for row, answer in enumerate(answers):
        tokens[row, : len(answer)] = answer
    nodes = np.full(len(answers), trie.roots[0], dtype=np.int64)
    walk = [nodes]
    for column in tokens.T[:-1]:
        nodes = trie.step(nodes, column)
        walk.append(nodes)
    return [[int(node) for node in nodes] for nodes in np.stack(walk, axis=1)]


def _piece(rows: Sequence[_Row], device: torch.device) -> PackedTree:
    size = max(len(row.ids) for row in rows)
    ids = np.zeros((len(rows), size), dtype=np.int64)
    position_ids = np.zeros_like(ids)
    positions: list[tuple[int, int, int]] = []
    learnt: list[tuple[int, int, int, int]] = []
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = row.ids
        position_ids[number, : len(row.ids)] = row.position_ids()
        learnt += [
            (len(positions) + position, token, place, column) for position, token, place, column in row.learnt
        ]
        positions += [(number * size + at, form, node) for at, form, node in row.positions]
    table = torch.tensor(sorted(learnt, key=lambda entry: entry[0])).to(device)
    places = torch.tensor(positions).to(device)
    mask = torch.from_numpy(np.stack([row.mask(size) for row in rows]))[:, None]
    return PackedTree(
        torch.from_numpy(ids).to(device),
        torch.from_numpy(position_ids).to(device),
        tuple(row.source for row in rows if row.source),
        mask.to(device),
        *places.unbind(1),
        *table.unbind(1),
    )
