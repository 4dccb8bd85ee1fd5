"""core/hit: the accuracy reward, 1 for a rollout that names the target and 0 for any other."""

from __future__ import annotations

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.reward import Group, Reward, Scores


class Hit(Reward):
    """Exact match with the target's identifier, or with its text where an item field is asked for."""

    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """0 or 1 a rollout."""
        return [float(rollout.tokens == group.target) for rollout in group.rollouts]
