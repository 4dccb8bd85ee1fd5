"""Rounds: from a handful of prompts to the tensors of an update, and the figures that watch over it.

Every rollout is a row. `completion_mask` is what the loss counts, so a supplied prefix, a closing tag written
for the model and padding are alike: read perhaps, never learnt. Groups of any sizes lie after one another;
nothing below here knows groups, because advantages are made before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genrec_core.contracts.context import Context
from genrec_core.contracts.groups import Group
from genrec_core.engine.rl.advantages import advantages
from genrec_core.engine.rl.judging import Judge, Judged, generated
from genrec_core.engine.rl.log_probabilities import Scorer
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.prompts import Prompts
from genrec_core.engine.rl.rollouts import Completion, Moment, RolloutStrategy, SecondStage
from genrec_core.engine.rl.settings import Spread
from genrec_core.engine.rl.trees import Piece, pieces_of


@dataclass(frozen=True)
class Round:
    """What an update is made from: B rollouts of at most T tokens.

    Attributes:
        ids, learn: int64 and bool [B, T], completions and which of their tokens are learnt.
        advantages: float32 [B].
        pieces: the same rollouts laid out for reading.
        reference: float32 [B, T], log-probabilities under the reference; None without one.
        figures: name → mean over the round, for the curves.
        old: log-probabilities [B, T] under the policy that wrote the rollouts, once an update has found them.
    """

    ids: Tensor
    learn: Tensor
    advantages: Tensor
    pieces: tuple[Piece, ...]
    reference: Tensor | None
    figures: dict[str, float] = field(default_factory=dict)
    old: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Rounds:
    """Makes rounds.

    Attributes:
        prompts: the plan.
        policy: writes.
        strategy, second: how groups come about.
        judge: scores them.
        std: see `advantages`.
        context: seed of the run, and what rewards may use.
    """

    prompts: Prompts
    policy: Policy
    strategy: RolloutStrategy
    second: SecondStage
    judge: Judge
    std: Spread
    context: Context

    def make(self, step: int, reference: Scorer | None) -> Round:
        """Round `step`: generated, judged and laid out; deterministic given the policy's weights."""
        moment = Moment(step, len(self.prompts.rounds), self.context.seed)
        judged = generated(self.prompts.of(step), self.policy, self.strategy, self.second, moment)
        scored = [self.judge.scores(one.group, self.policy.catalogue, self.context) for one in judged]
        values = [advantages(totals, self.std) for totals, _ in scored]
        completions = [completion for one in judged for completion in one.rolled.completions]
        ids, learn = _padded(completions, self.policy.model.pad_id, self.policy.model.device)
        pieces = tuple(pieces_of([one.rolled for one in judged], self.policy, self.prompts.forms))
        with torch.no_grad():
            known = reference.score(pieces, (ids.shape[0], ids.shape[1]))[0] if reference else None
        return Round(
            ids=ids,
            learn=learn,
            advantages=torch.tensor([value for group in values for value in group], device=ids.device),
            pieces=pieces,
            reference=known,
            figures=_figures(judged, scored, values, learn),
        )


def _padded(completions: Sequence[Completion], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(completion.ids) for completion in completions)
    ids = torch.full((len(completions), longest), pad, dtype=torch.long)
    learn = torch.zeros(ids.shape, dtype=torch.bool)
    for row, completion in enumerate(completions):
        ids[row, : len(completion.ids)] = torch.tensor(completion.ids)
        learn[row, : len(completion.ids)] = torch.tensor(completion.learn)
    return ids.to(device), learn.to(device)


def _figures(
    judged: Sequence[Judged],
    scored: Sequence[tuple[list[float], dict[str, list[float]]]],
    values: Sequence[list[float]],
    learn: Tensor,
) -> dict[str, float]:
    """Means over a round. Rewards by component stand only where there are several."""
    groups = [one.group for one in judged]
    distinct = [len({(r.tokens, r.thought) for r in group.rollouts}) for group in groups]
    figures = {
        "reward": _mean([score for totals, _ in scored for score in totals]),
        "zero-signal groups": _mean([not any(group) for group in values]),
        "groups with a hit": _mean([_solved(group) for group in groups]),
        "distinct rollouts": _mean(distinct),
        "rollouts": _mean([len(group.rollouts) for group in groups]),
        "learnt tokens": float(learn.sum(1).float().mean()),
        "second generations": _mean([group.extra["stage"] == 2 for group in groups]),
    }
    names = scored[0][1]
    if len(names) > 1:
        for name in names:
            figures[f"reward {name}"] = _mean([score for _, parts in scored for score in parts[name]])
    return figures


def _solved(group: Group) -> bool:
    """Whether the policy found the target by itself: behind a supplied prefix it did not."""
    return any(rollout.tokens == group.target and not rollout.prefix for rollout in group.rollouts)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
