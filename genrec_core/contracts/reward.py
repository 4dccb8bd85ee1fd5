"""Reward: judges a group of rollouts."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.groups import Group, Scores


class Reward(Component):
    """Scores the rollouts of one prompt together, because position and hardness are group properties."""

    kind: ClassVar[str] = "reward"
    seeded: ClassVar[bool] = False

    @abstractmethod
    def score(self, group: Group, catalogue: Catalogue, context: Context) -> Scores:
        """One finite number a rollout, in the group's order; a malformed one is scored, not raised on."""
