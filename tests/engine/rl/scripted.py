"""A run whose rollouts and rewards are written down beforehand."""

from genrec_core.contracts.reward import Reward
from genrec_core.engine.rl.rollouts import PromptRollouts


class Scripted:
    """Rolls out what a script says: beams of an untrained copy, widths and prefix lengths in turn."""

    def __init__(self, writer, widths=(4, 3, 2), prefix_lengths=(0,)):
        self.writer, self.widths, self.prefix_lengths = writer, widths, prefix_lengths
        self.made = []

    def roll_out(self, prompts, policy, step):
        groups = []
        for place, one in enumerate(prompts):
            named = one.sample.answer_form == "identifier"
            length = self.prefix_lengths[place % len(self.prefix_lengths)] if named else 0
            prompt = self.writer.prompt_of(one.sample, length)
            (found,) = self.writer.search([prompt], self.widths[place % len(self.widths)])
            groups.append(PromptRollouts(prompt, tuple(found)))
        self.made.append(groups)
        return groups

    def longest(self, policy, forms):
        return policy.depth(forms)

    def plain(self):
        """What was rolled out, as `by_hand` takes it."""
        return [
            [(group.prompt.ids, group.completions, group.prompt.sample.answer_form) for group in groups]
            for groups in self.made
        ]


class Letters(Reward):
    """A reward that differs from rollout to rollout and means nothing."""

    def score(self, group, catalogue, context):
        return [letters(rollout) for rollout in group.rollouts]


def letters(rollout):
    return sum(map(ord, "".join(rollout.tokens))) % 7 / 3.0
