"""General reasoning data: puzzles with right answers, chats of a file, and what is held out."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from genrec_plugin_sidreasoner.general import General
from genrec_plugin_sidreasoner.puzzles import puzzles
from genrec_plugin_sidreasoner.questions import monologue_question
from genrec_plugin_sidreasoner.remainders import Remainders, RemainderSteps

from genrec_core import Context, DataError, StageError


def test_puzzles_differ_and_their_answers_are_right():
    found = puzzles(300, np.random.default_rng(1))
    assert len({puzzle.question for puzzle in found}) == 300
    for puzzle in found:
        if sum_of := re.fullmatch(r"What is ([-+\d ]+)\?", puzzle.question):
            assert puzzle.answer == str(
                sum(int(part.replace(" ", "")) for part in re.findall(r"[-+]? ?\d+", sum_of[1]))
            )
        elif rest := re.fullmatch(r"What is left when (\d+) is divided by (\d+)\?", puzzle.question):
            assert puzzle.answer == str(int(rest[1]) % int(rest[2]))
        elif shown := re.fullmatch(r"What comes next: (.*)\?", puzzle.question):
            first, second, *_, last = map(int, shown[1].split(", "))
            assert puzzle.answer == str(last + second - first)
        elif "Must all" in puzzle.question:
            assert puzzle.answer == ("no" if "Some " in puzzle.question else "yes")
        else:
            pairs = re.findall(r"(\w+) is \w+ than (\w+)\.", puzzle.question)
            assert puzzle.answer in {one for one, _ in pairs} - {other for _, other in pairs}
    assert puzzles(20, np.random.default_rng(1)) == found[:20]


def test_held_out_questions_are_validation_and_never_training(catalogue, views):
    corpus = General(count=200, held_out=0.2)
    taught, kept = (
        {sample.segments[0].text for sample in corpus.samples(view, catalogue, Context())}
        for view in (views.train, views.valid)
    )
    assert not taught & kept
    assert len(taught | kept) == 200
    assert 20 <= len(kept) <= 60


def written(folder, *records):
    file = folder / "chats.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_chats_of_a_file_learn_their_last_turn(tmp_path, catalogue, views, log):
    turns = [
        ("system", "Be brief."),
        ("user", "2?"),
        ("assistant", "two"),
        ("user", "3?"),
        ("assistant", "three"),
    ]
    chat = {"messages": [{"role": role, "content": text} for role, text in turns]}
    long = {"messages": [{"role": "user", "content": "x" * 100}, {"role": "assistant", "content": "y"}]}
    corpus = General(path=written(tmp_path, chat, long), held_out=0.0, characters=50)
    (sample,) = corpus.samples(views.train, catalogue, Context(log=log))
    assert [(part.turn, part.text, part.learn) for part in sample.segments] == [
        *((role, text, False) for role, text in turns[:-1]),
        ("assistant", "three", True),
    ]
    assert log.of("skipped") == [{"form": "messages", "items": 1}]


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], "there are no `messages` of two turns or more"),
        ([("user", "a"), ("bot", "b")], "a message of `bot` is no turn with a text"),
        ([("user", "a"), ("user", "b")], "two turns of `user` stand side by side"),
        ([("user", "a"), ("assistant", "b"), ("user", "c")], "the last turn is not the assistant's"),
    ],
)
def test_what_is_no_chat_is_refused_with_its_place(tmp_path, catalogue, views, messages, told):
    record = {"messages": [{"role": role, "content": text} for role, text in messages]}
    file = written(tmp_path, record)
    with pytest.raises(DataError, match=told) as refused:
        list(General(path=file).samples(views.train, catalogue, Context()))
    assert refused.value.where == f"{file}:1"


def test_the_worlds_target_is_the_remainder_in_the_last_colour():
    world = Remainders(users=200, rows=20, length=4, digits=10, colours=4)
    data = world.load(Context())
    for row in (data.sequences.row(user) for user in range(200)):
        digits, colours = np.divmod(row, 4)
        assert digits[-1] == digits[:-1].sum() % 10
        assert colours[-1] == colours[-2]
    histories = {tuple(data.sequences.row(user)[:-1].tolist()) for user in range(200)}
    held_out = {tuple(rows.histories.row(n).tolist()) for rows in (data.valid, data.test) for n in range(20)}
    assert len(histories) == 200
    assert len(held_out) == 40
    assert not histories & held_out


def test_the_worlds_teacher_writes_running_sums():
    (answer,) = RemainderSteps(digits=10).complete(
        [monologue_question(["3 red", "9 blue", "4 red", "7 blue"])], Context()
    )
    assert answer == "3 red 3; 9 blue 2; 4 red 6; 7 blue 3"
    with pytest.raises(StageError, match="answers only about histories of `sidreasoner/remainders`"):
        RemainderSteps().complete([monologue_question(["3 red", "tent"])], Context())
