"""A language model on this machine as a teacher."""

from __future__ import annotations

import pytest
import torch

from genrec_core import Context, ContractError, GenrecError, Message
from genrec_core.builtin import local_teacher
from genrec_core.builtin.local_teacher import LocalTeacher, SlotTeacher
from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.engine.decoding.free_text import chat_prompt
from genrec_core.store.answers import AnswerStore
from genrec_core.testing.checks.teacher import CHECKS
from genrec_core.testing.contracts import TeacherContract
from genrec_core.testing.runner import check_component
from genrec_core.testing.toy import toy_catalogue

TEMPLATE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


@pytest.fixture(scope="module")
def model():
    return TinyCausal(hidden=32, layers=2, heads=2, vocabulary=400, context=128).build(
        toy_catalogue(), Context()
    )


@pytest.fixture
def checkpoint(model, tmp_path):
    """The tiny model as a plain Hugging Face folder."""
    model.network.save_pretrained(tmp_path / "model")
    model.text_tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def chats(*texts):
    return [(Message("user", text),) for text in texts]


def teacher(folder, **options):
    return LocalTeacher(path=str(folder), device="cpu", max_tokens=6, **options)


def said(teacher, chats, context):
    """What a teacher that is opened for this answers."""
    return [answer.text for answer in teacher.ask(chats, 0, context)]


def kept(folder, teacher, chats, context):
    """What a teacher answers whose answers are kept in a folder."""
    with AnswerStore(folder) as answers:
        return [answer.text for answer in answers.ask(teacher, chats, 0, context)]


class TestLocalTeacher(TeacherContract):
    component = LocalTeacher
    options = {"path": "nowhere"}


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_it_keeps_the_promises_of_teachers_when_it_is_asked(checkpoint, temperature):
    options = {"path": str(checkpoint), "device": "cpu", "max_tokens": 6, "temperature": temperature}
    wanted = [check.__name__ for check in CHECKS]
    results = check_component("teacher", LocalTeacher, options, only=wanted, may_ask=True)
    skipped = {result.name for result in results if result.outcome == "skipped"}
    sampling = {"answers_every_draw_alike_unless_it_samples", "answers_alone_as_among_others"}
    assert [result for result in results if result.outcome == "failed"] == []
    assert skipped == (sampling if temperature else set())


def test_answers_are_what_the_model_writes_greedily_in_any_company(checkpoint, model):
    texts = ("red tent", "a", "pale green lamp and a rope", "black")
    together = said(teacher(checkpoint, batch_size=3), chats(*texts), Context())
    alone = [said(teacher(checkpoint, batch_size=1), chats(text), Context())[0] for text in texts]
    assert together == alone
    ids = torch.tensor(model.tokenise(["red tent"]))
    with torch.no_grad():
        for _ in range(6):
            ids = torch.cat([ids, model.network(ids).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    written = ids[0, len(model.tokenise(["red tent"])[0]) :].tolist()
    written = written[: written.index(model.end_id)] if model.end_id in written else written
    assert together[0] == model.text_tokenizer.decode(written, skip_special_tokens=True)


def test_an_answer_is_cut_before_the_first_stop_text(checkpoint):
    (whole,) = said(teacher(checkpoint), chats("red tent"), Context())
    assert len(whole) > 2
    (cut,) = said(teacher(checkpoint, stop=["never", whole[2]]), chats("red tent"), Context())
    assert cut == whole[: whole.index(whole[2])]


def test_turns_are_paragraphs_without_a_template_and_control_tokens_stay_text(model):
    chat = (Message("user", "red"), Message("assistant", "tent"), Message("user", "lamp"))
    assert chat_prompt(model, chat) == model.tokenise(["red"])[0] + [
        *model.tokenise(["\n\n"])[0], *model.tokenise(["tent"])[0],
        *model.tokenise(["\n\n"])[0], *model.tokenise(["lamp"])[0],
    ]  # fmt: skip
    (spelt,) = chats("red <|end|>")
    assert model.end_id not in chat_prompt(model, spelt)


def test_turns_go_through_the_template_where_there_is_one(model, monkeypatch):
    monkeypatch.setattr(model, "chat", True)
    monkeypatch.setattr(model.text_tokenizer, "chat_template", TEMPLATE)
    prompt = chat_prompt(model, (Message("system", "Hi"), Message("user", "red <|end|>")))
    text = model.text_tokenizer.decode(prompt, skip_special_tokens=False)
    assert text == "<|system|>Hi<|end|><|user|>red <|end|><|end|><|assistant|>"
    assert prompt.count(model.end_id) == 2, "the end written by the user is text"


def test_a_chat_without_room_for_an_answer_is_refused(checkpoint):
    with pytest.raises(GenrecError, match=r"and an answer of `6` do not fit into the 128 tokens"):
        said(teacher(checkpoint), chats("red tent " * 200), Context())


@pytest.fixture
def loads(monkeypatch):
    """One entry each time a model is loaded."""
    loads, original = [], LocalTeacher._model
    monkeypatch.setattr(local_teacher.LocalTeacher, "_model", lambda self: loads.append(1) or original(self))
    return loads


def test_the_model_is_loaded_once_for_many_rounds_and_not_for_what_is_on_disk(checkpoint, tmp_path, loads):
    asked = chats(*(f"tent {number}" for number in range(9)))
    one = teacher(checkpoint, batch_size=2)
    with AnswerStore(tmp_path / "a") as answers:
        context = Context(asker=answers.ask)
        first = [context.ask(one, asked[start : start + 3]) for start in (0, 3, 6)]
    assert len(loads) == 1
    assert kept(tmp_path / "a", teacher(checkpoint), asked, Context()) == [
        answer.text for answers in first for answer in answers
    ]
    assert len(loads) == 1


def test_another_model_at_the_same_path_is_another_teacher(checkpoint, tmp_path, loads):
    kept(tmp_path / "a", teacher(checkpoint), chats("red"), Context())
    (checkpoint / "notes.json").write_text("{}")
    kept(tmp_path / "a", teacher(checkpoint), chats("red"), Context())
    assert len(loads) == 2


def test_what_the_budget_ended_is_not_finished(checkpoint):
    (whole,) = teacher(checkpoint).ask(chats("red tent"), 0, Context())
    (stopped,) = teacher(checkpoint, stop=[whole.text[2]]).ask(chats("red tent"), 0, Context())
    assert not whole.finished
    assert stopped.finished
    assert whole.answer_tokens == 6
    assert whole.prompt_tokens > 0


def test_draws_of_a_teacher_that_samples_differ_and_depend_on_seed_and_draw_alone(checkpoint):
    texts = ("red tent", "a", "pale green lamp and a rope")
    sampling = teacher(checkpoint, temperature=1.0, batch_size=3)
    with sampling.open(Context(seed=3)) as session:
        rounds = [dict(session.answer(chats(*texts), draw)) for draw in (0, 1, 0)]
    assert rounds[0] == rounds[2]
    assert all(rounds[0][place] != rounds[1][place] for place in range(3))
    alone = [sampling.ask(chats(text), 1, Context(seed=3))[0] for text in texts]
    assert alone == [rounds[1][place] for place in range(3)], "answers depend on the chats beside them"
    assert sampling.ask(chats("a"), 0, Context(seed=4)) != [rounds[0][1]]
    assert sampling.is_seeded()


def test_draws_of_a_teacher_that_does_not_sample_are_equal(checkpoint):
    greedy = teacher(checkpoint)
    assert greedy.ask(chats("a"), 0, Context()) == greedy.ask(chats("a"), 5, Context(seed=9))
    assert not greedy.is_seeded()


def test_a_closed_session_answers_no_more(checkpoint):
    session = teacher(checkpoint).open(Context())
    session.close()
    session.close()
    with pytest.raises(ContractError, match="was closed"):
        list(session.answer(chats("a")))


def test_a_model_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(GenrecError, match="gguf"):
        said(teacher(tmp_path / "no.gguf"), chats("a"), Context())


class TestSlotTeacher(TeacherContract):
    component = SlotTeacher
    options = {"slot": "main"}


def test_a_slot_of_the_pipeline_answers_and_another_state_of_it_is_another_teacher(
    model, checkpoint, tmp_path
):
    asked = chats("red tent", "a")
    slot = SlotTeacher(slot="main", max_tokens=6)
    context = Context(models={"main": model})
    assert slot.model_slots() == ("main",)
    first = kept(tmp_path / "a", slot, asked, context)
    assert first == said(teacher(checkpoint), asked, Context())
    weight = model.network.get_input_embeddings().weight
    before = weight.detach().clone()
    with torch.no_grad():
        weight.copy_(before.roll(7, 0))
    kept(tmp_path / "a", slot, asked, context)
    with torch.no_grad():
        weight.copy_(before)
    assert len(list((tmp_path / "a").glob("*/*.json"))) == 4, (
        "another state of the weights was not asked anew"
    )
    assert kept(tmp_path / "a", slot, asked, context) == first
