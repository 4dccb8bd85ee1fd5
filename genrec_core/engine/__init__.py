"""Language models: making them, writing samples for them, training them, decoding from them.

The only part of the core that imports torch and transformers. It needs the `engine` extra
(`pip install genrec-core[engine]`); nothing below it does.

Plugins use the names that stand here, and nothing behind them:

    from genrec_core.engine import Decoder, DecoderSettings, Model

| to | use |
|---|---|
| load, keep and ask a model | `Model`, `Model.of`, `load_model`, `chosen_device` |
| make a backbone, a tiny one too | `ExtendedBackbone`, `Shape`, `tiny_model` |
| turn samples into token ids | `Renderer`, `Rendered` |
| decode under a trie | `Decoder`, `DecoderSettings`, `Constraint`, `prefixes`, `finish` |
| write texts that differ, by diverse beams | `write_diversely`, `DiverseSettings` |
| decode freely | `FreeDecoder`, `FreeDecoderSettings` |
| think before the beams | `ThinkSettings`, `think_then_beam`; not merged: `beams_behind_thoughts`, `merged` |
| fine-tune | `finetune`, `SFTSettings` |
| keep a training of your own | `write_checkpoint`, `resumable`, `BestTracker`, `save_weights` … |
| train by rollouts | `reinforce`, `RolloutTask`, `GRPOSettings`, `RolloutStrategy`, `Regeneration` |
| vectors of behaviour | `fit_sasrec`, `SASRecSettings`, `cooccurrence_vectors` |

A name is imported when it is first used, so `import genrec_core.engine` alone brings no torch. That import
also asks OpenMP's threads to sleep while they wait: by default they spin, and where other programs want the
same cores a small model then trains four to eighteen times slower (measured on two cores). Whoever sets
OMP_WAIT_POLICY is obeyed.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if TYPE_CHECKING:
    from genrec_core.engine.baselines.cooccurrence import cooccurrence_vectors
    from genrec_core.engine.baselines.fitting import fit_sasrec
    from genrec_core.engine.baselines.settings import SASRecSettings
    from genrec_core.engine.decoding.constraint import Constraint
    from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
    from genrec_core.engine.decoding.diverse import DiverseSettings, write_diversely
    from genrec_core.engine.decoding.free_beam import FreeDecoder, FreeDecoderSettings
    from genrec_core.engine.decoding.thoughts import (
        Behind,
        ThinkSettings,
        Thought,
        beams_behind_thoughts,
        merged,
        think_then_beam,
    )
    from genrec_core.engine.decoding.two_models import finish, prefixes
    from genrec_core.engine.models.backbone import ExtendedBackbone
    from genrec_core.engine.models.model import Model, chosen_device, load_model
    from genrec_core.engine.models.tiny import Shape, tiny_model
    from genrec_core.engine.rendering.renderer import Rendered, Renderer, Span
    from genrec_core.engine.rl.reinforce import RolloutTask, reinforce
    from genrec_core.engine.rl.rollouts import (
        Completion,
        Leaves,
        PromptRollouts,
        Regeneration,
        RegenerationRule,
        RolloutPrompt,
        RolloutStep,
    )
    from genrec_core.engine.rl.settings import GRPOSettings
    from genrec_core.engine.rl.strategies import DirectAnswers, RolloutStrategy, Thinking, strategy_for
    from genrec_core.engine.training.best_tracker import BestTracker
    from genrec_core.engine.training.checkpoints import (
        load_optimizer,
        load_weights,
        resumable,
        save_optimizer,
        save_weights,
        work_folder,
        write_checkpoint,
    )
    from genrec_core.engine.training.settings import SFTSettings
    from genrec_core.engine.training.sft import finetune

_HOME = {
    "models.backbone": "ExtendedBackbone",
    "models.model": "Model load_model chosen_device",
    "models.tiny": "Shape tiny_model",
    "rendering.renderer": "Rendered Renderer Span",
    "decoding.constraint": "Constraint",
    "decoding.decoder": "Decoder DecoderSettings",
    "decoding.two_models": "finish prefixes",
    "decoding.diverse": "DiverseSettings write_diversely",
    "decoding.free_beam": "FreeDecoder FreeDecoderSettings",
    "training.best_tracker": "BestTracker",
    "training.checkpoints": (
        "load_optimizer load_weights resumable save_optimizer save_weights work_folder write_checkpoint"
    ),
    "decoding.thoughts": "Behind ThinkSettings Thought beams_behind_thoughts merged think_then_beam",
    "training.sft": "finetune",
    "training.settings": "SFTSettings",
    "rl.settings": "GRPOSettings",
    "rl.reinforce": "RolloutTask reinforce",
    "rl.rollouts": "Completion Leaves PromptRollouts Regeneration RegenerationRule RolloutPrompt RolloutStep",
    "rl.strategies": "DirectAnswers RolloutStrategy Thinking strategy_for",
    "baselines.cooccurrence": "cooccurrence_vectors",
    "baselines.fitting": "fit_sasrec",
    "baselines.settings": "SASRecSettings",
}
_MODULE_OF = {name: f"{__name__}.{module}" for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "Behind",
    "BestTracker",
    "Completion",
    "Constraint",
    "Decoder",
    "DecoderSettings",
    "DirectAnswers",
    "DiverseSettings",
    "ExtendedBackbone",
    "FreeDecoder",
    "FreeDecoderSettings",
    "GRPOSettings",
    "Leaves",
    "Model",
    "PromptRollouts",
    "Regeneration",
    "RegenerationRule",
    "Rendered",
    "Renderer",
    "RolloutPrompt",
    "RolloutStep",
    "RolloutStrategy",
    "RolloutTask",
    "SASRecSettings",
    "SFTSettings",
    "Shape",
    "Span",
    "ThinkSettings",
    "Thinking",
    "Thought",
    "beams_behind_thoughts",
    "chosen_device",
    "cooccurrence_vectors",
    "finetune",
    "finish",
    "fit_sasrec",
    "load_model",
    "load_optimizer",
    "load_weights",
    "merged",
    "prefixes",
    "reinforce",
    "resumable",
    "save_optimizer",
    "save_weights",
    "strategy_for",
    "think_then_beam",
    "tiny_model",
    "work_folder",
    "write_checkpoint",
    "write_diversely",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module `{__name__}` has no public name `{name}`")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
