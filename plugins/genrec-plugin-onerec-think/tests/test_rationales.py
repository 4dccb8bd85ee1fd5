"""Pruned contexts, rationales and who writes them (sheet §5.6, checks 5 and 9)."""

import numpy as np
import pytest
from genrec_plugin_onerec_think.next_item import PlainNextItem
from genrec_plugin_onerec_think.pruning import pruned, unit
from genrec_plugin_onerec_think.rationale_sources import tidy
from genrec_plugin_onerec_think.rationales import Rationales, blanked, has_rationale
from pydantic import ValidationError

from genrec_core import Answer, Context, Encoder, GenrecError, Teacher
from genrec_core.testing.stub_teacher import StubTeacher

LIKENESS = [0.1, 0.9, 0.3, 0.8]


class Given(Encoder):
    """Vectors whose cosine with item 4 are `LIKENESS`."""

    def encode(self, texts, state, context):
        rows = [[share, np.sqrt(1 - share**2)] for share in LIKENESS]
        return np.array([*rows, [1.0, 0.0], [0.0, 1.0]], dtype=np.float32)


def rationales_of(**options):
    """The corpus with those vectors; in Python components are given as instances."""
    return Rationales(**{"encoder": Given()} | options)


class Log(list):
    def __call__(self, event, **values):
        self.append((event, values))


def test_the_two_most_similar_items_stay_in_the_order_they_were_chosen_in():
    vectors = unit(Given().encode([], {}, Context()))
    assert pruned((0, 1, 2, 3), 4, vectors, 2) == (1, 3)
    assert pruned((3, 2, 1, 0), 4, vectors, 2) == (3, 1)
    assert pruned((0, 1), 4, vectors, 5) == (0, 1)
    assert pruned((), 4, vectors, 2) == ()


def test_of_an_item_chosen_twice_the_newer_time_counts_and_of_equal_items_the_newer_one_is_taken():
    vectors = unit(Given().encode([], {}, Context()))
    assert pruned((1, 0, 3, 1), 4, vectors, 2) == (3, 1)
    same = np.ones((3, 1), dtype=np.float32)
    assert pruned((0, 1), 2, same, 1) == (1,)


@pytest.fixture
def one_user(train):
    """Items 0 to 3, then 4, the last target."""
    from dataclasses import replace

    return replace(train, users=("u1",), rows=type(train.rows).of([[0, 1, 2, 3, 4]]))


def last(corpus, view, catalogue, log=None):
    return list(corpus.samples(view, catalogue, Context(log=Log() if log is None else log)))[-1]


def test_the_teacher_sees_pruned_context_and_target_and_the_learner_the_raw_history(one_user, catalogue):
    teacher = StubTeacher(answers={"": "Warm light\n for a tent."})
    corpus = Rationales(teacher=teacher, encoder=Given(), keep=2, show="title", max_per_user=1)
    sample = last(corpus, one_user, catalogue)
    (chat,) = teacher.asked
    assert "oldest first: Blue tent; Tin lamp\n" in chat[-1].text
    assert "Then the user chose: Oil lamp\n" in chat[-1].text
    assert [name for name in ("Red tent", "Rope") if name in chat[-1].text] == []
    prompt = [part for part in sample.segments if not part.learn]
    assert [part.items for part in prompt if hasattr(part, "items")] == [(0, 1, 2, 3)]
    learnt = [part for part in sample.segments if part.learn]
    assert [part.text for part in learnt[:-1]] == ["<think>\n", "Warm light for a tent.", "\n</think>\n\n"]
    assert (learnt[-1].item, sample.target) == (4, 4)


def test_the_model_itself_is_asked_about_identifiers_with_captions(one_user, catalogue, itemic):
    teacher = StubTeacher(answers={"": "so"})
    last(Rationales(teacher=teacher, caption="title", encoder=Given(), max_per_user=1), one_user, catalogue)
    target = "".join(itemic((1, 1, 1)))
    assert f"Then the user chose: {target} Oil lamp\n" in teacher.asked[0][-1].text


def test_the_prompt_is_the_one_of_the_plain_task(train, valid, catalogue):
    shown = {"attributes": ("age",), "caption": "title"}
    rationales, plain = rationales_of(field="kinds", **shown), PlainNextItem(**shown)
    for view in (train, valid):
        both = zip(
            rationales.samples(view, catalogue, Context()),
            plain.samples(view, catalogue, Context()),
            strict=True,
        )
        for one, other in both:
            assert one.segments[:-4] == other.segments[:-1]
            assert one.segments[-1] == other.segments[-1]


def test_templates_name_what_the_context_and_the_target_are(one_user, catalogue):
    log = Log()
    corpus = rationales_of(field="kinds", keep=2, named=1, liked=1)
    thoughts = [one.segments[-3].text for one in corpus.samples(one_user, catalogue, Context(log=log))]
    assert thoughts[-1] == "The user likes Shelter, so the next one is Light."
    assert thoughts[0] == "The user likes Shelter, so the next one is Shelter."
    assert log == [("rationales", {"made": 4, "unused_no_field": 0})]


def test_an_item_without_a_kind_gets_an_empty_thought_or_is_left_out(train, catalogue):
    from dataclasses import replace

    view = replace(train, users=("u",), rows=type(train.rows).of([[0, 5, 1]]))
    for without, targets in (("empty", [5, 1]), ("skip", [1])):
        found = list(rationales_of(field="kinds", without=without).samples(view, catalogue, Context()))
        assert [sample.target for sample in found] == targets
    empty = next(iter(rationales_of(field="kinds").samples(view, catalogue, Context())))
    assert not has_rationale(empty)
    assert empty == blanked(empty)


class Careless(Teacher):
    """Stops in the middle, says nothing, gives the answer away, and does well."""

    def complete(self, chats, context):
        target = "<|item_begin|><item_a_1><item_b_1><item_c_1><|item_end|>"
        answers = [Answer("because it is", finished=False), Answer(" \n"), Answer(f"It is {target}.")]
        return [*answers, Answer("Light for a tent.")][: len(chats)]


def test_what_a_teacher_writes_is_used_only_if_it_is_whole_and_keeps_the_answer_back(train, catalogue):
    from dataclasses import replace

    view = replace(train, users=("a", "b", "c", "d"), rows=type(train.rows).of([[0, 4]] * 4))
    log = Log()
    corpus = rationales_of(teacher=Careless(), show="title")
    found = list(corpus.samples(view, catalogue, Context(log=log)))
    assert [sample.segments[-3].text for sample in found] == ["", "", "", "Light for a tent."]
    counted = {"asked": 4, "unused_unfinished": 1, "unused_empty": 1, "unused_names_target": 1}
    assert ("rationales", counted) in log


def test_a_blank_keeps_everything_else(train, catalogue):
    sample = next(iter(rationales_of(field="kinds").samples(train, catalogue, Context())))
    empty = blanked(sample)
    assert has_rationale(sample)
    assert not has_rationale(empty)
    assert [part for n, part in enumerate(empty.segments) if n != len(empty.segments) - 3] == [
        part for n, part in enumerate(sample.segments) if n != len(sample.segments) - 3
    ]


def test_think_tags_and_white_space_are_taken_out_of_what_a_teacher_writes():
    assert tidy("<think>\n tents,\n\n so  ropes\n</think>\n") == "tents, so ropes"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "say where rationales come from: a `teacher`, or the item `field`"),
        ({"field": "kinds", "wording": "It is {target}."}, "must contain {liked} and {target} once each"),
        ({"field": "kinds", "ask": "Why {target}?"}, "once each"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        rationales_of(**options)


def test_a_field_that_is_not_there_is_named(train, catalogue):
    with pytest.raises(GenrecError, match="items have no field `genre` to make rationales from"):
        list(rationales_of(field="genre").samples(train, catalogue, Context()))


def test_the_loss_counts_thought_and_item_and_a_long_history_loses_its_oldest_items(train, catalogue, model):
    from dataclasses import replace

    from genrec_core.engine import Renderer

    view = replace(train, users=("u",), rows=type(train.rows).of([[0, 1, 2, 3, 4] * 4]))
    sample = list(rationales_of(field="kinds", max_per_user=1).samples(view, catalogue, Context()))[-1]
    whole = Renderer(model, catalogue).rendered(sample)
    decode = model.text_tokenizer.decode
    learnt = decode([one for one, learn in zip(whole.ids, whole.learn, strict=True) if learn])
    assert learnt.startswith(
        "<think>\nThe user likes Shelter, Light, so the next one is Light.\n</think>\n\n<|item_"
    )
    assert not any(whole.learn[: whole.prompt_length])
    assert all(whole.learn[whole.prompt_length :])
    short = Renderer(model, catalogue, max_length=len(whole.ids) - 12).rendered(sample)
    items = [span.item for span in whole.spans]
    assert [span.item for span in short.spans] == items[-len(short.spans) :]
    assert 1 < len(short.spans) < len(items)
    assert short.ids[short.prompt_length :] == whole.ids[whole.prompt_length :]
