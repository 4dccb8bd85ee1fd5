"""A language model on this machine as a teacher."""

from __future__ import annotations

import pytest
import torch

from genrec_core import Context, GenrecError, Message
from genrec_core.builtin import local_teacher
from genrec_core.builtin.local_teacher import LocalTeacher
from genrec_core.builtin.tiny_causal import TinyCausal
from genrec_core.engine.decoding.free_text import chat_prompt
from genrec_core.store.answers import Answers
from genrec_core.testing.contracts import TeacherContract
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


class TestLocalTeacher(TeacherContract):
    component = LocalTeacher
    options = {"path": "nowhere"}


def test_answers_are_what_the_model_writes_greedily_in_any_company(checkpoint, model):
    texts = ("red tent", "a", "pale green lamp and a rope", "black")
    together = teacher(checkpoint, batch_size=3).complete(chats(*texts), Context())
    alone = [teacher(checkpoint, batch_size=1).complete(chats(text), Context())[0] for text in texts]
    assert together == alone
    ids = torch.tensor(model.tokenise(["red tent"]))
    with torch.no_grad():
        for _ in range(6):
            ids = torch.cat([ids, model.network(ids).logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    written = ids[0, len(model.tokenise(["red tent"])[0]) :].tolist()
    written = written[: written.index(model.end_id)] if model.end_id in written else written
    assert together[0] == model.text_tokenizer.decode(written, skip_special_tokens=True)


def test_an_answer_is_cut_before_the_first_stop_text(checkpoint):
    (whole,) = teacher(checkpoint).complete(chats("red tent"), Context())
    assert len(whole) > 2
    (cut,) = teacher(checkpoint, stop=["never", whole[2]]).complete(chats("red tent"), Context())
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
        teacher(checkpoint).complete(chats("red tent " * 200), Context())


def test_the_model_is_loaded_once_and_only_for_what_is_not_on_disk(checkpoint, tmp_path, monkeypatch):
    loads = []
    original = LocalTeacher._model
    monkeypatch.setattr(local_teacher.LocalTeacher, "_model", lambda self: loads.append(1) or original(self))
    asked = chats(*(f"tent {number}" for number in range(9)))
    first = Answers(tmp_path / "a").ask(teacher(checkpoint, batch_size=2), asked, Context())
    second = Answers(tmp_path / "a").ask(teacher(checkpoint), asked, Context())
    assert first == second
    assert len(loads) == 1


def test_a_model_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(GenrecError, match="gguf"):
        teacher(tmp_path / "no.gguf").complete(chats("a"), Context())
