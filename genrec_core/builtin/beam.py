"""core/beam: constrained beam search, the recommender to start with.

Every identifier it writes belongs to an item of the catalogue. `search: exhaustive` scores every
identifier instead of the best few, which is exact and affordable for small catalogues.

With a `prior`, any fitted baseline, the model's log-probability of an item and `prior_weight` times the logit
of the baseline are added, step by step over the trie, so beams and final scores agree:

    recommend: {use: core/beam, prior: core/transitions}        # the weight is chosen on validation rows

Where the model was trained with a dense head (`dense` in `core/sft`), the items found are ranked by the
log-probability of their identifier plus `dense` times that of their own row. With `search: exhaustive` that
is exact for all items.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from genrec_core.contracts.baseline import Baseline
from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import operational
from genrec_core.contracts.recommender import Recommender, RecommenderSession, excluding
from genrec_core.contracts.views import Example, Request
from genrec_core.engine.choices import Scoring, Search

if TYPE_CHECKING:
    from genrec_core.engine.decoding.decoder import Decoder


WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Of a prior, to choose among."""
TOP = 10
_ROWS = 11
"""Purpose of the generator that draws validation rows."""


class Beam(Recommender):
    """Writes the best identifiers by beam search over the compiled trie of the catalogue."""

    needs = ("torch", "transformers")
    seeded = False

    class Options(Recommender.Options):
        """Options of constrained beam search."""

        beams: int = Field(default=20, ge=1, le=100_000)
        """Identifiers kept at every step and returned."""
        constraint: Literal["trie"] = "trie"
        """What may be written: only identifiers of the catalogue."""
        search: Search = "beam"
        """`exhaustive` scores every identifier instead of searching."""
        prior: Baseline | None = None
        """A baseline whose distribution over items is added to the model's."""
        prior_weight: float | None = Field(default=None, ge=0)
        """What the prior's logits count beside the model's log-probability. null: the best of 0, 0.5, 1, 2,
        4, 8, 16 and 32 by Recall@10 of the identifiers on validation rows."""
        dense: float | None = Field(default=None, ge=0)
        """What the log-softmax of the model's dense head counts beside the log-probability of an identifier.
        null: 1 where the model has a head; 0 leaves it out."""
        tune_rows: int = Field(default=2000, ge=1)
        """Validation rows that a weight is chosen on, drawn by the seed."""
        scoring: Scoring | None = None
        """`full`: log-probability under the whole vocabulary; `legal`: renormalised over legal tokens. By
        default what the model was trained with."""
        batch_tokens: int = operational(16384, "Prompt and beam tokens computed together.", ge=1)

    options: Options

    def most_candidates(self) -> int:
        """As many as beams."""
        return self.options.beams

    def reaching(self, count: int) -> Self:
        """With `count` beams at least."""
        return self if count <= self.options.beams else self.with_options(beams=count)

    def undecided(self) -> bool:
        """Whether the weight of a prior is left open."""
        return self.options.prior is not None and self.options.prior_weight is None

    def tune(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        valid: Sequence[Example],
        context: Context,
    ) -> dict[str, Any]:
        """The prior's weight with the best Recall@10 on validation rows, of equal ones the smallest."""
        examples = some_examples(valid, self.options.tune_rows, context)
        if not examples:
            raise GenrecError(
                f"`{self.name}` chooses `prior_weight` on validation rows, and there are none",
                hint="give `prior_weight`, or a split with validation rows",
            )
        found: dict[float, float] = {}
        for weight in WEIGHTS:
            fixed = self.with_options(prior_weight=weight)
            with fixed.open(models, catalogue, prompts, context) as session:
                answers = session.recommend([example.request() for example in examples])
                hits = [
                    any(example.target in catalogue.meant(beam) for beam in answer.beams[:TOP])
                    for example, answer in zip(examples, answers, strict=True)
                ]
            found[weight] = sum(hits) / len(hits)
            context.log("tune", prior_weight=weight, **{f"recall@{TOP}": found[weight]})
        return {"prior_weight": max(found, key=lambda weight: (found[weight], -weight))}

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> BeamSession:
        """A session whose tries are compiled when they are first needed, and then kept.

        Raises:
            GenrecError: the prior's weight is still open.
        """
        return BeamSession(self.decoder(models, catalogue, context), prompts["main"], context)

    def decoder(self, models: Mapping[str, LanguageModel], catalogue: Catalogue, context: Context) -> Decoder:
        """What a session searches with.

        Raises:
            GenrecError: the prior's weight is still open.
        """
        # Checking and explaining a pipeline must not import torch.
        from genrec_core.engine.decoding.decoder import Decoder, DecoderSettings
        from genrec_core.engine.decoding.prior import Prior
        from genrec_core.engine.models.model import Model

        options, model = self.options, Model.of(models["main"])
        if self.undecided():
            raise GenrecError(
                f"the `prior_weight` of `{self.name}` is chosen on validation rows, which was not done yet",
                hint="give `prior_weight`, or let a run choose it",
            )
        scoring = options.scoring or model.scoring
        dense = options.dense if options.dense is not None else float(model.dense is not None)
        settings = DecoderSettings(options.beams, options.search, scoring, options.batch_tokens, dense)
        prior = None
        if options.prior is not None and options.prior_weight:
            state = context.fitted(options.prior, catalogue.items)
            session = options.prior.open(state, catalogue.items, context)
            prior = Prior(session, options.prior_weight)
        return Decoder(model, catalogue, settings, prior)


class BeamSession(RecommenderSession):
    """Constrained beam search of one model over one catalogue.

    Args:
        decoder: searches, and keeps the compiled tries.
        prompt: the task that writes prompts.
        context: progress.
    """

    def __init__(self, decoder: Decoder, prompt: Corpus, context: Context) -> None:
        self._decoder, self._prompt, self._context = decoder, prompt, context

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """Candidates in the order of the requests."""
        catalogue, context = self._decoder.catalogue, self._context
        samples = (self._prompt.prompt(request, catalogue, context) for request in requests)
        with context.progress("recommend", len(requests)) as advance:
            excluded = [request.exclude for request in requests]
            allowed = [request.only for request in requests]
            answers = self._decoder.candidates(
                samples,
                requests,
                exclude=excluded if any(excluded) else None,
                only=allowed if any(one is not None for one in allowed) else None,
            )
            for request, answer in zip(requests, answers, strict=True):
                yield excluding(answer, request, catalogue)
                advance(1)

    def close(self) -> None:
        """Close the prior."""
        if self._decoder.prior is not None:
            self._decoder.prior.session.close()


def some_examples(examples: Sequence[Example], count: int, context: Context) -> list[Example]:
    """At most `count` of some examples, drawn evenly by the seed, in their order."""
    chosen = context.generator(_ROWS).permutation(len(examples))[:count]
    return [examples[row] for row in sorted(chosen.tolist())]
