"""The SID-prefix curriculum: how much of the answer a hard prompt is given (SINGER §3.2.1, eqs. 3–5).

At step t of T a share p(t) = 1 − t/T of the L tokens of the true identifier is supplied, rounded down:

    T = 100, L = 3:  t = 0 → 3   t = 1…33 → 2   t = 34…66 → 1   t = 67…100 → 0

Two departures, both options. At t = 0 the rule supplies the whole answer and leaves nothing to write, so at
least one token is kept back (`allow_full` follows the paper). And behind a long prefix there is often nothing
to choose: with 256 codes a level, two true tokens leave a median of two identifiers of MiniOneRec's
Industrial catalogue and a single one for 44 % of them, so that a group has no variance and teaches nothing.
`min_leaves` shortens a prefix until enough identifiers lie behind it.

Where nothing is supplied, nothing is generated again: the same beams from the same prompt would come back.
"""

from __future__ import annotations

from dataclasses import dataclass

from genrec_core import Group
from genrec_core.contracts.samples import IDENTIFIER
from genrec_core.engine import Leaves, Regeneration
from genrec_plugin_singer.reward import HARD


def guided_tokens(step: int, total: int, length: int, *, allow_full: bool = False) -> int:
    """L_guide = ⌊p(t)·L⌋, in integers so that no rounding of 1 − t/T can move a boundary.

    Args:
        step: t, from 0 to `total`.
        total: T, all steps of the reinforcement learning.
        length: L, tokens of the true identifier.
        allow_full: whether all L tokens may be supplied.
    """
    supplied = (total - min(step, total)) * length // total
    return supplied if allow_full else min(supplied, length - 1)


@dataclass(frozen=True)
class PrefixCurriculum:
    """The regeneration rule: hard prompts are asked again behind a part of their answer.

    Attributes:
        allow_full: see `guided_tokens`.
        min_leaves: least identifiers behind a supplied prefix; shorter prefixes are tried until so many are.
    """

    allow_full: bool = False
    min_leaves: int = 1

    def __call__(self, group: Group, leaves: Leaves) -> Regeneration | None:
        """What to supply, for a group of identifiers that missed its target; None for every other."""
        sample = group.sample
        if sample.answer_form != IDENTIFIER or group.hit():
            return None
        supplied = guided_tokens(group.step, group.total, len(group.target), allow_full=self.allow_full)
        while supplied and leaves(sample, supplied) < self.min_leaves:
            supplied -= 1
        return Regeneration(supplied, {HARD: True}) if supplied else None
