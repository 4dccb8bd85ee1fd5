"""core/sft: supervised fine-tuning on a mixture of corpora."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.model import LanguageModel
from genrec_core.contracts.trainer import Trained, Trainer
from genrec_core.contracts.views import Training
from genrec_core.engine.training.settings import Settings

if TYPE_CHECKING:
    from genrec_core.engine.models.model import Model


class SFT(Trainer):
    """Next-token loss on what samples mark as learnt, selected by the first corpus' validation rows."""

    class Options(Settings, Trainer.Options):
        """Corpora, and how long, how fast and what is trained."""

    options: Options

    def train(
        self, model: LanguageModel, catalogue: Catalogue, training: Training, context: Context
    ) -> Trained:
        """The trained model and its loss curves; resumes from the context's workspace."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.training.sft import finetune

        return finetune(
            cast("Model", model), catalogue, training, self.options.corpora, self.options, context
        )
