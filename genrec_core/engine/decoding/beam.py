"""Constrained beam search.

One beam pass, scores are summed log-probabilities without length normalisation, finished identifiers
wait in a pool of their own so that they take no beam from longer ones. On equal terms (same model, same
prompts, `length_penalty=0`, an explicit terminator) the result is that of `transformers.generate` with a
prefix function; with at least as many beams as identifiers it is exact.

    found = beam_search(stepper, head, Constraint(trie, device), prompts, beams=20)
    found.nodes[row, 0]      # trie node of the best identifier; trie.items_at(node) are its items
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError, examples
from genrec_core.engine.decoding.constraint import Choices, Constraint, Scoring, log_probabilities
from genrec_core.engine.decoding.head import Head
from genrec_core.engine.decoding.prompts import Tokens
from genrec_core.engine.decoding.steppers import Stepper


@dataclass(frozen=True)
class Found:
    """The identifiers a search ended with, best first: R rows, K beams.

    Attributes:
        nodes: int64 [R, K], trie nodes where identifiers end; -1 where a row has fewer than K.
        scores: float32 [R, K], log-probabilities; -inf where there is none.
        steps: tokens written on the longest beam, supplied prefix not counted.
    """

    nodes: Tensor
    scores: Tensor
    steps: int


@dataclass
class _Pool:
    """The best finished identifiers of each row so far."""

    nodes: Tensor
    scores: Tensor

    def add(self, nodes: Tensor, scores: Tensor) -> None:
        size = self.scores.shape[1]
        scores = torch.cat([self.scores, scores], dim=1)
        self.scores, best = scores.topk(size, dim=1)
        self.nodes = torch.cat([self.nodes, nodes], dim=1).gather(1, best)


@torch.inference_mode()
def beam_search(
    stepper: Stepper,
    head: Head,
    constraint: Constraint,
    prompts: Sequence[Tokens],
    *,
    beams: int,
    scoring: Scoring = "full",
    starts: Tensor | None = None,
    prefixes: Sequence[Tokens] | None = None,
) -> Found:
    """The best `beams` identifiers after each prompt.

    Args:
        stepper: a fresh search state of the model.
        head: the model's output matrix.
        constraint: the legal identifiers.
        prompts: token ids, one row each, any lengths.
        beams: how many identifiers are kept at every step and returned.
        scoring: see `Scoring`.
        starts: int64 [R], the trie node each row starts from (its catalogue's root, or deeper behind a
            prefix); the first catalogue's root by default.
        prefixes: tokens already written behind each prompt, when `starts` lies below a root.

    Raises:
        GenrecError: no token is legal at some row's start.
    """
    hidden = stepper.start(prompts, prefixes)
    rows, device = hidden.shape[0], hidden.device
    nodes = _start_nodes(constraint, starts, rows, device)
    scores = torch.zeros((rows, 1), device=device)
    pool = _Pool(
        torch.full((rows, beams), -1, dtype=torch.long, device=device),
        torch.full((rows, beams), -torch.inf, device=device),
    )
    steps = 0
    while True:
        choices = constraint.choices(nodes, scores > -torch.inf)
        steps += 1
        gained = log_probabilities(head, hidden.reshape(-1, hidden.shape[-1]), choices, scoring)
        totals = scores.reshape(-1)[choices.beams] + gained
        table, place = _by_row(totals, choices, rows)
        best, picked = table.topk(min(beams, table.shape[1]), dim=1)
        entry = place.gather(1, picked)
        reached = choices.nodes[entry]
        ended = constraint.ended(reached)
        pool.add(torch.where(ended, reached, -1), torch.where(ended, best, -torch.inf))
        if bool(ended.any()):
            running = table.masked_fill(constraint.ended(choices.nodes[place]), -torch.inf)
            best, picked = running.topk(best.shape[1], dim=1)
            entry = place.gather(1, picked)
            # Log-probabilities only fall, so a beam below the worst of a full pool can never enter it.
            best = best.masked_fill(best <= pool.scores[:, -1:], -torch.inf)
        alive = best > -torch.inf
        if not bool(alive.any()):
            return Found(pool.nodes, pool.scores, steps)
        width = int(alive.sum(1).max())
        best, entry = best[:, :width], entry[:, :width]
        nodes, scores = choices.nodes[entry], best
        parents = choices.beams[entry] % hidden.shape[1]
        hidden = stepper.advance(parents, choices.tokens[entry])


def _start_nodes(constraint: Constraint, starts: Tensor | None, rows: int, device: torch.device) -> Tensor:
    if starts is None:
        starts = torch.full((rows,), int(constraint.trie.roots[0]), dtype=torch.long)
    starts = starts.to(device)[:, None]
    dead = (starts < 0) | constraint.ended(starts.clamp(min=0))
    if bool(dead.any()):
        bad = dead.squeeze(1).nonzero().squeeze(1).tolist()
        raise GenrecError(
            f"{len(bad)} rows have no legal token to begin with (rows {examples(bad)})",
            hint="no identifier of the row's catalogue begins with the supplied prefix, or none continues it",
        )
    return starts


def _by_row(totals: Tensor, choices: Choices, rows: int) -> tuple[Tensor, Tensor]:
    """Flat choices as one padded line a row: (scores [R, M] with -inf pads, flat entry of each [R, M])."""
    sizes = choices.counts.reshape(rows, -1).sum(1)
    begin = sizes.cumsum(0) - sizes
    across = torch.arange(int(sizes.max()), device=totals.device)
    inside = across < sizes[:, None]
    place = torch.where(inside, begin[:, None] + across, 0)
    return torch.where(inside, totals[place], -torch.inf), place
