"""core/sft: supervised fine-tuning on a mixture of corpora."""

from __future__ import annotations

from collections.abc import Mapping

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training
from genrec_core.engine.training.settings import SFTSettings


class SFT(Trainer):
    """Next-token loss on what samples mark as learnt, selected by the first corpus' validation rows."""

    needs = ("torch", "transformers", "accelerate")
    needs_corpora = True

    class Options(SFTSettings, Trainer.Options):
        """Corpora, and how long, how fast and what is trained."""

    options: Options

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
