"""Free beam search: the likeliest texts after a prompt, whatever they say.

Identifiers made of plain words need no constraint to be written: a model that has learnt them writes them,
and a grounder maps what came out to items. Nothing here knows a catalogue. A text is complete when it ends
with a stop sequence, which counts in its score but is no part of it; complete texts wait in a pool of their
own, so that they take no beam from longer ones. Scores are summed log-probabilities without length
normalisation, as in the constrained search, so the two can be compared.

What the budget cuts off is returned too, behind the complete texts that beat it, and marked: a grounder may
still make something of four terms out of five.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from genrec_core.engine.decoding.head import Head
from genrec_core.engine.decoding.prompts import Tokens
from genrec_core.engine.decoding.steppers import Stepper


@dataclass(frozen=True)
class FreeBeamSettings:
    """How to search.

    Attributes:
        beams: texts kept at every step and returned.
        max_tokens: budget of a text, its stop sequence included.
        stop: token sequences that complete a text; a stop sequence is not part of the text.
    """

    beams: int
    max_tokens: int
    stop: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class FreeAnswer:
    """One text of a search.

    Attributes:
        tokens: its token ids, without the stop sequence.
        score: summed log-probability, stop sequence included.
        complete: whether a stop sequence ended it, not the budget.
    """

    tokens: tuple[int, ...]
    score: float
    complete: bool


@torch.inference_mode()
def search_freely(
    stepper: Stepper, head: Head, prompts: Sequence[Tokens], settings: FreeBeamSettings
) -> list[list[FreeAnswer]]:
    """The `beams` likeliest texts after each prompt, best first.

    Args:
        stepper: a fresh search state with room for `max_tokens` steps of `beams` beams.
        head: the model's output matrix.
        prompts: token ids, one row each.
        settings: how to search.
    """
    hidden = stepper.start(prompts)
    device = hidden.device
    scores = torch.zeros((len(prompts), 1), device=device)
    texts = torch.zeros((len(prompts), 1, 0), dtype=torch.long, device=device)
    done: list[list[FreeAnswer]] = [[] for _ in prompts]
    for step in range(settings.max_tokens):
        parents, tokens, totals = _continued(head, hidden, scores, settings)
        grown = torch.cat([_of(texts, parents), tokens[..., None]], dim=2)
        ended = _ends(grown, settings.stop)
        _keep(done, grown, totals, ended, settings)
        scores, chosen = totals.masked_fill(ended, -torch.inf).topk(
            min(settings.beams, totals.shape[1]), dim=1
        )
        # Scores only fall, so a beam below the worst of a full pool can never enter it.
        bound = [pool[-1].score if len(pool) == settings.beams else -torch.inf for pool in done]
        scores = scores.masked_fill(scores <= torch.tensor(bound, device=device)[:, None], -torch.inf)
        texts = _of(grown, chosen)
        if step + 1 == settings.max_tokens or not bool((scores > -torch.inf).any()):
            break
        hidden = stepper.advance(parents.gather(1, chosen), texts[..., -1])
    _keep_cut(done, texts, scores, settings)
    return done


def _continued(
    head: Head, hidden: Tensor, scores: Tensor, settings: FreeBeamSettings
) -> tuple[Tensor, Tensor, Tensor]:
    """The best next tokens of every beam: parents, tokens and total scores, each [B, M].

    Of one beam at most one continuation a stop sequence can be complete, so with that many more than `beams`
    there are always enough that are not.
    """
    rows, width, _ = hidden.shape
    logits = head.logits(hidden.reshape(rows * width, -1))
    most = min(settings.beams + len(settings.stop), logits.shape[1])
    best, tokens = logits.topk(most, dim=1)
    gained = best - logits.logsumexp(dim=1, keepdim=True)
    totals = (scores.reshape(-1, 1) + gained).reshape(rows, width * most)
    parents = torch.arange(width, device=hidden.device).repeat_interleave(most).expand(rows, -1)
    totals, order = totals.topk(min(2 * settings.beams + len(settings.stop), totals.shape[1]), dim=1)
    return parents.gather(1, order), tokens.reshape(rows, -1).gather(1, order), totals


def _of(table: Tensor, rows: Tensor) -> Tensor:
    """`table` [B, W, T] taken at `rows` [B, M] of its second axis."""
    return table.gather(1, rows[..., None].expand(-1, -1, table.shape[2]))


def _ends(texts: Tensor, stops: Sequence[Tokens]) -> Tensor:
    """Which texts [B, M, T] end with a stop sequence, bool [B, M]."""
    ended = torch.zeros(texts.shape[:2], dtype=torch.bool, device=texts.device)
    for stop in stops:
        if len(stop) <= texts.shape[2]:
            last = torch.tensor(list(stop), device=texts.device)
            ended |= (texts[..., texts.shape[2] - len(stop) :] == last).all(dim=2)
    return ended


def _keep(
    done: list[list[FreeAnswer]], texts: Tensor, totals: Tensor, ended: Tensor, settings: FreeBeamSettings
) -> None:
    """Put complete texts into their rows' pools."""
    for row, place in (ended & (totals > -torch.inf)).nonzero().tolist():
        tokens = texts[row, place].tolist()
        stop = next(stop for stop in settings.stop if tuple(tokens[-len(stop) :]) == stop)
        done[row].append(FreeAnswer(tuple(tokens[: -len(stop)]), float(totals[row, place]), complete=True))
        done[row].sort(key=lambda text: -text.score)
        del done[row][settings.beams :]


def _keep_cut(
    done: list[list[FreeAnswer]], texts: Tensor, scores: Tensor, settings: FreeBeamSettings
) -> None:
    """Fill pools that are not full with the best of what the budget cut off."""
    for row, pool in enumerate(done):
        for place, score in enumerate(scores[row].tolist()):
            if len(pool) < settings.beams and score > -torch.inf:
                pool.append(FreeAnswer(tuple(texts[row, place].tolist()), score, complete=False))
        pool.sort(key=lambda text: -text.score)
