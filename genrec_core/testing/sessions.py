"""Sessions opened for one round of questions, for tests that need no more.

ask(Beam(beams=3), {"main": model}, requests, catalogue, NextItem())   # one `Candidates` a request
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.corpus import Corpus
from genrec_core.contracts.language_model import LanguageModel
from genrec_core.contracts.recommender import Recommender
from genrec_core.contracts.views import Request


def ask(
    recommender: Recommender,
    models: Mapping[str, LanguageModel],
    requests: Sequence[Request],
    catalogue: Catalogue,
    prompt: Corpus,
    context: Context | None = None,
) -> list[Candidates]:
    """All answers of a recommender that is opened for these requests; every slot has the same prompt."""
    prompts = dict.fromkeys(recommender.slots, prompt)
    with recommender.open(models, catalogue, prompts, context or Context()) as session:
        return list(session.recommend(requests))
