"""Case: all that a judge is given.

Plain dataclasses without behaviour, so that whatever runs the pipeline can fill them in from artefacts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.views import View
from genrec_core.evaluation.rankings import Rankings


@dataclass(frozen=True)
class Settings:
    """How to judge.

    Attributes:
        at: cut-offs k.
        filter_viewed: take items of the user's visible history out of every ranking first.
        resamples: bootstrap resamples; 0 leaves intervals out.
        seed: of the bootstrap.
    """

    at: tuple[int, ...] = (5, 10)
    filter_viewed: bool = False
    resamples: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class CatalogueFacts:
    """What judging needs to know about the catalogue.

    Attributes:
        size: N, how many items could have been recommended.
        popularity: int64 [N], occurrences in the training view (`slices.popularity_of`).
        groups: int32 [N], which identifier each item carries (`ranks.identifier_groups`); None without
            identifiers.
    """

    size: int
    popularity: NDArray[np.int64]
    groups: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class Case:
    """Everything that is judged together.

    Attributes:
        test: the test view, U examples.
        catalogue: see there.
        protocol: `Protocol.described()`, with its `hash`; printed with every metric.
        model: the model's rankings of the test examples; None for a pipeline of baselines only.
        baselines: name → rankings of the test examples.
        valid: the validation view, where it is judged too.
        valid_model: the model's rankings of it.
    """

    test: View
    catalogue: CatalogueFacts
    protocol: Mapping[str, Any]
    model: Rankings | None = None
    baselines: Mapping[str, Rankings] = field(default_factory=dict)
    valid: View | None = None
    valid_model: Rankings | None = None
