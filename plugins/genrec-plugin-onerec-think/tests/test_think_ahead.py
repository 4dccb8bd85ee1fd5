"""Think-Ahead with two different models (sheet §5.6, checks 4 and 7), and what happens when nothing fits."""

import time
from dataclasses import replace

import pytest
from genrec_plugin_onerec_think.next_item import PlainNextItem
from genrec_plugin_onerec_think.preparing import entry_of, prefixes_of
from genrec_plugin_onerec_think.store import ThinkAheadEntry, open_store
from genrec_plugin_onerec_think.think_ahead import Finish, ThinkAhead

from genrec_core import (
    Candidate,
    Candidates,
    Catalogue,
    Context,
    Items,
    Recommender,
    RecommenderSession,
    Request,
)
from genrec_core.builtin.beam import Beam

PROMPT = PlainNextItem()
REQUESTS = [Request("u1", (0, 1)), Request("u2", (3,)), Request("u3", ())]


class Log(list):
    def __call__(self, event, **values):
        self.append((event, values))


class Thinker(Recommender):
    """Thinks the same of everybody, and remembers what it was shown."""

    class Options(Recommender.Options):
        """What it recommends."""

        answer: dict[str, float]

    def open(self, models, catalogue, prompts, context):
        return ThinkerSession(self.options.answer, models["main"])


class ThinkerSession(RecommenderSession):
    asked, models = [], []

    def __init__(self, answer, model):
        self.answer = answer
        self.models.append(model)

    def recommend(self, requests):
        self.asked.extend(requests)
        beams = tuple(Candidate(tuple(name.split()), score) for name, score in self.answer.items())
        for _ in requests:
            yield Candidates(beams, {"think": 7, "finish": 5}, "SECRET thought of tents")


@pytest.fixture
def thinker(itemic):
    ThinkerSession.asked, ThinkerSession.models = [], []
    written = {(0, 0, 1): -0.5, (0, 1, 0): -0.6, (2, 0, 1): -3.0}
    return Thinker(answer={" ".join(itemic(path)): score for path, score in written.items()})


def finished(recommender, models, catalogue, requests=REQUESTS, log=None):
    context = Context(seed=5, log=Log() if log is None else log)
    prompts = dict.fromkeys(models, PROMPT)
    with recommender.open(models, catalogue, prompts, context) as session:
        answers = list(session.recommend(requests))
        return answers, dict(session.counts)


def test_first_levels_are_distinct_best_first_and_the_begin_token_is_no_level(itemic):
    beams = [((0, 0, 1), -1.0), ((0, 1, 0), -2.0), ((0, 0, 0), -2.5)]
    answer = Candidates(tuple(Candidate(itemic(path), score) for path, score in beams))
    prefixes, scores = prefixes_of(answer, "<|item_begin|>", 2, 10)
    assert prefixes == (itemic((0, 0, 1))[:3], itemic((0, 1, 0))[:3])
    assert scores == pytest.approx((-0.7986, -2.0), abs=1e-4)  # log(e^-1 + e^-2.5)
    assert prefixes_of(answer, "", 1, 10)[0] == (("<|item_begin|>",),)
    assert len(prefixes_of(answer, "<|item_begin|>", 2, 1)[0]) == 1


def test_the_second_model_finishes_under_the_prefixes_of_the_first(build, catalogue, thinker, itemic):
    slow, quick = build(seed=1), build(seed=2)
    recommender = ThinkAhead(thinker=thinker, depth=2, beams=10)
    answers, counts = finished(recommender, {"main": slow, "finisher": quick}, catalogue)
    started = {itemic((0, 0, 1))[:3], itemic((0, 1, 0))[:3], itemic((2, 0, 1))[:3]}
    assert counts == {"ahead": 3}
    plain, _ = finished(Finish(beams=10), {"main": quick}, catalogue)
    for answer, other in zip(answers, plain, strict=True):
        assert {beam.tokens[:3] for beam in answer.beams} == started
        own = {beam.tokens: beam.score for beam in other.beams}
        assert [beam.score for beam in answer.beams] == pytest.approx(
            [own[beam.tokens] for beam in answer.beams], abs=1e-5
        )
        assert len(answer.beams) == 4  # two items under the first prefix, one under each other
        assert (answer.phases["think"], answer.phases["prefix"]) == (7, 9)
        assert answer.thought == "SECRET thought of tents"
    assert ThinkerSession.models == [slow]


def test_another_finisher_changes_nothing_but_what_follows_the_prefixes(build, catalogue, thinker):
    slow, recommender = build(seed=1), ThinkAhead(thinker=thinker, depth=1, beams=10)
    one, other = (
        finished(recommender, {"main": slow, "finisher": build(seed=seed)}, catalogue)[0] for seed in (2, 9)
    )
    for first, second in zip(one, other, strict=True):
        assert {beam.tokens[:2] for beam in first.beams} == {beam.tokens[:2] for beam in second.beams}
        assert [beam.score for beam in first.beams] != [beam.score for beam in second.beams]


def test_the_finisher_reads_the_fresh_history_and_never_the_thought(build, catalogue, thinker, monkeypatch):
    from genrec_core.engine import Renderer

    slow, quick = build(seed=1), build(seed=2)
    read = []
    real = Renderer.rendered

    def spy(self, sample):
        rendered = real(self, sample)
        read.append((self.model, self.model.text_tokenizer.decode(rendered.ids)))
        return rendered

    monkeypatch.setattr(Renderer, "rendered", spy)
    recommender = ThinkAhead(thinker=thinker, depth=2, beams=5, lag=1)
    finished(recommender, {"main": slow, "finisher": quick}, catalogue, REQUESTS[:1])
    assert [request.history for request in ThinkerSession.asked] == [(0,)]
    assert {id(model) for model, _ in read} == {id(quick)}
    assert all("SECRET" not in text for _, text in read)
    assert any(
        "<item_c_0><|item_end|>; <|item_begin|><item_a_0><item_b_0><item_c_1>" in text for _, text in read
    )


def test_only_what_exists_is_written_under_a_prefix(build):
    """Catalogue (a1, b1, c1), (a2, b1, c2): behind a1, b1 only c1 is legal."""
    from genrec_core import Identifiers
    from genrec_core.builtin.tiny_backbones import TinyCausal

    names = [("<a_1>", "<b_1>", "<c_1>"), ("<a_2>", "<b_1>", "<c_2>")]
    new = sorted({token for name in names for token in name})
    both = Catalogue(Items(("x", "y"), {"title": ["X", "Y"]}), Identifiers.of(names, new_tokens=new))
    model = TinyCausal(hidden=16, layers=1, heads=2, vocabulary=300, device="cpu").build(both, Context())
    thinker = Thinker(answer={"<a_1> <b_1> <c_1>": -1.0})
    recommender = ThinkAhead(thinker=thinker, depth=2, beams=10)
    (answer,), _ = finished(recommender, {"main": model, "finisher": model}, both, [Request("u", (1,))])
    assert [beam.tokens for beam in answer.beams] == [names[0]]


@pytest.fixture
def store(tmp_path):
    return str(tmp_path / "ahead.sqlite")


def entry(user, prefixes, catalogue, **changes):
    values = {"history": ("t", "r"), "made": time.time()}
    return ThinkAheadEntry(user, tuple(prefixes), "stored", **values | changes)


def put(store, *entries):
    with open_store(store) as opened:
        opened.put(entries)


def test_a_store_is_asked_by_user_and_everybody_else_gets_a_plain_search(build, catalogue, store, itemic):
    put(store, entry("u1", [itemic((1, 0, 0))[:3]], catalogue))
    model, log = build(), Log()
    answers, counts = finished(Finish(store=store, beams=4), {"main": model}, catalogue, log=log)
    plain, _ = finished(Finish(beams=4), {"main": model}, catalogue)
    assert [beam.tokens for beam in answers[0].beams] == [itemic((1, 0, 0))]
    assert (answers[0].thought, answers[0].phases["prefix"]) == ("stored", 3)
    assert answers[1:] == plain[1:]
    assert counts == {"ahead": 1, "missing": 2}
    assert ("think-ahead", {"ahead": 1, "missing": 2}) in log


@pytest.mark.parametrize(
    ("changes", "options", "why"),
    [
        ({"items": ("o",)}, {}, "stale-identifiers"),  # the oil lamp is called otherwise
        ({"made": 1.0}, {"most_age": 60.0}, "stale-age"),
        ({"history": ("t",)}, {"most_new": 0}, "stale-history"),
    ],
)
def test_what_is_stale_is_not_used_and_counted_by_its_reason(
    build, catalogue, store, itemic, changes, options, why
):
    put(store, entry("u1", [itemic((1, 0, 0))[:3]], catalogue, **changes))
    model = build()
    answers, counts = finished(
        Finish(store=store, beams=4, **options), {"main": model}, catalogue, REQUESTS[:1]
    )
    plain, _ = finished(Finish(beams=4), {"main": model}, catalogue, REQUESTS[:1])
    assert answers == plain
    assert counts == {why: 1}


def test_prefixes_that_no_item_has_any_more_are_left_out(build, catalogue, store, itemic):
    gone, there = itemic((2, 2, 0))[:3], itemic((1, 0, 0))[:3]
    put(store, entry("u1", [gone, there], catalogue), entry("u2", [gone], catalogue))
    answers, counts = finished(Finish(store=store, beams=4), {"main": build()}, catalogue, REQUESTS[:2])
    assert [beam.tokens for beam in answers[0].beams] == [itemic((1, 0, 0))]
    assert answers[0].phases["prefix"] == 3
    assert len(answers[1].beams) == 4
    assert counts == {"ahead": 1, "illegal": 1}


def test_a_prefix_whose_items_may_not_be_recommended_leads_to_a_plain_search(build, catalogue, store, itemic):
    put(store, entry("u1", [itemic((1, 0, 0))[:3]], catalogue))
    request = replace(REQUESTS[0], exclude=(3,))
    (answer,), counts = finished(Finish(store=store, beams=6), {"main": build()}, catalogue, [request])
    assert {beam.tokens for beam in answer.beams} == {
        itemic(path) for path in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 1, 1), (2, 0, 1))
    }
    assert counts == {"empty": 1}
    assert "prefix" not in answer.phases


def test_without_a_store_finish_is_a_plain_beam_search(build, catalogue):
    model = build()
    answers, counts = finished(Finish(beams=4), {"main": model}, catalogue)
    with Beam(beams=4).open({"main": model}, catalogue, {"main": PROMPT}, Context()) as session:
        assert answers == list(session.recommend(REQUESTS))
    assert counts == {"missing": 3}


def test_who_finishes_notices_that_codebooks_were_fitted_again_and_not_that_items_were_added(
    build, catalogue, thinker, store, itemic_identifiers
):
    """The thinker's catalogue, the same with an item more, and one in which the codes name other items."""
    slow = build(seed=1)
    finished(ThinkAhead(thinker=thinker, depth=2, beams=10), {"main": slow, "finisher": slow}, catalogue)
    answer = next(ThinkerSession(thinker.options.answer, slow).recommend([REQUESTS[0]]))
    made = entry_of(REQUESTS[0], answer, catalogue, depth=2, most=10)
    assert made.items == ("r", "p", "k")
    put(store, made)
    titles = [*catalogue.items.fields["title"], "Lantern"]
    paths = [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 1), (2, 0, 1)]
    more = Catalogue(
        Items((*catalogue.items.ids, "x"), {"title": titles}), itemic_identifiers([*paths, (2, 2, 2)])
    )
    other = Catalogue(catalogue.items, itemic_identifiers(paths[::-1]))
    for changed, counted in ((more, {"ahead": 1}), (other, {"stale-identifiers": 1})):
        _, counts = finished(Finish(store=store, beams=4), {"main": slow}, changed, REQUESTS[:1])
        assert counts == counted


def test_a_store_that_goes_away_leads_to_plain_searches_and_one_warning(build, catalogue, store, itemic):
    put(store, entry("u1", [itemic((1, 0, 0))[:3]], catalogue))
    model, log = build(), Log()
    recommender = Finish(store=store, beams=4)
    with recommender.open({"main": model}, catalogue, {"main": PROMPT}, Context(log=log)) as session:
        (before,) = session.recommend(REQUESTS[:1])
        session._prepared._store._connection.close()
        after = [*session.recommend(REQUESTS[:1]), *session.recommend(REQUESTS[1:2])]
        assert session.counts == {"ahead": 1, "unreachable": 2}
    # One request a batch, as above: two in one differ in their last digits on some processors.
    plain = [finished(Finish(beams=4), {"main": model}, catalogue, [one])[0][0] for one in REQUESTS[:2]]
    assert len(before.beams) == 1
    assert after == plain
    warned = [values["message"] for event, values in log if event == "warning"]
    assert len(warned) == 1
    assert "ahead.sqlite` cannot be read: Cannot operate on a closed database" in warned[0]


@pytest.mark.parametrize(
    ("store", "asked"), [("", False), ("a.sqlite", False), ("redis://localhost/0", True)]
)
def test_a_client_of_redis_is_looked_for_where_the_store_is_a_server(store, asked):
    assert ("redis" in Finish(store=store).needed_modules()) is asked
