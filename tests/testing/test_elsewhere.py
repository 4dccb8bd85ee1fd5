"""Another process answers, afresh for each question, and says what ended it."""

from __future__ import annotations

import os

from genrec_core.testing.elsewhere import ask_elsewhere

ASKED = []


def told(asked):
    ASKED.append(asked)
    return {"process": os.getpid(), "hash": hash("red"), "asked": len(ASKED), "home": os.environ["SHOP"]}


def broken(asked):
    raise ValueError("no such shop")


def ended(asked):
    os._exit(3)


def printing(asked):
    print("in between")
    return {"said": asked["say"]}


def ask(function, **asked):
    return ask_elsewhere(f"{__name__}:{function.__name__}", asked)


def test_each_question_is_answered_by_a_process_of_its_own(monkeypatch):
    monkeypatch.setenv("SHOP", "a")
    first = ask(told)
    monkeypatch.setenv("SHOP", "b")
    second = ask(told)
    assert (first["asked"], second["asked"], ASKED) == (1, 1, [])
    assert len({first["process"], second["process"], os.getpid()}) == 3
    assert first["hash"] == second["hash"] != hash("red")
    assert (first["home"], second["home"]) == ("a", "b")


def test_what_ends_a_process_is_told_and_the_next_answers():
    assert ask(broken) == {"failed": "ValueError: no such shop"}
    assert ask(ended) == {"failed": "exit code 3"}
    assert ask(printing, say="hello") == {"said": "hello"}
