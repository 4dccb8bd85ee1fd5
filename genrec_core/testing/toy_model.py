"""A language model small enough to train in a test: the engine's own tiny backbone, at its smallest."""

from __future__ import annotations

from genrec_core.contracts.backbone import Backbone
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Builder
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.testing.verdicts import NotApplicable

_SMALLEST = {"use": "core/tiny-causal", "hidden": 32, "layers": 1, "heads": 2}


def toy_model(catalogue: Catalogue, builder: Builder, seed: int = 7) -> LanguageModel:
    """A fresh tiny causal model that knows the catalogue's new tokens.

    Raises:
        NotApplicable: the engine is not installed.
    """
    try:
        backbone = builder.build("backbone", _SMALLEST)
    except GenrecError as error:
        if _engine_installed():
            raise
        raise NotApplicable(f"needs the engine: {error.message}") from error
    assert isinstance(backbone, Backbone)
    return backbone.build(catalogue, Context(seed=seed))


def model_digest(model: LanguageModel) -> str:
    """Hash of every weight of a model, for comparing two trainings bit by bit."""
    from genrec_core.engine.decoding.free_text import weights_digest

    return weights_digest(model.network)


def _engine_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None
