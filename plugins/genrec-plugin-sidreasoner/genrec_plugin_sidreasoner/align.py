"""`sidreasoner/align`: fine-tuning on the whole mixture, or on a lower rung of it (SIDReasoner §4.3.1).

    vanilla      nothing: reasoning is activated in the model as it comes
    multi-task   tasks between SIDs and titles
    enriched     and enrichment
    general      and general reasoning data: the whole method

One option, `rung`, takes the corpora of higher rungs away, so all four are one pipeline. A corpus that is
none of this plugin's counts as `multi-task`. Everything else is `core/sft`: early stopping on the validation
loss of the first corpus, which is the SID of the next item from SIDs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from genrec_core import Catalogue, Context, LanguageModel, Trained, Training
from genrec_core.builtin.sft import SFT

Rung = Literal["vanilla", "multi-task", "enriched", "general"]
RUNGS: tuple[Rung, ...] = get_args(Rung)


class Align(SFT):
    """Alignment of SIDs and language, up to a rung."""

    version = "1"

    class Options(SFT.Options):
        """The rung, and the options of `core/sft`."""

        rung: Rung = "general"
        """How much of the mixture is trained on."""

    options: Options

    def train(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        training: Training,
        context: Context,
    ) -> Trained:
        """The aligned model; on the rung `vanilla`, the model as it was."""
        rung = self.options.rung
        if rung == "vanilla":
            return Trained({"main": models["main"]})
        kept = tuple(
            corpus
            for corpus in self.options.corpora
            if RUNGS.index(getattr(corpus, "rung", "multi-task")) <= RUNGS.index(rung)
        )
        chosen = self.with_options(corpora=kept)
        return SFT.train(chosen, models, catalogue, training, context)
