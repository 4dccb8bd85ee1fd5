"""Loss: what a token that was learnt costs, given what the model thought of all that could stand there.

    class CrossEntropy(Loss):
        def losses(self, logs, chosen):
            return -logs.gather(1, chosen[:, None]).squeeze(1)

A loss sees log-probabilities and nothing of the network they come from, so the same one serves texts, which
are normalised over the whole vocabulary, and identifiers, which `scoring: legal` normalises over the tokens
that may stand there. It trains; validation goes on measuring cross-entropy, so that runs can be compared.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from genrec_core.contracts.component import Component


class Loss(Component):
    """What fine-tuning minimises for every learnt token."""

    kind: ClassVar[str] = "loss"
    seeded: ClassVar[bool] = False

    @abstractmethod
    def losses(self, logs: Any, chosen: Any) -> Any:
        """One finite loss a token, a float32 tensor [M] through which gradients flow.

        Args:
            logs: float32 tensor [M, C], log-probabilities of what could stand at each of M places; -inf where
                a place has fewer choices than C.
            chosen: int64 tensor [M], which of them is learnt.
        """
