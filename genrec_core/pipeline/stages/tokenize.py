"""`tokenize`: the tokenizer names every item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.tokenizer import Tokenizer
from genrec_core.identifiers.health import health
from genrec_core.identifiers.new_items import tokenize
from genrec_core.identifiers.storage import save_identifiers
from genrec_core.pipeline.artifacts import IDENTIFIERS, MAIN, MODELS
from genrec_core.pipeline.stages.stage import Stage, StageContext

SEED_NAME = "identify"


@dataclass(frozen=True, kw_only=True)
class TokenizeStage(Stage):
    """Fits a tokenizer on the catalogue and the training view."""

    kind: ClassVar[str] = "tokenize"

    tokenizer: Tokenizer

    @property
    def seed_name(self) -> str:
        """The stage's first name: a change of words must not move codebooks, and with them every figure."""
        return SEED_NAME

    def components(self) -> Mapping[str, Component]:
        """The tokenizer."""
        return {"tokenizer": self.tokenizer}

    def run(self, work: StageContext) -> None:
        """Fit, and keep the identifiers and the model that the tokenizer owns.

        Raises:
            GenrecError: the tokenizer cannot name the items, or only those that it learns from.
        """
        prepared = work.artifacts.prepared(work.inputs["data"])
        fitted = tokenize(self.tokenizer, prepared.items, prepared.views.train, work.context)
        identifiers = fitted.identifiers
        found = health(identifiers)
        work.context.log("identifiers", collision_rate=found["collision_rate"], distinct=found["distinct"])
        (work.folder / IDENTIFIERS).mkdir()
        save_identifiers(identifiers, work.folder / IDENTIFIERS)
        if fitted.model is not None:
            fitted.model.save(work.folder / MODELS / MAIN)
