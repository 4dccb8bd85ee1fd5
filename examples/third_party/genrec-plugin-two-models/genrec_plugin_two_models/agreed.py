"""`two-models/agreed`: the identifiers that two models agree on come first."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from pydantic import Field

from genrec_core import (
    Candidate,
    Candidates,
    Catalogue,
    Context,
    Corpus,
    LanguageModel,
    Recommender,
    RecommenderSession,
    Request,
    excluding,
)


class Agreed(Recommender):
    """Each model's beams vote by their ranks (reciprocal rank fusion)."""

    slots = ("main", "large")

    class Options(Recommender.Options):
        """How each model searches, and how votes count."""

        beams: Recommender
        """How one model is asked; opened once for each of the two."""

        constant: float = Field(60.0, gt=0, le=1e6)
        """Added to every rank; a large one lets lower ranks count more."""

    options: Options

    def open(
        self,
        models: Mapping[str, LanguageModel],
        catalogue: Catalogue,
        prompts: Mapping[str, Corpus],
        context: Context,
    ) -> "AgreedSession":
        """What is expensive happens here, once: a session for each model."""
        inner = self.options.beams
        sessions = [
            inner.open({"main": models[slot]}, catalogue, {"main": prompts[slot]}, context)
            for slot in self.slots
        ]
        return AgreedSession(sessions, self.options.constant, catalogue)


class AgreedSession(RecommenderSession):
    """Two open recommenders; one thread at a time, like all sessions."""

    def __init__(self, sessions: Sequence[RecommenderSession], constant: float, catalogue: Catalogue) -> None:
        self.sessions, self.constant, self.catalogue = sessions, constant, catalogue

    def recommend(self, requests: Sequence[Request]) -> Iterator[Candidates]:
        """One answer a request, in order, without the items that it excludes."""
        streams = [session.recommend(requests) for session in self.sessions]
        for request, *answers in zip(requests, *streams, strict=True):
            votes: dict[tuple[str, ...], float] = {}
            for answer in answers:
                for rank, beam in enumerate(answer.beams, 1):
                    votes[beam.tokens] = votes.get(beam.tokens, 0.0) + 1 / (self.constant + rank)
            best = sorted(votes, key=lambda tokens: (-votes[tokens], tokens))
            written = Candidates(tuple(Candidate(tokens, votes[tokens]) for tokens in best))
            yield excluding(written, request, self.catalogue)

    def close(self) -> None:
        """Close both."""
        with ExitStack() as stack:
            for session in self.sessions:
                stack.callback(session.close)
