"""core/think: thoughts in free text, then constrained beams behind them.

    recommend: {use: core/think, budget: 128}                            # one greedy thought
    recommend: {use: core/think, thoughts: 5, temperature: 1.0, merge: logsumexp}
    recommend: {use: core/think, mode: empty}                            # the same input, without thinking

What is given is the task's prompt and the opening text; what the model then writes is free until it closes
its thought. One that does not close within the budget is closed for it and counted (`cut`). `mode` compares
on the same prompts: `empty` gives an opened and closed thought, `none` answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from genrec_core.builtin.beam import Beam, BeamSession
from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.recommender import excluding
from genrec_core.contracts.views import Request
from genrec_core.engine.choices import Merge

if TYPE_CHECKING:
    from genrec_core.engine.decoding.decoder import Decoder
    from genrec_core.engine.decoding.thoughts import ThinkSettings


class Think(Beam):
    """Thinks before it recommends; what it recommends are identifiers of the catalogue."""

    seeded = True

    class Options(Beam.Options):
        """How to think, and the options of constrained beam search."""

        mode: Literal["think", "empty", "none"] = "think"
        """`think`; `empty`: an opened and closed thought is given; `none`: the answer begins at once."""
        thoughts: int = Field(default=1, ge=1, le=1000)
        """Thoughts a prompt."""
        budget: int = Field(default=128, ge=1, le=100_000)
        """Most tokens of a thought."""
        opening: str = "<think>\n"
        """Text that begins a thought; it is given."""
        closing: str = "\n</think>\n\n"
        """Text that ends it; given where the budget runs out."""
        temperature: float = Field(default=0.0, ge=0)
        """Of thoughts; 0 takes the likeliest token every time."""
        top_p: float = Field(default=1.0, gt=0, le=1)
        """Thoughts are drawn from the smallest set of tokens with this probability together."""
        merge: Merge = "max"
        """How beams behind several thoughts become one list: `max` log-probability, `logsumexp` (mean
        probability over thoughts), `vote` (reciprocal ranks), or those behind the `best` thought alone."""

        @model_validator(mode="after")
        def _several_thoughts_differ(self) -> Self:
            if self.thoughts > 1 and not self.temperature:
                raise ValueError(
                    f"{self.thoughts} thoughts of one prompt are all the same at `temperature: 0`: write "
                    "`temperature: 1.0`, or `thoughts: 1`"
                )
            if not self.closing.strip():
                raise ValueError("`closing` must hold more than white space: it tells where a thought ends")
            return self

    options: Options

    def is_seeded(self) -> bool:
        """Only drawn thoughts are."""
        return self.options.mode == "think" and self.options.temperature > 0

    def settings(self) -> ThinkSettings | None:
        """How the engine is to think; None where it answers at once."""
        from genrec_core.engine.decoding.thoughts import ThinkSettings

        options = self.options
        if options.mode == "none":
            return None
        if options.mode == "empty":
            return ThinkSettings(0, options.opening, options.closing)
        return ThinkSettings(
            options.budget,
            options.opening,
            options.closing,
            options.temperature,
            options.top_p,
            options.thoughts,
            options.merge,
        )

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> BeamSession:
        """A session that thinks, or a plain one where `mode` is `none`.

        Raises:
            GenrecError: the prior's weight is still open.
        """
        decoder, settings = self.decoder(models, catalogue, context), self.settings()
        if settings is None:
            return BeamSession(decoder, prompts["main"], context)
        return ThinkSession(decoder, prompts["main"], context, settings)


class ThinkSession(BeamSession):
    """Thoughts and beams of one model over one catalogue.

    Args:
        decoder, prompt, context: as `BeamSession` takes them; the context's seed draws thoughts.
        settings: how to think.
    """

    def __init__(self, decoder: Decoder, prompt: Corpus, context: Context, settings: ThinkSettings) -> None:
        super().__init__(decoder, prompt, context)
        self._settings = settings

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """Candidates in the order of the requests; the log says how many thoughts were cut."""
        # Options are read where torch is not installed.
        from genrec_core.engine.batches import WINDOW
        from genrec_core.engine.decoding.thoughts import think_then_beam

        catalogue, context = self._decoder.catalogue, self._context
        remaining, cut = iter(requests), 0
        with context.progress("think and recommend", len(requests)) as advance:
            while window := list(islice(remaining, WINDOW)):
                answers = think_then_beam(
                    self._decoder,
                    [self._prompt.prompt(request, catalogue, context) for request in window],
                    self._settings,
                    context.seed,
                    window,
                    exclude=[request.exclude for request in window],
                    only=[request.only for request in window],
                )
                for request, answer in zip(window, answers, strict=True):
                    cut += answer.phases["cut"]
                    yield excluding(answer, request, catalogue)
                    advance(1)
        if self._settings.budget:
            context.log("thoughts", thoughts=len(requests) * self._settings.count, cut=cut)
