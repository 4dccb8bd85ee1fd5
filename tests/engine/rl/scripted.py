"""A run whose rollouts and rewards are written down beforehand."""

from genrec_core.contracts.reward import Reward
from genrec_core.engine.rl.rollouts import RolledOut


class Scripted:
    """Rolls out what a script says: beams of an untrained copy, widths in turn, behind `levels` tokens."""

    def __init__(self, writer, widths=(4, 3, 2), levels=(0,)):
        self.writer, self.widths, self.levels = writer, widths, levels
        self.made = []

    def roll_out(self, asked, policy, moment):
        groups = []
        for place, one in enumerate(asked):
            levels = self.levels[place % len(self.levels)] if one.sample.answer_form == "identifier" else 0
            told = self.writer.asked(one.sample, levels)
            (found,) = self.writer.search([told], self.widths[place % len(self.widths)])
            groups.append(RolledOut(told, tuple(found)))
        self.made.append(groups)
        return groups

    def longest(self, policy, forms):
        return policy.depth(forms)

    def plain(self):
        """What was rolled out, as `by_hand` takes it."""
        return [
            [(group.asked.ids, group.completions, group.asked.sample.answer_form) for group in groups]
            for groups in self.made
        ]


class Letters(Reward):
    """A reward that differs from rollout to rollout and means nothing."""

    def score(self, group, catalogue, context):
        return [letters(rollout) for rollout in group.rollouts]


def letters(rollout):
    return sum(map(ord, "".join(rollout.tokens))) % 7 / 3.0
