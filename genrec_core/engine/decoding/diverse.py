"""Diverse beam search: groups of beams that pay for repeating one another (Vijayakumar et al. 2018).

At each step the groups choose in turn; a token costs a later group `penalty` for every beam of an earlier
group that just took it. With one group, or without penalty, this is plain beam search. transformers
dropped the method from its core in version 5; identifiers written by diverse beams need it.

    two groups, first logits [2.0, 1.9, 0.0]:  penalty 0.2 → tokens 0 and 1;  penalty 0.05 → 0 and 0

With a constraint only what its trie allows is written, of `Constraint.for_rows` what each row may be given:
an excluded item is then reached by no group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.batches import TokenIds, by_tokens
from genrec_core.engine.decoding.constraint import Choices, Constraint
from genrec_core.engine.decoding.decode_state import DecodeState
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.models.model import Model

_LOGITS = 1 << 24
"""Logits of one step held at once: with a large vocabulary they, not the prompts, bound a batch."""


@dataclass(frozen=True)
class DiverseSettings:
    """How to search.

    Attributes:
        beams: texts returned for each prompt, over all groups.
        groups: number of groups; divides `beams`.
        penalty: cost of a token for each beam of an earlier group that took it at the same step.
        end_id: the token that finishes a text.
        max_tokens: longest text, the end token not counted.
        min_tokens: shortest text.
        length_power: final scores are divided by (number of tokens)^length_power; 0 compares sums.
    """

    beams: int
    groups: int = 1
    penalty: float = 0.0
    end_id: int = 0
    max_tokens: int = 20
    min_tokens: int = 1
    length_power: float = 0.0


@dataclass(frozen=True)
class DiverseText:
    """One text: tokens without the end token, its score, and the group that wrote it."""

    tokens: tuple[int, ...]
    score: float
    group: int


def write_diversely(
    model: Model, prompts: Sequence[TokenIds], settings: DiverseSettings, batch_tokens: int = 16384
) -> list[list[DiverseText]]:
    """Texts behind any number of prompts, batched by length; what `diverse_beam_search` gives, in order.

    Args:
        model: writes them.
        prompts: token ids, one row each.
        settings: how to search.
        batch_tokens: prompt and beam tokens of one batch; changes speed and memory.
    """
    head, found = OutputHead(model.network), dict[int, list[DiverseText]]()
    most = max(1, _LOGITS // (settings.beams * head.size))
    for whole in by_tokens(list(map(len, prompts)), batch_tokens, room=settings.beams):
        for batch in (whole[start : start + most] for start in range(0, len(whole), most)):
            state = decode_state_for(model, steps=settings.max_tokens, width=settings.beams)
            rows = diverse_beam_search(state, head, [prompts[place] for place in batch], settings)
            found.update(zip(batch, rows, strict=True))
    return [found[place] for place in range(len(prompts))]


@torch.inference_mode()
def diverse_beam_search(
    state: DecodeState,
    head: OutputHead,
    prompts: Sequence[TokenIds],
    settings: DiverseSettings,
    constraint: Constraint | None = None,
) -> list[list[DiverseText]]:
    """`beams` texts for each prompt, group by group, best first within a group.

    Args:
        state: a fresh search state with room for `max_tokens` steps of `beams` beams.
        head: the model's output matrix.
        prompts: token ids, one row each.
        settings: how to search.
        constraint: what may be written; by default anything. Where an identifier ends the end token follows,
            and scores hold it. A row that is allowed nothing gets no texts.

    Raises:
        GenrecError: the groups do not divide the beams.
    """
    if settings.beams % settings.groups:
        raise GenrecError(
            f"{settings.beams} beams cannot be split into {settings.groups} equal groups",
            hint="choose `beams` as a multiple of `groups`",
        )
    rows, size = len(prompts), settings.beams // settings.groups
    hidden = state.start(prompts)
    paths = [
        _Paths(constraint, rows, settings.end_id) if constraint else None for _ in range(settings.groups)
    ]
    groups = [_Group(rows, size, settings, hidden.device, path) for path in paths]
    for step in range(settings.max_tokens + 1):
        logs = head.logits(hidden.reshape(-1, hidden.shape[-1])).log_softmax(dim=1)
        logs = logs.reshape(rows, -1, head.size)
        taken = torch.zeros((rows, head.size), device=hidden.device)
        for number, group in enumerate(groups):
            own = logs if step == 0 else logs[:, number * size : (number + 1) * size]
            tokens, there = group.choose(own - settings.penalty * taken[:, None], step)
            taken.scatter_add_(1, tokens, there.to(taken.dtype))
        if step == settings.max_tokens or not any(bool(group.running().any()) for group in groups):
            break
        offsets = [0 if step == 0 else number * size for number in range(settings.groups)]
        parents = torch.cat([group.parents + at for group, at in zip(groups, offsets, strict=True)], dim=1)
        hidden = state.advance(parents, torch.cat([group.tokens for group in groups], dim=1))
    return [
        [text for number, group in enumerate(groups) for text in group.texts(row, number)]
        for row in range(rows)
    ]


class _Paths:
    """Where the beams of one group stand in the trie.

    Args:
        constraint: what may be written.
        rows: R.
        end: the token that finishes a text.
    """

    def __init__(self, constraint: Constraint, rows: int, end: int) -> None:
        self._constraint, self._rows, self._end = constraint, rows, end
        self._nodes = torch.full((rows, 1), int(constraint.trie.roots[0]), device=constraint.device)
        self._children: Tensor = self._nodes

    def legal(self, logs: Tensor, running: Tensor) -> Tensor:
        """The log-probabilities [R, W, V] with -inf for what may not be written."""
        flat = logs.reshape(-1, logs.shape[2])
        nodes = self._nodes.clamp(min=0)
        choices = self._constraint.choices(nodes, running)
        choices, gained = self._constraint.permitted(choices, _gained(flat, choices), nodes)
        self._children = torch.full(flat.shape, -1, dtype=torch.long, device=logs.device)
        self._children[choices.beams, choices.tokens] = choices.nodes
        kept = torch.full_like(flat, -torch.inf)
        kept[choices.beams, choices.tokens] = gained
        ended = (self._constraint.ended(self._nodes.clamp(min=0)) & running).reshape(-1)
        kept[ended, self._end] = flat[ended, self._end]
        return kept.reshape(logs.shape)

    def follow(self, parents: Tensor, tokens: Tensor) -> None:
        """Go on from beams [R, W] of the step before by these tokens."""
        rows = torch.arange(self._rows, device=parents.device)[:, None] * self._nodes.shape[1]
        self._nodes = self._children[rows + parents, tokens]


def _gained(logs: Tensor, choices: Choices) -> Tensor:
    return logs[choices.beams, choices.tokens]


class _Group:
    """The beams of one group over all rows: running ones as tensors, finished ones as texts."""

    def __init__(
        self, rows: int, size: int, settings: DiverseSettings, device: torch.device, paths: _Paths | None
    ) -> None:
        self.size, self.settings, self.paths = size, settings, paths
        self.scores = torch.zeros((rows, 1), device=device)
        self.history = torch.zeros((rows, 1, 0), dtype=torch.long, device=device)
        self.parents = self.tokens = torch.zeros((rows, size), dtype=torch.long, device=device)
        self.finished: list[list[tuple[float, tuple[int, ...]]]] = [[] for _ in range(rows)]

    def running(self) -> Tensor:
        """Bool [R, W]: beams that can still grow."""
        return self.scores > -torch.inf

    def choose(self, logs: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Take the best next tokens [R, size], and which of them are any; finished texts leave the beams."""
        end = self.settings.end_id
        if step < self.settings.min_tokens:
            logs[..., end] = -torch.inf
        if step == self.settings.max_tokens:
            kept = logs[..., end].clone()
            logs = torch.full_like(logs, -torch.inf)
            logs[..., end] = kept
        if self.paths is not None:
            logs = self.paths.legal(logs, self.running())
        totals = self.scores[..., None] + logs
        width, vocabulary = totals.shape[1], totals.shape[2]
        count = min(2 * self.size, width * vocabulary)
        best, flat = totals.reshape(len(totals), -1).topk(count, dim=1)
        parents, tokens = flat // vocabulary, flat % vocabulary
        ends = (tokens == end) & (best > -torch.inf)
        self._finish(best, parents, ends)
        growing, order = best.masked_fill(ends, -torch.inf).topk(min(self.size, count), dim=1)
        self.scores = torch.where(self._hopeless(growing), -torch.inf, growing)
        self.parents, self.tokens = parents.gather(1, order), tokens.gather(1, order)
        inherited = self.history.gather(1, self.parents[..., None].expand(-1, -1, self.history.shape[2]))
        self.history = torch.cat([inherited, self.tokens[..., None]], dim=2)
        if self.paths is not None:
            self.paths.follow(self.parents, self.tokens)
        return tokens[:, : self.size], best[:, : self.size] > -torch.inf

    def _finish(self, best: Tensor, parents: Tensor, ends: Tensor) -> None:
        for row, rank in ends[:, : self.size].nonzero().tolist():
            text = tuple(self.history[row, int(parents[row, rank])].tolist())
            score = float(best[row, rank]) / max(len(text) + 1, 1) ** self.settings.length_power
            self.finished[row] = sorted([*self.finished[row], (score, text)], reverse=True)[: self.size]

    def _hopeless(self, growing: Tensor) -> Tensor:
        """Running beams that cannot beat a full set of finished texts (sums only fall)."""
        if self.settings.length_power:
            return torch.zeros_like(growing, dtype=torch.bool)
        worst = [found[-1][0] if len(found) == self.size else -torch.inf for found in self.finished]
        return growing <= torch.tensor(worst, device=growing.device)[:, None]

    def texts(self, row: int, number: int) -> list[DiverseText]:
        """The row's finished texts, best first."""
        return [DiverseText(text, score, number) for score, text in self.finished[row]]
