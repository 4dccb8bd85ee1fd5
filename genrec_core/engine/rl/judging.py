"""Judging: groups as rewards see them, a second generation where one is asked for, and scores with names.

A second stage looks at each group of the first generation. Where it asks for another one, that many leading
tokens of the target are supplied and the new group takes the old one's place; only those prompts are
generated again, in one batch. `Group.extra["stage"]` says which generation a group comes from.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import StageError
from genrec_core.contracts.groups import Group
from genrec_core.contracts.reward import Reward
from genrec_core.contracts.samples import Sample
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.rollouts import Moment, RolledOut, RolloutStrategy, SecondStage


@dataclass(frozen=True)
class Judged:
    """A group with what it was made from.

    Attributes:
        rolled: token ids, for the loss.
        group: what rewards see.
    """

    rolled: RolledOut
    group: Group


def generated(
    samples: Sequence[Sample],
    policy: Policy,
    strategy: RolloutStrategy,
    second: SecondStage,
    moment: Moment,
) -> list[Judged]:
    """One group a sample, of the first generation or of the second."""
    asked = [policy.asked(sample) for sample in samples]
    judged = [_judged(rolled, policy, moment) for rolled in strategy.roll_out(asked, policy, moment)]
    wanted = [(place, second(one.group, policy.leaves)) for place, one in enumerate(judged)]
    again = [(place, request) for place, request in wanted if request is not None]
    if not again:
        return judged
    guided = [policy.asked(samples[place], request.supply) for place, request in again]
    later = dataclasses.replace(moment, stage=2)
    for (place, request), rolled in zip(again, strategy.roll_out(guided, policy, later), strict=True):
        told = dataclasses.replace(rolled, extra=rolled.extra | request.extra)
        judged[place] = _judged(told, policy, later)
    return judged


def _judged(rolled: RolledOut, policy: Policy, moment: Moment) -> Judged:
    sample = rolled.asked.sample
    if not rolled.completions:
        raise StageError(
            f"training diverged: at round {moment.step:,} the policy gives no answer a probability",
            hint="lower learning_rate, raise beta or lower clip",
        )
    assert sample.target is not None, "prompts without a target are refused before training"
    group = Group(
        sample=sample,
        target=policy.named(sample.target, sample.answer_form),
        rollouts=tuple(completion.rollout for completion in rolled.completions),
        step=moment.step,
        total=moment.total,
        lookahead=rolled.lookahead,
        decoder=policy,
        extra=rolled.extra | {"stage": moment.stage},
    )
    return Judged(rolled, group)


@dataclass(frozen=True)
class Judge:
    """Several rewards, added with weights.

    Attributes:
        rewards: what judges a group.
        weights: one each; empty for 1 each.
    """

    rewards: tuple[Reward, ...]
    weights: tuple[float, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """A distinct name of each reward, for reports."""
        names: list[str] = []
        for reward in self.rewards:
            taken = sum(name.split(" ")[0] == reward.name for name in names)
            names.append(f"{reward.name} {taken + 1}" if taken else reward.name)
        return tuple(names)

    def scores(
        self, group: Group, catalogue: Catalogue, context: Context
    ) -> tuple[list[float], dict[str, list[float]]]:
        """The weighted sum of a group's scores, and every reward's own, unweighted.

        Raises:
            StageError: a reward gave something else than one finite number a rollout.
        """
        parts = {}
        totals = [0.0] * len(group.rollouts)
        weights = self.weights or (1.0,) * len(self.rewards)
        for name, reward, weight in zip(self.names, self.rewards, weights, strict=True):
            scores = [float(score) for score in reward.score(group, catalogue, context)]
            if len(scores) != len(group.rollouts) or not all(map(math.isfinite, scores)):
                raise StageError(
                    f"reward `{reward.name}` gave `{scores}` for {len(group.rollouts)} rollouts",
                    hint="a reward gives one finite number a rollout; `genrec check-plugin` tests it",
                )
            parts[name] = scores
            totals = [total + weight * score for total, score in zip(totals, scores, strict=True)]
        return totals, parts
