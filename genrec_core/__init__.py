"""GenRec: generative recommendation with language models, composed from plugins.

Plugin authors need only this module: the kinds to subclass, the data they exchange, and `hookimpl`.
Names load on first use, so that `import genrec_core` stays instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from genrec_core.api.comparing import compare  # noqa: F401
    from genrec_core.api.recommendations import Recommendations  # noqa: F401
    from genrec_core.api.runs import Run  # noqa: F401
    from genrec_core.api.runs import open_finished as open  # noqa: F401
    from genrec_core.api.runs import run_and_open as run  # noqa: F401
    from genrec_core.contracts.backbone import Backbone
    from genrec_core.contracts.baseline import Baseline
    from genrec_core.contracts.candidates import Candidate, Candidates, How, Ranked
    from genrec_core.contracts.catalogue import Catalogue
    from genrec_core.contracts.component import Component
    from genrec_core.contracts.context import Context
    from genrec_core.contracts.corpus import Corpus
    from genrec_core.contracts.dataset import Dataset, EvaluationRows, OracleDistribution, Sequences
    from genrec_core.contracts.encoder import Encoder
    from genrec_core.contracts.errors import ContractError, DataError, ExitCode, GenrecError, StageError
    from genrec_core.contracts.grounder import Grounder, GrounderSession
    from genrec_core.contracts.identifiers import Identifiers
    from genrec_core.contracts.items import Items
    from genrec_core.contracts.language_model import LanguageModel
    from genrec_core.contracts.loss import Loss
    from genrec_core.contracts.observer import Observer
    from genrec_core.contracts.options import Options, operational
    from genrec_core.contracts.recommender import Recommender, RecommenderSession, excluding
    from genrec_core.contracts.reward import Group, Reward, Rollout
    from genrec_core.contracts.samples import History, ItemRef, Sample, Text, UserRef
    from genrec_core.contracts.source import Source
    from genrec_core.contracts.split import Split
    from genrec_core.contracts.teacher import Answer, Chat, Message, Teacher, TeacherSession
    from genrec_core.contracts.tokenizer import FittedTokenizer, Reconstruction, Tokenizer
    from genrec_core.contracts.trainer import Trained, Trainer
    from genrec_core.contracts.views import Example, Request, Training, View, Views
    from genrec_core.registry.discovery import hookimpl
    from genrec_core.registry.registry import Registry

_HOME = {
    "baseline": "Baseline",
    "candidates": "Candidate Candidates How Ranked",
    "catalogue": "Catalogue",
    "component": "Component",
    "context": "Context",
    "corpus": "Corpus",
    "dataset": "Dataset EvaluationRows Sequences OracleDistribution",
    "encoder": "Encoder",
    "errors": "ContractError DataError ExitCode GenrecError StageError",
    "grounder": "Grounder GrounderSession",
    "identifiers": "Identifiers",
    "items": "Items",
    "backbone": "Backbone",
    "language_model": "LanguageModel",
    "loss": "Loss",
    "observer": "Observer",
    "options": "Options operational",
    "recommender": "Recommender RecommenderSession excluding",
    "reward": "Group Reward Rollout",
    "samples": "History Sample Text ItemRef UserRef",
    "source": "Source",
    "split": "Split",
    "teacher": "Answer Chat Message Teacher TeacherSession",
    "tokenizer": "FittedTokenizer Reconstruction Tokenizer",
    "trainer": "Trained Trainer",
    "views": "Example Request Training View Views",
}
_MODULE_OF = {
    name: f"genrec_core.contracts.{module}" for module, names in _HOME.items() for name in names.split()
}
_MODULE_OF |= {"hookimpl": "genrec_core.registry.discovery", "Registry": "genrec_core.registry.registry"}
_API = {
    "compare": "genrec_core.api.comparing:compare",
    "open": "genrec_core.api.runs:open_finished",
    "run": "genrec_core.api.runs:run_and_open",
    "Run": "genrec_core.api.runs:Run",
    "Recommendations": "genrec_core.api.recommendations:Recommendations",
}
"""What a user of Python calls; not in `__all__`, so that a star import does not hide `open`."""

__all__ = [  # noqa: RUF022 - kinds first, then data, then plumbing
    "Source", "Split", "Encoder", "Teacher", "Tokenizer", "Corpus", "Backbone", "Trainer", "Loss", "Reward",
    "Recommender", "RecommenderSession", "Grounder", "GrounderSession", "Baseline", "Observer",
    "TeacherSession", "Answer", "Candidate", "Candidates", "Catalogue", "Chat", "Dataset", "EvaluationRows",
    "Example", "FittedTokenizer", "Group", "History", "How", "Identifiers", "ItemRef", "Items",
    "LanguageModel", "Message", "OracleDistribution", "Ranked", "Reconstruction", "Request", "Rollout",
    "Sample",
    "Sequences", "Text", "Trained", "Training", "UserRef", "View", "Views", "Component", "Context",
    "ContractError", "DataError", "ExitCode", "GenrecError", "Options", "Registry", "StageError",
    "excluding", "hookimpl", "operational",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "data":
        return importlib.import_module("genrec_core.data")
    if name in _API:
        module, _, own = _API[name].partition(":")
        return getattr(importlib.import_module(module), own)
    if name not in _MODULE_OF:
        raise AttributeError(f"module `genrec_core` has no name `{name}`")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_API, "data", "__version__"])
