"""Scale: from values to places on an axis, with round ticks.

>>> Scale.of(0, 0.23).ticks
(0.0, 0.1, 0.2)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high`."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, low: float, high: float, wanted: int = 4) -> Scale:
        """An axis that holds both ends, with about `wanted` round ticks inside."""
        if not high > low:
            low, high = low - 0.5, low + 0.5
        rough = (high - low) / wanted
        power = 10.0 ** math.floor(math.log10(rough))
        step = min((factor * power for factor in STEPS), key=lambda size: abs(size - rough))
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        return cls(low, high, tuple(round(number * step, 12) for number in range(first, last + 1)))

    def place(self, value: float) -> float:
        """Where a value lies, 0 at `low` and 1 at `high`; values outside are drawn at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def label(self, tick: float) -> str:
        """A tick as text, with no more digits than it needs."""
        return f"{tick:.6g}"
