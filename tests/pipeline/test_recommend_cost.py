"""What recommending costs: the tokens of every phase, and nothing that is no token."""

from collections import Counter

from genrec_core import Candidate, Candidates
from genrec_core.pipeline.stages.recommend import _counted


def test_tokens_are_added_up_by_phase_and_cut_texts_are_not_among_them():
    beams = (Candidate(("a", "b"), -1.0), Candidate(("a", "c"), -2.0))
    answers = [
        Candidates(beams, {"think": 40, "cut": 1, "finish": 4}),
        Candidates(beams, {"think": 10, "cut": 0, "finish": 4}),
    ]
    tokens: Counter[str] = Counter()
    assert list(_counted(iter(answers), tokens)) == answers
    assert dict(tokens) == {"think_tokens": 50, "finish_tokens": 8}
    assert tokens.total() == 58
