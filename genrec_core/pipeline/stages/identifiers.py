"""`tokenize`: the tokenizer names every item. `model`: the language model that training starts from.

Both leave identifiers: the first as the tokenizer gives them, the second as the model can tell them apart
(a text tokenizer may write two spellings with the same tokens). Whatever comes later reads the latter.

    tokenize   item 17 → <a_3><b_2>
    model      `<a_3>` and `<b_2>` are single tokens of its vocabulary, ids 2000 and 2037
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from genrec_core.contracts.backbone import Backbone
from genrec_core.contracts.component import Component
from genrec_core.contracts.tokenizer import Tokenizer
from genrec_core.identifiers.health import health
from genrec_core.identifiers.new_items import tokenize
from genrec_core.identifiers.spelling import meet_vocabulary
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


@dataclass(frozen=True, kw_only=True)
class ModelStage(Stage):
    """Builds a backbone with the identifiers' new tokens in its vocabulary.

    It leaves the identifiers too, as the model can tell them apart; whatever comes later reads those.
    """

    kind: ClassVar[str] = "model"
    version: ClassVar[str] = "2"

    backbone: Backbone

    def components(self) -> Mapping[str, Component]:
        """The backbone."""
        return {self.name: self.backbone}

    def run(self, work: StageContext) -> None:
        """Build and keep the model and the identifiers.

        Raises:
            GenrecError: the model cannot write some identifiers, or tell too many of them apart.
        """
        catalogue = work.artifacts.catalogue(work.inputs["data"], work.inputs["identifiers"])
        model = self.backbone.build(catalogue, work.context)
        model.save(work.folder / MODELS / MAIN)
        identifiers = meet_vocabulary(catalogue, model, self.backbone.options.max_merged)
        if identifiers.merged:
            work.context.log("identifiers", merged=identifiers.merged, items=len(identifiers))
        (work.folder / IDENTIFIERS).mkdir()
        save_identifiers(identifiers, work.folder / IDENTIFIERS)
