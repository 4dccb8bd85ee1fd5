"""Another run takes over while requests go on; one that fails changes nothing."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace

import numpy as np
import pytest

from genrec_core import GenrecError


def test_a_reload_under_load_loses_no_request(serve, shop):
    server = serve()
    expected = {
        run.name: [one["item"] for one in serve(run).recommend("i012", "i040").body["items"]]
        for run in (shop.first, shop.second)
    }
    assert expected[shop.first.name] != expected[shop.second.name]
    answers, ended = [], threading.Event()

    def client():
        while not ended.is_set():
            answers.append(server.recommend("i012", "i040"))

    clients = [threading.Thread(target=client) for _ in range(6)]
    for one in clients:
        one.start()
    old, served = server.service.runs.current, []
    for name in (shop.second.name, shop.first.name, shop.second.name):
        answer = server.ask("POST", "/admin/reload", {"run": name})
        assert answer.status == 200
        served.append(answer.body["versions"]["run"])
    ended.set()
    for one in clients:
        one.join(20)
    assert served == [shop.second.name, shop.first.name, shop.second.name]
    assert len(answers) > 20
    assert {answer.status for answer in answers} == {200}
    for answer in answers:
        body = answer.body
        assert [one["item"] for one in body["items"]] == expected[body["versions"]["run"]]
    assert {answer.body["versions"]["run"] for answer in answers} == set(expected)
    assert server.service.runs.current is not old
    assert server.recommend("i012").body["versions"]["run"] == shop.second.name


def test_a_run_that_fails_its_test_leaves_the_good_one_serving(serve, shop, monkeypatch):
    server = serve()
    before = server.recommend("i012").body["items"]
    kind = type(server.service.runs.current)

    def fails(run):
        raise GenrecError("the run recommends nothing")

    monkeypatch.setattr(kind, "test_itself", fails)
    answer = server.ask("POST", "/admin/reload", {"run": shop.second.name})
    assert answer.status == 422
    assert answer.body["error"]["message"] == "the run recommends nothing"
    assert answer.body["serving"]["run"] == shop.first.name
    assert server.recommend("i012").body["items"] == before
    assert 'genrec_reloads_total{outcome="failed"} 1.0' in server.ask("GET", "/metrics").body


def test_a_run_that_was_damaged_or_is_not_there_is_refused(serve, shop, tmp_path):
    server = serve()
    odd = shop.first.parent / "odd"
    shutil.copytree(shop.first, odd)
    (odd / "plan.json").write_text("{}")
    try:
        answer = server.ask("POST", "/admin/reload", {"run": "odd"})
        assert (answer.status, answer.body["error"]["message"]) == (
            422,
            "this is not what a run writes: there is no list of `stages`",
        )
    finally:
        shutil.rmtree(odd)
    gone = server.ask("POST", "/admin/reload", {"run": "gone"})
    assert gone.body["error"]["message"] == "there is no run `gone` beside the served one"
    for outside in ("../shop", "/etc", "..", ""):
        assert server.ask("POST", "/admin/reload", {"run": outside}).status == 422
    assert server.recommend("i012").status == 200


def test_new_items_are_served_after_a_reload(serve, shop, tmp_path):
    from genrec_core.data.new_items import read_new_items
    from genrec_core.pipeline.add_items import add_items
    from genrec_core.pipeline.run_reader import open_run
    from genrec_core.pipeline.runner import RunEnvironment
    from genrec_core.registry.discovery import load_plugins

    server = serve()
    assert server.recommend("new-1").status == 422
    registry, file = load_plugins()[0], tmp_path / "new.jsonl"
    file.write_text(
        '{"item_id": "new-1", "title": "Violet Pocket Metronome", "description": "For evening music"}\n'
    )
    opened = open_run(shop.first, registry)
    new = read_new_items(file, opened.catalogue.items)
    extended = add_items(opened, new, RunEnvironment(registry, opened.store, shop.folder / "runs"))
    answer = server.ask("POST", "/admin/reload", {"run": extended.folder.name})
    assert answer.status == 200
    assert answer.body["versions"]["run"] == extended.folder.name
    assert server.recommend("new-1").status == 200
    assert server.ask("GET", "/items?query=violet").body == [
        {"item": "new-1", "title": "Violet Pocket Metronome"}
    ]
    alone = server.recommend("i048", only_items=["new-1"]).body
    assert ([one["item"] for one in alone["items"]], alone["note"]) == (
        ["new-1"],
        "only 1 of 10: no more are allowed",
    )


def test_one_reload_at_a_time(serve):
    server = serve()
    runs = server.service.runs
    with runs._one_at_a_time:
        answer = server.ask("POST", "/admin/reload", {})
    assert (answer.status, answer.body["error"]["message"]) == (409, "a run is being loaded already")


def test_before_a_run_is_loaded_the_server_lives_and_is_not_ready(serve):
    server = serve(load=False)
    assert server.ask("GET", "/health").body == {"alive": True}
    ready = server.ask("GET", "/ready")
    assert (ready.status, ready.body) == (503, {"ready": False, "why": "the run is being loaded"})
    answer = server.recommend("i012")
    assert (answer.status, answer.body["error"]["message"]) == (503, "not ready: the run is being loaded")
    server.service.runs.load()
    assert server.ask("GET", "/ready").body["ready"] is True
    assert server.recommend("i012").status == 200


def test_a_run_without_answers_fails_its_test(shop):
    from genrec_contrib_serve.served_run import ServedRun

    from genrec_core.contracts.candidates import Candidate, Candidates, Ranked

    run = ServedRun.open(shop.first)
    right = run.answers
    run.test_itself()
    nan = Candidates((Candidate(("<a_1>",), float("nan")),))
    run.answers = lambda questions: [replace(one, written=nan) for one in right(questions)]
    with pytest.raises(GenrecError, match="scores that are no numbers"):
        run.test_itself()
    nothing = Ranked.direct(np.zeros(0), np.zeros(0))
    run.answers = lambda questions: [replace(one, ranked=nothing) for one in right(questions)]
    with pytest.raises(GenrecError, match="the run recommends nothing"):
        run.test_itself()
