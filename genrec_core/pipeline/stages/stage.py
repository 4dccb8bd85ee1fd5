"""Stage: one step of a run, whose result is an artefact in the store.

A stage is plain configuration until it runs. What may change its result are its components' identities,
its settings, the artefacts it reads, files outside the store and its seed; the plan hashes exactly these.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.pipeline.artifacts import ArtifactReader, ModelAt


@dataclass(frozen=True)
class StageContext:
    """What a stage has while it runs.

    Attributes:
        inputs: role → folder of the artefact it reads.
        folder: where its own files go.
        context: seed, progress, log, workspace, embeddings, teachers' answers.
        artifacts: reads artefacts.
    """

    inputs: Mapping[str, Path]
    folder: Path
    context: Context
    artifacts: ArtifactReader


@dataclass(frozen=True, kw_only=True)
class Stage(ABC):
    """Base of every kind of stage.

    Attributes:
        name: unique in its pipeline, like `train.sft`.
        inputs: role → name of the stage whose artefact it reads.
        asked: pipeline slot → where the model is that components ask through `Context.models`; its artefact
            is the input `slot.<slot>`.
    """

    kind: ClassVar[str]
    version: ClassVar[str] = "1"
    """Raise it when the stage's own code writes something else for the same components."""

    name: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, ModelAt] = field(default_factory=dict)

    @abstractmethod
    def components(self) -> Mapping[str, Component]:
        """Where in the pipeline file → component whose identity can change the result."""

    def settings(self) -> Mapping[str, Any]:
        """Other JSON values that can change the result."""
        return {}

    @abstractmethod
    def run(self, work: StageContext) -> None:
        """Write the artefact's files into `work.folder`."""

    @property
    def seed_name(self) -> str:
        """What its seed is derived from beside the pipeline's: stages must not share random numbers."""
        return self.name

    def everything(self) -> Mapping[str, Component]:
        """All components with those nested in them: dotted path → component."""
        found: dict[str, Component] = {}
        for role, component in self.components().items():
            found[role] = component
            found |= {f"{role}.{path}": inner for path, inner in component.nested()}
        return found

    @property
    def seeded(self) -> bool:
        """Whether any component of the stage depends on the seed."""
        return any(component.is_seeded() for component in self.everything().values())


def stage_seed(seed: int, name: str) -> int:
    """A stage's own seed (31 bits): stages that share a pipeline's seed must not share random numbers."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:4], "big") >> 1
