"""Recommender: requests to candidate identifiers.

It is opened with what it works on, and the session it gives is asked as often as one likes:

    class Constant(Recommender):
        def open(self, models, catalogue, prompts, context):
            return ConstantSession(catalogue.identifiers.tokens(0))

    class ConstantSession(RecommenderSession):
        def __init__(self, tokens):
            self.tokens = tokens

        def recommend(self, requests):
            for request in requests:
                yield Candidates((Candidate(self.tokens, 0.0),))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.component import Component
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.options import Options
from genrec_core.contracts.session import Session
from genrec_core.contracts.views import Example, Request


class RecommenderSession(Session, ABC):
    """An opened recommender; one thread at a time."""

    @abstractmethod
    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """One answer a request, in order, yielded as they are ready.

        No candidate leads to an item that its request does not allow (`excluding`). Items of the history may
        be among them: whether they count is decided by who asks.
        """

    def logits(self, requests: Sequence[Request]) -> Iterator[NDArray[np.float32]] | None:
        """Log-probabilities of every item up to a constant, float32 [N] for each request in order.

        None where the recommender knows only of what it writes. `core/fused` adds these to what others say.
        """
        return None


def excluding(answer: Candidates, request: Request, catalogue: Catalogue) -> Candidates:
    """The answer without the items that the request excludes, or, with `Request.only`, does not name.

    A candidate that means such items alone is left out; one that means others too says which are left. One
    that names no item stays: a grounder may still find what is meant.

    >>> excluding(Candidates((red, blue)), Request("u", (), exclude=(0,)), catalogue)    # only item 0 is red
    Candidates(beams=(blue,))
    """
    if not request.ruled:
        return answer
    columns = catalogue.columns(answer.beams)
    left = columns.where(request.allows(columns.items))
    return answer if left is columns else replace(answer, beams=left)


class Recommender(Component):
    """Generates identifiers with one model (slot `main`) or several."""

    kind: ClassVar[str] = "recommender"

    class Options(Options):
        """Options of every recommender."""

        prompt: Corpus | None = None
        """The task whose prompt is used; by default the first corpus of the last training step."""
        prompts: dict[str, Corpus] = Field(default_factory=dict)
        """Tasks by model slot, where the slots of one recommender are asked by different prompts."""

    slots: ClassVar[tuple[str, ...]] = ("main",)
    """Model slots this recommender reads."""

    def most_candidates(self) -> int | None:
        """The most candidates that one answer has; None where nothing bounds them.

        `genrec check` refuses to evaluate deeper: recall would count items never asked for as missed.
        """
        return None

    def reaching(self, count: int) -> Self:
        """This recommender with options under which an answer has `count` candidates, where so many exist.

        For who wants more recommendations than it was set up to write. By default it stays as it is.
        """
        return self

    def undecided(self) -> bool:
        """Whether options are left open that `tune` chooses by validation rows; by default none is."""
        return False

    def tune(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        valid: Sequence[Example],
        context: Context,
    ) -> dict[str, Any]:
        """Values for the options that are left open, chosen by validation rows: JSON values by option.

        It runs once, in a stage of its own, and only where `undecided` says so. The recommender is then
        opened with these options, by the run and by whoever serves it. Where the evaluation filters viewed
        items, the examples exclude them.
        """
        return {}

    @abstractmethod
    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> RecommenderSession:
        """Get ready to recommend.

        Args:
            models: the model of every slot in `slots`.
            catalogue: the items and their identifiers.
            prompts: the task that writes the prompt, for every slot in `slots`.
            context: seed, progress, log.
        """
