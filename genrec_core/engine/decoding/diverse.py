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
from genrec_core.engine.models.layers import log_sum_exp_
from genrec_core.engine.models.model import Model

_BLOCK = 1 << 19
"""Logits held at once: so many stay in the cache, and with a large vocabulary they do not bound a batch."""


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
    for batch in by_tokens(list(map(len, prompts)), batch_tokens, room=settings.beams):
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
    hidden = state.start(prompts)
    beams = _Beams(len(prompts), settings, hidden.device)
    paths = _Paths(constraint, len(prompts), settings.end_id) if constraint else None
    for step in range(settings.max_tokens + 1):
        states = hidden.flatten(0, 1)
        if paths is None:
            best, tokens = _best_of(head, states, settings, step)
        else:
            legal = paths.legal(head.logits(states).log_softmax(dim=1), beams.running())
            best, tokens = _best(legal, settings, step)
        beams.choose(best, tokens, step)
        if step == settings.max_tokens or not bool(beams.running().any()):
            break
        if paths is not None:
            paths.follow(beams.parents, beams.tokens)
        hidden = state.advance(beams.parents, beams.tokens)
    return [beams.texts(row) for row in range(len(prompts))]


def _best_of(head: OutputHead, hidden: Tensor, settings: DiverseSettings, step: int) -> tuple[Tensor, Tensor]:
    """Log-probabilities and tokens [B, K] of `_best` behind hidden states [B, H], some rows at a time."""
    found = []
    for states in torch.split(hidden, max(1, _BLOCK // head.size)):
        logits = head.logits(states)
        best, tokens = _best(logits, settings, step)
        found.append((best - log_sum_exp_(logits)[:, None], tokens))
    logs, tokens = (torch.cat(one) for one in zip(*found, strict=True))
    return logs, tokens


def _best(logs: Tensor, settings: DiverseSettings, step: int) -> tuple[Tensor, Tensor]:
    """Of each row of logs [B, V] the K that any group could take, and their tokens; `logs` stays as it was.

    A group takes two tokens for each of its beams at most, and penalties only lower those that earlier groups
    took, so with as many more as these can be, nothing beyond is ever chosen.
    """
    end = settings.end_id
    of_end = logs[:, end : end + 1].clone()
    if step == settings.max_tokens:
        return of_end, torch.full_like(of_end, end, dtype=torch.long)
    if step < settings.min_tokens:
        logs[:, end] = -torch.inf
    count = settings.beams + settings.beams // settings.groups
    best, tokens = logs.topk(min(count, logs.shape[1]), dim=1)
    logs[:, end : end + 1] = of_end
    return best, tokens


class _Paths:
    """Where beams stand in the trie.

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
        """The log-probabilities [R × W, V] with -inf for what may not be written."""
        nodes = self._nodes.clamp(min=0)
        choices = self._constraint.choices(nodes, running)
        choices, gained = self._constraint.permitted(choices, _gained(logs, choices), nodes)
        self._children = torch.full(logs.shape, -1, dtype=torch.long, device=logs.device)
        self._children[choices.beams, choices.tokens] = choices.nodes
        kept = torch.full_like(logs, -torch.inf)
        kept[choices.beams, choices.tokens] = gained
        ended = (self._constraint.ended(nodes) & running).reshape(-1)
        kept[ended, self._end] = logs[ended, self._end]
        return kept

    def follow(self, parents: Tensor, tokens: Tensor) -> None:
        """Go on from beams [R, W] of the step before by these tokens."""
        rows = torch.arange(self._rows, device=parents.device)[:, None] * self._nodes.shape[1]
        self._nodes = self._children[rows + parents, tokens]


def _gained(logs: Tensor, choices: Choices) -> Tensor:
    return logs[choices.beams, choices.tokens]


class _Beams:
    """The beams of G groups over R rows, S a group: running ones as tensors, finished ones as texts."""

    def __init__(self, rows: int, settings: DiverseSettings, device: torch.device) -> None:
        self.settings, self.groups = settings, settings.groups
        self.size = settings.beams // settings.groups
        self._scores = torch.zeros((rows, self.groups, 1), device=device)
        self._history = torch.zeros((rows, self.groups, 1, 0), dtype=torch.long, device=device)
        self._finished: list[list[list[tuple[float, tuple[int, ...]]]]] = [
            [[] for _ in range(self.groups)] for _ in range(rows)
        ]
        self._worst = torch.full((rows, self.groups), -torch.inf, device=device)
        """The last of a full set of finished texts: what running beams have to beat."""
        self.parents = self.tokens = torch.zeros((rows, 1), dtype=torch.long, device=device)

    def running(self) -> Tensor:
        """Bool [R, W]: beams that can still grow; one for each row before the first token."""
        alive = self._scores > -torch.inf
        return alive.any(dim=1) if not self._history.shape[3] else alive.flatten(1)

    def choose(self, logs: Tensor, tokens: Tensor, step: int) -> None:
        """Take each group's best tokens, given logs and tokens [R × W, K]; finished texts leave the beams."""
        rows, before = len(self._scores), self._scores.shape[2]
        shape = (rows, 1 if step == 0 else self.groups, before, logs.shape[1])
        best, parents, written = self._in_turn(logs.reshape(shape), tokens.reshape(shape))
        ends = (written == self.settings.end_id) & (best > -torch.inf)
        self._finish(best, parents, ends[..., : self.size])
        growing, order = best.masked_fill(ends, -torch.inf).topk(min(self.size, best.shape[2]), dim=2)
        self._scores = torch.where(self._hopeless(growing), -torch.inf, growing)
        parents, written = parents.gather(2, order), written.gather(2, order)
        at = torch.arange(self.groups, device=parents.device)[:, None] * (before if step else 0)
        self.parents, self.tokens = (parents + at).flatten(1), written.flatten(1)
        inherited = self._history.gather(2, parents[..., None].expand(-1, -1, -1, self._history.shape[3]))
        self._history = torch.cat([inherited, written[..., None]], dim=3)

    def _in_turn(self, logs: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, parents and tokens [R, G, 2 S] of the best steps; each group pays for those before it."""
        found, taken = [], list[Tensor]()
        count = min(2 * self.size, logs.shape[2] * logs.shape[3])
        for number in range(self.groups):
            place = number if logs.shape[1] > 1 else 0
            gains, offered = logs[:, place], tokens[:, place]
            if taken and self.settings.penalty:
                earlier = torch.cat(taken, dim=1)[:, None, None]
                gains = gains - self.settings.penalty * (offered[..., None] == earlier).sum(dim=3)
            totals = (self._scores[:, number, :, None] + gains).flatten(1)
            best, flat = totals.topk(count, dim=1)
            written = offered.flatten(1).gather(1, flat)
            taken.append(written[:, : self.size].masked_fill(best[:, : self.size] == -torch.inf, -1))
            found.append((best, flat // logs.shape[3], written))
        best, parents, written = (torch.stack(one, dim=1) for one in zip(*found, strict=True))
        return best, parents, written

    def _finish(self, best: Tensor, parents: Tensor, ends: Tensor) -> None:
        rows, groups, ranks = ends.nonzero(as_tuple=True)
        texts = self._history[rows, groups, parents[rows, groups, ranks]].tolist()
        scores = best[rows, groups, ranks].tolist()
        for row, group, score, text in zip(rows.tolist(), groups.tolist(), scores, texts, strict=True):
            score /= max(len(text) + 1, 1) ** self.settings.length_power
            kept = sorted([*self._finished[row][group], (score, tuple(text))], reverse=True)[: self.size]
            self._finished[row][group] = kept
            if len(kept) == self.size:
                self._worst[row, group] = kept[-1][0]

    def _hopeless(self, growing: Tensor) -> Tensor:
        """Running beams that cannot beat a full set of finished texts (sums only fall)."""
        if self.settings.length_power:
            return torch.zeros_like(growing, dtype=torch.bool)
        return growing <= self._worst[..., None]

    def texts(self, row: int) -> list[DiverseText]:
        """The row's finished texts, group by group, best first within each."""
        return [
            DiverseText(text, score, group)
            for group, found in enumerate(self._finished[row])
            for score, text in found
        ]
