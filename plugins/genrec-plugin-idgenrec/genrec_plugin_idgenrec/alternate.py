"""`idgenrec/alternate`: generator and recommender learn in turn (IDGenRec §2.5).

    round    generator step            identifiers       recommender step
    1        φ learns, ω stands still   written anew      ω learns, φ stands still
    2        …                          version + 1       on prompts with the new identifiers

`order: rec_first` leaves out the first generator step, which in the paper's order asks a recommender that
has learnt nothing yet. Ablations of the paper's table 5 are options: `train: recommender` never moves an
identifier, `train: generator` never the recommender; both take as many steps as they would in alternate
training.

Samples point at items, so new identifiers reach prompts, answers, tries and caches by themselves: each
recommender step is an ordinary fine-tuning on the catalogue as it is called by then. A killed training
goes on in the phase in which it was killed, and ends with the same bits.

What is reported of each round: how many identifiers moved, and the recommender's validation loss on the new
ones before and after its step. Some items' names in each round stand in the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from genrec_core import Catalogue, Context, LanguageModel, Trained, Trainer, Training
from genrec_core.engine import SFTSettings
from genrec_plugin_idgenrec.generator_settings import GeneratorSettings
from genrec_plugin_idgenrec.writing import Writing

Order = Literal["id_first", "rec_first"]
Train = Literal["alternate", "recommender", "generator"]


class Alternate(Trainer):
    """Trains the recommender (slot `main`) and the ID generator (slot `generator`), and renames the items."""

    needs = ("torch", "transformers", "accelerate")
    slots = ("main", "generator")
    changes = ("main", "generator")
    needs_corpora = True
    learns_identifiers = True

    class Options(SFTSettings, Trainer.Options):
        """Those of `core/sft`, for the recommender's step of every round, and how both take turns."""

        rounds: int = Field(3, gt=0, le=1_000)
        """How often both take their turn."""
        order: Order = "id_first"
        """Who begins: the generator, as in the paper, or the recommender, whose step is then the whole first
        round. Both end with the recommender, so that it has learnt the identifiers that are handed on."""
        train: Train = "alternate"
        """Who learns: both in turn, or one of them alone."""
        id_generator: GeneratorSettings = GeneratorSettings()
        """The generator's step of every round."""
        writing: Writing | None = None
        """How identifiers are written anew; by default as those that are there were written."""

    options: Options

    def train(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        training: Training,
        context: Context,
    ) -> Trained:
        """Both models, the last identifiers, and the curves of all rounds."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine import Model
        from genrec_plugin_idgenrec.rounds import AlternateRounds

        main, generator = Model.of(models["main"]), Model.of(models["generator"])
        return AlternateRounds(main, generator, catalogue, training, self, context).run()

    def phases(self) -> list[tuple[int, str]]:
        """(round, `generator` or `recommender`) of every phase, in order."""
        options = self.options
        both = ("generator", "recommender") if options.train == "alternate" else (options.train,)
        every = [(number, turn) for number in range(1, options.rounds + 1) for turn in both]
        late = options.train == "alternate" and options.order == "rec_first"
        return every[1:] if late else every
