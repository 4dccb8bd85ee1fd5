"""What the server answers, and that it is what `genrec recommend` answers."""

from __future__ import annotations

import json

import pytest
from genrec_contrib_serve.item_index import ItemIndex

from genrec_core import Catalogue, GenrecError, Identifiers, Items
from genrec_core.api.runs import open_finished
from genrec_core.cli import main

HISTORIES = [
    ["i012", "i040", "i007"],
    ["i200"],
    ["i003", "i003", "i011", "i100", "i101", "i102", "i103", "i104", "i105"],
]


@pytest.fixture
def recommended(shop, capsys):
    """What the command line recommends."""

    def go(history: list[str], k: int = 10):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["recommend", str(shop.first), "--history", ",".join(history), "-k", str(k), "--json"])
        assert not ended.value.code
        return json.loads(capsys.readouterr().out)["items"]

    return go


@pytest.fixture(scope="module")
def opened(shop):
    """The run, as Python opens it."""
    with open_finished(shop.first) as run:
        yield run


@pytest.mark.parametrize("history", HISTORIES, ids=len)
def test_answers_are_those_of_the_command_line(server, recommended, history):
    answer, expected = server.recommend(*history).body["items"], recommended(history)
    assert len(expected) == 10
    for name in ("item", "title", "how", "identifier"):
        assert [one[name] for one in answer] == [one[name] for one in expected]
    assert [one["score"] for one in answer] == pytest.approx([one["score"] for one in expected], abs=1e-5)


def test_requests_answered_together_get_what_each_gets_alone(server, recommended):
    requests = [{"history": history, "k": 5} for history in HISTORIES]
    answers = server.ask("POST", "/recommend/batch", {"requests": requests}).body["answers"]
    assert [one["ms"]["batch"] for one in answers] == [3, 3, 3]
    for history, answer in zip(HISTORIES, answers, strict=True):
        assert [one["item"] for one in answer["items"]] == [one["item"] for one in recommended(history, 5)]


def test_an_answer_says_what_made_it_and_what_was_understood(server, shop):
    answer = server.recommend("Copper Pocket Metronome", "i012", k=3).body
    assert answer["made_by"] == "plain"
    assert [one["item"] for one in answer["history"]] == ["i048", "i012"]
    assert answer["versions"]["run"] == shop.first.name
    assert (len(answer["items"]), answer["note"]) == (3, "")
    assert set(answer["items"][0]["fields"]) == {"title", "description"}
    near = [one["item"] for item in answer["items"] for one in item["why"]["near"]]
    assert near
    assert set(near) <= {"i048", "i012"}
    assert "why" not in server.recommend("i012", why=False).body["items"][0]
    assert server.recommend().body["made_by"] == "cold"


def test_beams_lead_to_the_items(server):
    answer = server.recommend("i012", k=5, explain=True).body
    assert len(answer["beams"]) == 12
    scores = [beam["score"] for beam in answer["beams"]]
    assert scores == sorted(scores, reverse=True)
    best = answer["beams"][0]
    assert "".join(best["tokens"]) == answer["items"][0]["identifier"]
    assert best["items"] == [answer["items"][0]["item"]]
    assert "beams" not in server.recommend("i012").body


def test_items_left_out_do_not_come_back_and_as_many_are_there(server):
    first = [one["item"] for one in server.recommend("i012").body["items"]]
    after = [one["item"] for one in server.recommend("i012", exclude=first[:3]).body["items"]]
    assert len(after) == 10
    assert not set(after) & set(first[:3])


def test_only_items_with_the_fields_values_come_back_and_all_of_them_do(server):
    catalogue = server.service.runs.current.catalogue.items
    titles = [title for title in catalogue.fields["title"] if title.startswith("Copper")]
    answer = server.recommend("i012", only={"title": titles}, k=50).body
    assert {one["title"] for one in answer["items"]} == set(titles)
    assert answer["note"] == f"only {len(titles)} of 50: no more are allowed"
    some = server.recommend("i012", only={"title": titles}, only_items=["i048", "i012"], k=5).body
    assert [one["item"] for one in some["items"]] == ["i048"]
    unknown = server.recommend("i012", only={"colour": "red"}).body["error"]
    assert unknown["message"] == "items have no field `colour`"
    assert unknown["where"] == "only colour=red"


def test_a_known_user_needs_no_history_and_a_given_one_wins(server, opened):
    known = server.ask("POST", "/recommend", {"user": "u003"}).body
    expected = opened.recommend(users=["u003"])
    assert [one["item"] for one in known["items"]] == expected.items()
    assert len(known["history"]) > 3
    fresh = server.ask("POST", "/recommend", {"user": "u003", "history": ["i012"]}).body
    assert [one["item"] for one in fresh["history"]] == ["i012"]
    strange = server.ask("POST", "/recommend", {"user": "nobody"}).body["error"]
    assert strange["message"] == "the run's data of 120 users has no user `nobody`"


def test_answers_are_those_of_python_under_rules_and_for_any_number(server, opened):
    requests = [
        {"history": ["i012"], "k": 30},
        {"history": ["i012"], "k": 5, "exclude_viewed": True, "exclude": ["i040", "i011"]},
        {"history": [], "k": 4, "exclude": ["i012"]},
    ]
    answers = server.ask("POST", "/recommend/batch", {"requests": requests}).body["answers"]
    for asked, answer in zip(requests, answers, strict=True):
        history = [asked.pop("history")]
        expected = opened.recommend(history, **asked)
        assert [one["item"] for one in answer["items"]] == expected.items()
        assert [one["how"] for one in answer["items"]] == expected["how"]
        assert [one["score"] for one in answer["items"]] == pytest.approx(expected["score"], abs=1e-5)
    assert [len(answer["items"]) for answer in answers] == [30, 5, 4]
    assert answers[2]["made_by"] == "cold"


def test_a_mistake_in_a_batch_is_told_in_its_place(server):
    requests = [{"history": ["i012"], "k": 1}, {"history": ["no such"]}, {"history": [], "k": 101}]
    fine, unknown, large = server.ask("POST", "/recommend/batch", {"requests": requests}).body["answers"]
    assert len(fine["items"]) == 1
    assert unknown["error"] == {
        "message": "no item has the id or title `no such`",
        "where": "history.0",
        "hint": "`GET /items?query=…` finds items",
    }
    assert large["error"] == {"message": "`k` is 101; at most 100 items", "where": "k"}


def test_a_title_of_several_items_is_refused_with_their_ids():
    items = Items(("a", "b", "c"), {"title": ["Red tent", "red TENT ", "Lamp"]})
    index = ItemIndex(Catalogue(items, Identifiers.of([("x",), ("y",), ("z",)])))
    assert index.named("LAMP", "history.0") == index.named("c", "") == 2
    with pytest.raises(GenrecError) as refused:
        index.named("Red Tent", "history.0")
    assert refused.value.message == "2 items are called `Red Tent`: `a`, `b`"
    assert (refused.value.where, refused.value.hint) == ("history.0", "give the id")


def test_items_are_found_by_words_of_their_title_and_by_id(server):
    found = server.ask("GET", "/items?query=pocket+metro").body
    assert found
    assert all("pocket" in one["title"].lower() and "metro" in one["title"].lower() for one in found)
    assert server.ask("GET", "/items?query=i048").body[0] == {
        "item": "i048",
        "title": "Copper Pocket Metronome",
    }
    assert len(server.ask("GET", "/items?limit=7").body) == 7
    assert server.ask("GET", "/items?query=nothing+like+it").body == []


def test_whole_names_come_before_beginnings_and_these_before_the_rest(server):
    titles = [one["title"].casefold() for one in server.ask("GET", "/items?query=p&limit=100").body]
    begins = [title.startswith("p") for title in titles]
    assert begins == sorted(begins, reverse=True)


def test_every_route_is_documented_with_its_form_and_its_errors(server):
    document = server.ask("GET", "/openapi.json").body
    assert set(document["paths"]) == {
        "/recommend",
        "/recommend/batch",
        "/items",
        "/about",
        "/health",
        "/ready",
        "/metrics",
        "/admin/reload",
    }
    route = document["paths"]["/recommend"]["post"]
    assert set(route["responses"]) == {"200", "401", "413", "422", "429", "503", "504"}
    assert "history" in document["components"]["schemas"]["RecommendRequest"]["properties"]


def test_metrics_count_requests_by_route_and_batches(server):
    def count(text: str, name: str) -> float:
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))

    before = server.ask("GET", "/metrics").body
    server.recommend("i012")
    server.recommend("unheard of")
    server.ask("GET", "/secret-i012")
    after = server.ask("GET", "/metrics").body
    for name in (
        'genrec_requests_total{path="/recommend",status="200"}',
        'genrec_requests_total{path="/recommend",status="422"}',
        'genrec_requests_total{path="(none)",status="404"}',
        'genrec_answers_total{made_by="plain"}',
        "genrec_batch_size_count",
    ):
        assert count(after, name) - count(before, name) == 1, name
    assert "secret" not in after


def test_an_answer_carries_the_clients_request_id_where_it_is_a_plain_one(server):
    assert server.ask("GET", "/health", X_Request_ID="abc-1").headers["x-request-id"] == "abc-1"
    for odd in ("a b", "x" * 65, '"><script>'):
        assert server.ask("GET", "/health", X_Request_ID=odd).headers["x-request-id"] != odd
    body = server.ask("POST", "/recommend", {"history": ["i012"]}, X_Request_ID="abc-2").body
    assert body["request_id"] == "abc-2"
