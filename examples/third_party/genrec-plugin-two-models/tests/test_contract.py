"""The contract kit on both components, and that what they promise beyond it holds."""

from typing import ClassVar

from genrec_plugin_two_models.agreed import Agreed, AgreedSession
from genrec_plugin_two_models.distil import Distil

from genrec_core import (
    Candidate,
    Candidates,
    Catalogue,
    Identifiers,
    Items,
    Recommender,
    RecommenderSession,
    Request,
)
from genrec_core.testing.contracts import RecommenderContract, TrainerContract


class TestDistil(TrainerContract):
    component = Distil


class TestAgreed(RecommenderContract):
    component = Agreed
    options: ClassVar = {"beams": {"use": "core/beam", "beams": 5}}


class Fixed(RecommenderSession):
    def __init__(self, *names):
        self.names = names
        self.closed = False

    def recommend(self, requests):
        for _ in requests:
            yield Candidates(tuple(Candidate((name,), -n) for n, name in enumerate(self.names)))

    def close(self):
        self.closed = True


def test_what_both_models_write_comes_first_and_both_sessions_are_closed():
    sessions = [Fixed("a", "b"), Fixed("c", "b")]
    catalogue = Catalogue(Items(tuple("xyz"), {}), Identifiers.of([("a",), ("b",), ("c",)]))
    with AgreedSession(sessions, constant=60.0, catalogue=catalogue) as session:
        answer, without = session.recommend([Request("u", ()), Request("u", (), exclude=(0,))])
    assert [beam.tokens for beam in answer.beams] == [("b",), ("a",), ("c",)]
    assert [beam.tokens for beam in without.beams] == [("b",), ("c",)]
    assert all(session.closed for session in sessions)


def test_only_the_small_model_is_given_back():
    assert Distil.changed() == ("main",)
    assert issubclass(Agreed, Recommender)
