"""Rounds: from a handful of prompts to the tensors of an update, and the figures that watch over it.

A strategy makes a group for each prompt. A regeneration rule looks at every group and may ask for another
one: that many leading tokens of the target are supplied, and the new group takes the old one's place. Only
those prompts are generated again, in one batch; `Group.extra["stage"]` says which generation a group comes
from. Rewards then score whole groups, and every rollout becomes a row. `learn` is what the loss counts, so a
supplied prefix, a closing tag written for the model and padding are alike: read perhaps, never learnt. Groups
of any sizes lie after one another.

    groups [a b] [c] with scores [1 0] [1] → rows a b c, advantages 1 −1 0
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import StageError
from genrec_core.contracts.reward import Group
from genrec_core.contracts.samples import Sample
from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.prompts import PromptPlan
from genrec_core.engine.rl.rewards import RewardMixer, advantages
from genrec_core.engine.rl.rollouts import Completion, PromptRollouts, RegenerationRule, RolloutStep
from genrec_core.engine.rl.settings import Spread
from genrec_core.engine.rl.strategies import RolloutStrategy
from genrec_core.engine.rl.trees import PackedTree, pack_trees


def generate(
    samples: Sequence[Sample],
    policy: Policy,
    strategy: RolloutStrategy,
    regenerate: RegenerationRule,
    step: RolloutStep,
) -> list[tuple[PromptRollouts, Group]]:
    """Rollouts of each sample with the group that rewards see, of the first generation or of the second.

    Raises:
        StageError: the policy gives no answer a probability.
    """
    prompts = [policy.prompt_of(sample) for sample in samples]
    made = [(one, _group(one, policy, step)) for one in strategy.roll_out(prompts, policy, step)]
    wanted = [(place, regenerate(group, policy.leaves)) for place, (_, group) in enumerate(made)]
    again = [(place, request) for place, request in wanted if request is not None]
    if not again:
        return made
    guided = [policy.prompt_of(samples[place], request.prefix_length) for place, request in again]
    later = dataclasses.replace(step, stage=2)
    for (place, request), one in zip(again, strategy.roll_out(guided, policy, later), strict=True):
        rollouts = dataclasses.replace(one, extra=one.extra | request.extra)
        made[place] = rollouts, _group(rollouts, policy, later)
    return made


def _group(rollouts: PromptRollouts, policy: Policy, step: RolloutStep) -> Group:
    sample = rollouts.prompt.sample
    if not rollouts.completions:
        raise StageError(
            f"training diverged: at round {step.step:,} the policy gives no answer a probability",
            hint="lower learning_rate, raise beta or lower clip",
        )
    assert sample.target is not None, "prompts without a target are refused before training"
    return Group(
        sample=sample,
        target=policy.named(sample.target, sample.answer_form),
        rollouts=tuple(completion.rollout for completion in rollouts.completions),
        step=step.step,
        total=step.total,
        lookahead=rollouts.lookahead,
        decoder=policy,
        extra=rollouts.extra | {"stage": step.stage},
    )


@dataclass(frozen=True)
class ScoredGroup:
    """A group, what it was made from and what it is worth.

    Attributes:
        rollouts: token ids, for the loss.
        group: what rewards see.
        scores: the sum of all rewards, one a rollout.
        by_reward: every reward's own scores, unweighted.
        advantages: one a rollout.
    """

    rollouts: PromptRollouts
    group: Group
    scores: Sequence[float]
    by_reward: Mapping[str, Sequence[float]]
    advantages: Sequence[float]


@dataclass(frozen=True)
class Round:
    """What an update is made from: B rollouts of at most T tokens.

    Attributes:
        ids, learn: int64 and bool [B, T], completions and which of their tokens are learnt.
        advantages: float32 [B].
        groups: rollouts of each group, which lie after one another; they add up to B.
        trees: the same rollouts laid out for reading.
        reference: float32 [B, T], log-probabilities under the reference; None without one.
        figures: name → mean over the round, for the curves.
        old: log-probabilities [B, T] under the policy that wrote the rollouts, once an update has found them.
    """

    ids: Tensor
    learn: Tensor
    advantages: Tensor
    groups: tuple[int, ...]
    trees: tuple[PackedTree, ...]
    reference: Tensor | None
    figures: dict[str, float] = field(default_factory=dict)
    old: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class Rounds:
    """Makes rounds.

    Attributes:
        prompts: the plan.
        policy: writes.
        strategy, regenerate: how groups come about.
        mixer: scores them.
        std: see `advantages`.
        context: seed of the run, and what rewards may use.
    """

    prompts: PromptPlan
    policy: Policy
    strategy: RolloutStrategy
    regenerate: RegenerationRule
    mixer: RewardMixer
    std: Spread
    context: Context

    def make(self, number: int, reference: TreeScorer | None) -> Round:
        """Round `number`: generated, scored and laid out; deterministic given the policy's weights."""
        step = RolloutStep(number, len(self.prompts.rounds), self.context.seed)
        made = generate(self.prompts.of(number), self.policy, self.strategy, self.regenerate, step)
        groups = [self._scored(rollouts, group) for rollouts, group in made]
        completions = [completion for one in groups for completion in one.rollouts.completions]
        ids, learn = _padded(completions, self.policy.model.pad_id, self.policy.model.device)
        trees = tuple(pack_trees([one.rollouts for one in groups], self.policy, self.prompts.forms))
        with torch.no_grad():
            known = reference.score(trees, (ids.shape[0], ids.shape[1]))[0] if reference else None
        return Round(
            ids=ids,
            learn=learn,
            advantages=torch.tensor([value for one in groups for value in one.advantages], device=ids.device),
            groups=tuple(len(one.group.rollouts) for one in groups),
            trees=trees,
            reference=known,
            figures=_figures(groups, learn),
        )

    def _scored(self, rollouts: PromptRollouts, group: Group) -> ScoredGroup:
        scores, by_reward = self.mixer.scores(group, self.policy.catalogue, self.context)
        return ScoredGroup(rollouts, group, scores, by_reward, advantages(scores, self.std))


def _padded(completions: Sequence[Completion], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    longest = max(len(completion.ids) for completion in completions)
    ids = torch.full((len(completions), longest), pad, dtype=torch.long)
    learn = torch.zeros(ids.shape, dtype=torch.bool)
    for row, completion in enumerate(completions):
        ids[row, : len(completion.ids)] = torch.tensor(completion.ids)
        learn[row, : len(completion.ids)] = torch.tensor(completion.learn)
    return ids.to(device), learn.to(device)


def _figures(groups: Sequence[ScoredGroup], learn: Tensor) -> dict[str, float]:
    """Means over a round. Rewards by component stand only where there are several."""
    distinct = [len({(r.tokens, r.thought) for r in one.group.rollouts}) for one in groups]
    figures = {
        "reward": _mean([score for one in groups for score in one.scores]),
        "zero-signal groups": _mean([not any(one.advantages) for one in groups]),
        "groups with a hit": _mean([_solved(one.group) for one in groups]),
        "distinct rollouts": _mean(distinct),
        "rollouts": _mean([len(one.group.rollouts) for one in groups]),
        "learnt tokens": float(learn.sum(1).float().mean()),
        "second generations": _mean([one.group.extra["stage"] == 2 for one in groups]),
    }
    rollouts = [rollout for one in groups for rollout in one.group.rollouts]
    lengths = [one.thought_tokens for one in rollouts if one.thought_tokens is not None]
    if lengths:
        figures["thought tokens"] = _mean(lengths)
        figures["thoughts cut"] = _mean([not one.closed for one in rollouts])
    names = groups[0].by_reward
    if len(names) > 1:
        for name in names:
            figures[f"reward {name}"] = _mean([score for one in groups for score in one.by_reward[name]])
    return figures


def _solved(group: Group) -> bool:
    """Whether the policy found the target by itself: behind a supplied prefix it did not."""
    return any(rollout.tokens == group.target and not rollout.prefix for rollout in group.rollouts)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
