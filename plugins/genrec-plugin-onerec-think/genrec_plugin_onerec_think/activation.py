"""`onerec-think/activation`: fine-tuning on rationales, with a filter between epochs (OneRec-Think §4.2).

The first corpus is `onerec-think/rationales`. Without a filter this is `core/sft`. With `filter: beam`, as
in the authors' repository, the model is asked before every epoch but the first what it recommends by
itself: some thoughts of its own about each raw history, and beams behind each. An example keeps its
rationale for that epoch where the beams hold its target; elsewhere the think block is empty and the item
alone is learnt:

    beams hold the target of A and not that of B
    A   <think>⏎ likes tents, so ropes ⏎</think>⏎⏎ <a_1><b_0>        as before
    B   <think>⏎                       ⏎</think>⏎⏎ <a_4><b_7>        the answer stays

Every epoch looks at all rationales again. Epochs are then trainings of their own, one after another: each
has its warm-up and its schedule, as in the repository, and what is handed on is the last one's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import orjson
from pydantic import Field

from genrec_core import (
    Catalogue,
    Context,
    Corpus,
    GenrecError,
    LanguageModel,
    Sample,
    Trained,
    Training,
    View,
)
from genrec_core.builtin.sft import SFT
from genrec_plugin_onerec_think.rationales import Rationales, blanked, has_rationale

if TYPE_CHECKING:
    from genrec_core.engine import Model

KEPT = "kept.json"
"""What the filter decided, in the workspace of an epoch: a run that was killed does not ask again."""
_EPOCH = 17
"""Purpose of the generator that gives each epoch its seed."""


class Activation(SFT):
    """Learns to give a rationale before the item."""

    version = "1"

    class Options(SFT.Options):
        """Those of `core/sft`, and the filter."""

        epochs: int = Field(2, gt=0)
        """Epochs; with a filter each is a training of its own, which `max_steps` bounds."""
        keep: Literal["best", "last"] = "last"
        """Which weights are handed on: the last, or with `best` those with the lowest loss on validation
        rows, which get rationales too."""
        filter: Literal["none", "beam"] = "none"
        """Between epochs: keep every rationale, or only where the model's own beams hold the target."""
        draws: int = Field(2, ge=1)
        """Filter: thoughts about each history."""
        beams: int = Field(5, ge=1)
        """Filter: beams behind each thought."""
        temperature: float = Field(0.8, gt=0)
        """Filter: of the thoughts."""
        top_p: float = Field(0.95, gt=0, le=1)
        """Filter: thoughts are drawn from the smallest set of tokens with this probability together."""
        budget: int = Field(100, ge=1, le=100_000)
        """Filter: most tokens of a thought."""

    options: Options

    def refuse_unusable(self) -> None:
        """The first corpus gives rationales.

        Raises:
            GenrecError: it is another one.
        """
        self._first_corpus()

    def _first_corpus(self) -> Rationales:
        corpora = self.options.corpora
        if corpora and isinstance(corpora[0], Rationales):
            return corpora[0]
        named = f"`{corpora[0].name}`" if corpora else "missing"
        raise GenrecError(
            f"the first corpus of `{self.name}` is {named}, and must give rationales",
            hint="write corpora: [{use: onerec-think/rationales, field: …}, …]",
        )

    def train(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        training: Training,
        context: Context,
    ) -> Trained:
        """The trained model and its curves; resumes from the context's workspace."""
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine import Model, finetune

        first, rest = self._first_corpus(), self.options.corpora[1:]
        if self.options.filter == "none":
            return super().train(models, catalogue, training, context)
        model = Model.of(models["main"])
        given = list(first.samples(training.train, catalogue, context))
        one_epoch = self.options.model_copy(update={"epochs": 1})
        curves: dict[str, list[tuple[float, float]]] = {}
        for epoch in range(self.options.epochs):
            own = _of_epoch(context, epoch)
            samples = self._filtered(model, given, catalogue, own) if epoch else given
            share = sum(map(has_rationale, samples)) / max(1, sum(map(has_rationale, given)))
            corpora = (_Given.of(samples, first), *rest)
            trained = finetune(model, catalogue, training, corpora, one_epoch, own)
            steps = max((point[0] for points in curves.values() for point in points), default=0.0)
            for name, points in trained.curves.items():
                curves.setdefault(name, []).extend((steps + step, value) for step, value in points)
            curves.setdefault("rationales kept", []).append((steps, share))
        return Trained({"main": model}, curves=curves)

    def _filtered(
        self, model: Model, given: Sequence[Sample], catalogue: Catalogue, context: Context
    ) -> list[Sample]:
        """The samples of an epoch, the rationales of those that the model does not solve taken out."""
        looked = [place for place, sample in enumerate(given) if has_rationale(sample)]
        file = context.workspace / KEPT if context.workspace else None
        if file is not None and file.is_file():
            solved = set(orjson.loads(file.read_bytes()))
        else:
            solved = set(self._solved(model, given, looked, catalogue, context))
            if file is not None:
                part = file.with_suffix(".part")
                part.write_bytes(orjson.dumps(sorted(solved)))
                part.replace(file)
        context.log("filter", looked_at=len(looked), kept=len(solved))
        return without_unsolved(given, solved)

    def _solved(
        self,
        model: Model,
        given: Sequence[Sample],
        looked: Sequence[int],
        catalogue: Catalogue,
        context: Context,
    ) -> Iterator[int]:
        """The places of samples whose target is among the beams behind the model's own thoughts."""
        from genrec_core.engine import Decoder, DecoderSettings, ThinkSettings, beams_behind_thoughts

        options, tags = self.options, self._first_corpus().options
        decoder = Decoder(model, catalogue, DecoderSettings(beams=options.beams, scoring=options.scoring))
        settings = ThinkSettings(
            options.budget, tags.opening, tags.closing, options.temperature, options.top_p, options.draws
        )
        samples = [given[place] for place in looked]
        with context.progress("looking at rationales", len(samples)) as advance:
            groups = beams_behind_thoughts(decoder, samples, settings, context.seed)
            for place, sample, group in zip(looked, samples, groups, strict=True):
                beams = (beam for behind in group for beam in behind.answer.beams)
                if any(sample.target in catalogue.meant(beam) for beam in beams):
                    yield place
                advance(1)


def without_unsolved(given: Sequence[Sample], solved: set[int]) -> list[Sample]:
    """The samples with empty thoughts where the place is not among those solved; answers stay."""
    return [sample if place in solved else blanked(sample) for place, sample in enumerate(given)]


def _of_epoch(context: Context, epoch: int) -> Context:
    """A context with a workspace and a seed of the epoch's own."""
    folder = context.workspace / f"epoch-{epoch}" if context.workspace else None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    seed = int(context.generator(_EPOCH, epoch).integers(2**31))
    return replace(context, workspace=folder, seed=seed)


class _Given(Corpus):
    """A corpus whose training samples are known already; validation rows are the first corpus' own."""

    samples_given: Sequence[Sample]
    source: Corpus

    @classmethod
    def of(cls, samples: Sequence[Sample], source: Corpus) -> _Given:
        """From samples and the corpus that they are of."""
        corpus = cls(weight=source.options.weight)
        corpus.samples_given, corpus.source, corpus.name = samples, source, source.name
        return corpus

    def samples(self, view: View, catalogue: Catalogue, context: Context) -> Iterator[Sample]:
        """The samples that were given, or the validation rows'."""
        if view.targets is not None:
            return self.source.samples(view, catalogue, context)
        return iter(self.samples_given)
