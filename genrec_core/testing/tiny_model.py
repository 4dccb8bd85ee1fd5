"""A language model small enough to train in a test: the engine's own tiny backbone, at its smallest."""

from __future__ import annotations

import hashlib

from genrec_core.contracts.backbone import Backbone
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Builder
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.testing.verdicts import NotApplicable

SMALLEST = {"use": "core/tiny-causal", "hidden": 32, "layers": 1, "heads": 2}


def tiny_model(catalogue: Catalogue, builder: Builder, seed: int = 7) -> LanguageModel:
    """A fresh tiny causal model that knows the catalogue's new tokens.

    Raises:
        NotApplicable: the engine is not installed.
    """
    try:
        backbone = builder.build("backbone", SMALLEST)
    except GenrecError as error:
        if _engine_installed():
            raise
        raise NotApplicable(f"needs the engine: {error.message}") from error
    assert isinstance(backbone, Backbone)
    return backbone.build(catalogue, Context(seed=seed))


def weights_digest(model: LanguageModel) -> str:
    """Hash of every weight of a model, for comparing two trainings bit by bit."""
    body = hashlib.sha256()
    for name, tensor in sorted(model.network.state_dict().items()):
        body.update(name.encode())
        body.update(tensor.detach().cpu().contiguous().float().numpy().tobytes())
    return body.hexdigest()


def _engine_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None
