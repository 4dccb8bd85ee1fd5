"""core/sft: supervised fine-tuning on a mixture of corpora."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec_core.contracts.backbone import ModelSize
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training
from genrec_core.engine.training.settings import SFTSettings
from genrec_core.registry.loading import missing_modules, not_installed


class SFT(Trainer):
    """Next-token loss on what samples mark as learnt, selected by the first corpus' validation rows."""

    needs = ("torch", "transformers", "accelerate")
    needs_corpora = True

    class Options(SFTSettings, Trainer.Options):
        """Corpora, and how long, how fast and what is trained."""

    options: Options

    def refit_options(self, curves: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Any] | None:
        """As many steps as the weights had that were handed on."""
        options = self.options
        points = curves.get("train loss", [])
        steps = int(points[-1][0]) if points else 0
        judged = curves.get(f"valid {options.select_by}", [])
        if options.keep == "best" and judged:
            sign = -1 if options.select_by == "loss" else 1
            steps = int(max(judged, key=lambda point: (sign * point[1], -point[0]))[0])
        fixed = {"max_steps": steps, "keep": "last", "patience": None}
        return {**fixed, "select_by": "loss", "evaluate_every": None} if steps else None

    def refuse_unusable(self) -> None:
        """Adapters have the package that makes them."""
        if self.options.trainable == "adapters" and missing_modules(["peft"]):
            raise not_installed("`trainable: adapters`", ModuleNotFoundError(name="peft"))

    def memory(self, size: ModelSize) -> int:
        """By what is trained, and in which numbers."""
        return self.options.memory(size)

    def train(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        training: Training,
        context: Context,
    ) -> Trained:
        """The trained model and its loss curves; resumes from the context's workspace."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.models.model import Model
        from genrec_core.engine.training.sft import finetune

        options, model = self.options, Model.of(models["main"])
        return finetune(model, catalogue, training, options.corpora, options, context)
