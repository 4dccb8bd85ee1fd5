"""One renderer: prompts are the same ids whatever follows, masks cover exactly what is learnt."""

import dataclasses
import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genrec_core.builtin.next_item import NextItem
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.samples import IDENTIFIER, History, ItemRef, Sample, Text, UserRef
from genrec_core.contracts.views import Request
from genrec_core.engine.rendering.renderer import Renderer


def shown(model, rendered):
    """The rendered text with learnt runs in brackets."""
    parts = []
    for learnt, run in itertools.groupby(
        zip(rendered.ids, rendered.learn, strict=True), key=lambda pair: pair[1]
    ):
        text = model.text_tokenizer.decode([token for token, _ in run])
        parts.append(f"[{text}]" if learnt else text)
    return "".join(parts)


def test_prompt_answer_and_end_are_written_and_only_answer_and_end_are_learnt(model, catalogue):
    sample = Sample((Text("Next: "), History((0, 5)), Text(", "), ItemRef(7, learn=True)), target=7)
    rendered = Renderer(model, catalogue).rendered(sample)
    assert shown(model, rendered) == "Next: <a_0><b_0>, <a_1><b_1>, [<a_3><b_1><|end|>]"
    assert rendered.prompt_length == rendered.learn.index(True)


def test_a_learnt_history_teaches_every_item_after_the_first_and_no_separator(model, catalogue):
    """GRLM check 3: the mask is exactly the target spans."""
    rendered = Renderer(model, catalogue).rendered(Sample((History((0, 1, 2), learn=True, separator=";"),)))
    assert shown(model, rendered) == "<a_0><b_0>;[<a_1><b_0>];[<a_2><b_0><|end|>]"


def test_a_field_behind_the_items_of_a_history_is_learnt_with_them(model, catalogue):
    told = History((0, 1), learn=True, separator=";", field="title", between="=")
    rendered = Renderer(model, catalogue).rendered(Sample((told,), append_eos=False))
    first = "<a_0><b_0>=red tent number 0;"
    assert shown(model, rendered) == first + "[<a_1><b_0>=red tent number 1]"


def test_a_sample_that_does_not_end_has_no_end_token(model, catalogue):
    rendered = Renderer(model, catalogue).rendered(
        Sample((Text("a"), Text("b", learn=True)), append_eos=False)
    )
    assert shown(model, rendered) == "a[b]"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(st.integers(0, 7), min_size=1, max_size=12),
    target=st.integers(0, 7),
    each=st.sampled_from(["prefix", "user"]),
    form=st.sampled_from(["identifier", "title"]),
    answer=st.sampled_from(["identifier", "title"]),
    instruction=st.sampled_from(["", "Next:", "What comes "]),
    length=st.integers(60, 120),
    chat=st.booleans(),
)
def test_evaluation_prompts_equal_training_prompts_id_for_id(
    model, catalogue, history, target, each, form, answer, instruction, length, chat
):
    if chat:
        model.text_tokenizer.chat_template = (
            "{% for m in messages %}<|end|>{{ m['role'] }}\n{{ m['content'] }}{% endfor %}"
        )
    model.chat = chat
    corpus = NextItem(each=each, history=form, target=answer, instruction=instruction)
    renderer = Renderer(model, catalogue, length)
    trained = renderer.rendered(corpus._sample(tuple(history), target))
    asked = corpus.prompt(Request("u", tuple(history)), catalogue, Context())
    assert renderer.prompt(asked) == trained.ids[: trained.prompt_length]
    assert trained.ids[trained.prompt_length :] == [*renderer.answer_ids(answer)[target], model.end_id]
    assert len(trained.ids) <= length


def test_prefixes_of_a_user_sample_are_the_prompts_to_recommend_by(model, catalogue):
    corpus, renderer = NextItem(each="user"), Renderer(model, catalogue)
    whole = renderer.rendered(Sample((corpus.listed((0, 1, 2, 3), learn=True),))).ids
    prompt = renderer.prompt(corpus.prompt(Request("u", (0, 1, 2)), catalogue, Context()))
    assert whole[: len(prompt)] == prompt


def test_the_oldest_items_go_first_and_the_target_never(model, catalogue):
    renderer = Renderer(model, catalogue, max_length=12)
    sample = Sample((History((0, 1, 2, 3, 4), separator=";"), Text(";"), ItemRef(7, learn=True)))
    # Room for the answer is 3 (two tokens and the end); three items of two tokens with separators take 9.
    assert shown(model, renderer.rendered(sample)) == ("<a_2><b_0>;<a_3><b_0>;<a_0><b_1>;[<a_3><b_1><|end|>]")
    assert renderer.shortened == {"histories": 1}


def test_fields_lose_their_ends_only_when_no_history_is_left(model, catalogue):
    renderer = Renderer(model, catalogue, max_length=4)
    parts = (ItemRef(0, form="title"), History((1, 2)), ItemRef(7, learn=True))
    rendered = renderer.rendered(Sample(parts))
    assert len(rendered.ids) == 4
    assert rendered.ids[-3:] == [*renderer.answer_ids()[7], model.end_id]
    assert renderer.shortened == {"fields": 1}


def test_what_cannot_be_cut_is_refused_with_its_excess(model, catalogue):
    sample = Sample((Text("a b c d e f g h"), ItemRef(7, learn=True)), task="long")
    with pytest.raises(GenrecError, match=r"task `long` is \d+ tokens longer than `max_length: 8`"):
        Renderer(model, catalogue, max_length=8).rendered(sample)


def test_an_empty_prompt_starts_from_the_end_token(model, catalogue):
    renderer = Renderer(model, catalogue)
    assert renderer.prompt(Sample(())) == [model.end_id]
    rendered = renderer.rendered(Sample((ItemRef(0, learn=True),)))
    assert (rendered.ids[0], rendered.learn[0], rendered.prompt_length) == (model.end_id, False, 1)


def test_a_begin_token_that_the_text_tokenizer_adds_comes_first(model, catalogue):
    model.frame = ([7], [])
    assert Renderer(model, catalogue).prompt(Sample((ItemRef(0),)))[0] == 7


def test_an_encoder_is_given_the_closed_prompt_and_cannot_learn_a_history(model, catalogue):
    model.family, model.frame = "seq2seq", ([], [9])
    renderer = Renderer(model, catalogue)
    sample = Sample((History((0, 1), separator=";"), ItemRef(2, learn=True)))
    rendered = renderer.rendered(sample)
    assert rendered.ids[rendered.prompt_length - 1] == 9
    assert renderer.prompt(Sample(sample.segments[:1])) == rendered.ids[: rendered.prompt_length]
    assert rendered.ids[rendered.prompt_length :] == [*renderer.answer_ids()[2], model.end_id]
    with pytest.raises(GenrecError, match="encoder-decoder"):
        renderer.rendered(Sample((History((0, 1), learn=True),)))


def test_a_chat_writes_the_template_around_separately_tokenised_turns(model, catalogue):
    model.text_tokenizer.chat_template = (
        "{% for m in messages %}<|end|>{{ m['role'] }}:{{ m['content'] }}{% endfor %}<|end|>"
    )
    model.chat = True
    renderer = Renderer(model, catalogue)
    answer = ItemRef(1, learn=True, turn="assistant")
    sample = Sample((Text("Be brief.", turn="system"), Text("Say <|end|>"), History((0,)), answer))
    rendered = renderer.rendered(sample)
    assert shown(model, rendered) == (
        "<|end|>system:Be brief.<|end|>user:Say <|end|><a_0><b_0><|end|>assistant:[<a_1><b_0><|end|>]"
    )
    # Four ends are the template's and the answer's; the one spelt in the user's text is text.
    assert rendered.ids.count(model.end_id) == 4
    assert renderer.prompt(Sample(sample.segments[:-1])) == rendered.ids[: rendered.prompt_length]


def test_what_a_template_puts_before_the_answers_that_it_is_shown_is_not_part_of_a_prompt(model, catalogue):
    # As Qwen3's does: a thought, if only an empty one, stands before an answer that is shown.
    shown_answer = "{% if m['role'] == 'assistant' %}<think>\n\n</think>\n\n{% endif %}"
    model.text_tokenizer.chat_template = (
        "{% for m in messages %}<|end|>{{ m['role'] }}:" + shown_answer + "{{ m['content'] }}{% endfor %}"
        "{% if add_generation_prompt %}<|end|>assistant:{% endif %}"
    )
    model.chat = True
    sample = Sample((Text("Next?"), ItemRef(1, learn=True, turn="assistant")))
    rendered = Renderer(model, catalogue).rendered(sample)
    assert shown(model, rendered) == "<|end|>user:Next?<|end|>assistant:[<a_1><b_0><|end|>]"


def test_running_text_has_no_template_around_it(model, catalogue):
    model.text_tokenizer.chat_template = "{% for m in messages %}<|end|>{{ m['content'] }}{% endfor %}"
    segments = (Text("A user bought ", learn=True), ItemRef(1, learn=True), Text(" today.", learn=True))
    plain = Sample(segments, answer_form="", plain=True)
    without = Renderer(model, catalogue).rendered(plain)
    model.chat = True
    rendered = Renderer(model, catalogue).rendered(plain)
    assert rendered == without
    assert shown(model, rendered) == "<|end|>[A user bought <a_1><b_0> today.<|end|>]"
    assert Renderer(model, catalogue).rendered(dataclasses.replace(plain, plain=False)) != without


def test_a_template_that_refuses_the_turns_is_named(model, catalogue):
    model.text_tokenizer.chat_template = "{{ raise_exception('no system turn') }}"
    model.chat = True
    with pytest.raises(GenrecError, match="refuses the turns user, assistant"):
        Renderer(model, catalogue).prompt(Sample((Text("a"),)))
    model.text_tokenizer.chat_template = "nothing"
    with pytest.raises(GenrecError, match="does not write the turns"):
        Renderer(model, catalogue).prompt(Sample((Text("a"),)))


def test_prompt_text_is_what_the_ids_say(model, catalogue):
    assert Renderer(model, catalogue).prompt_text(Sample((Text("Next: "), History((0, 1))))) == (
        "Next: <a_0><b_0>, <a_1><b_0>"
    )


@pytest.mark.parametrize(
    "template", ["{{ m['content'] }}{{ m['content'] }}", "{{ m['content'] }} ({{ m['content'] }})"]
)
def test_a_template_that_writes_a_content_twice_is_refused_and_leaves_no_mark_in_the_prompt(
    model, catalogue, template
):
    model.text_tokenizer.chat_template = "{% for m in messages %}" + template + "{% endfor %}"
    model.chat = True
    with pytest.raises(GenrecError, match="writes the content of the turn `user` more than once"):
        Renderer(model, catalogue).prompt(Sample((Text("a"),)))


def spelt(model, rendered):
    """What stands at each span: (text, item or user)."""
    return [
        (model.text_tokenizer.decode(rendered.ids[span.start : span.end]), span.user or span.item)
        for span in rendered.spans
    ]


SPANS = Sample(
    (
        Text("For "),
        UserRef("ann"),
        Text(": "),
        History((0, 5, 6), separator=";"),
        Text(" by "),
        ItemRef(3, form="title"),
        Text(" → "),
        ItemRef(7, learn=True, turn="assistant"),
    )
)


@pytest.fixture
def named(catalogue):
    """The catalogue with a user's identifier, written in the items' tokens."""
    return replace(catalogue, identifiers=replace(catalogue.identifiers, users={"ann": ("<a_2>", "<a_1>")}))


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize(
    ("family", "frame"),
    [("causal", ([], [])), ("causal", ([7], [])), ("seq2seq", ([], [9])), ("seq2seq", ([7], [9, 9]))],
)
def test_spans_tell_which_tokens_spell_which_item_or_user(model, named, family, frame, chat):
    model.family, model.frame, model.chat = family, frame, chat
    model.text_tokenizer.chat_template = (
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
    )
    rendered = Renderer(model, named).rendered(SPANS)
    assert spelt(model, rendered) == [
        ("<a_2><a_1>", "ann"), ("<a_0><b_0>", 0), ("<a_1><b_1>", 5), ("<a_2><b_1>", 6),
        ("red tent number 3", 3), ("<a_3><b_1>", 7),
    ]  # fmt: skip
    assert [span.form for span in rendered.spans] == [IDENTIFIER] * 4 + ["title", IDENTIFIER]
    assert rendered.spans[-1].start == rendered.prompt_length == rendered.starts[0]
    prompt = Renderer(model, named).rendered(Sample(SPANS.segments[:-1]))
    assert prompt.spans == rendered.spans[:-1]


def test_spans_name_what_is_left_after_truncation(model, named):
    short = Renderer(model, named, max_length=len(Renderer(model, named).rendered(SPANS).ids) - 3)
    rendered = short.rendered(SPANS)
    assert [what for _, what in spelt(model, rendered)] == ["ann", 5, 6, 3, 7]
    assert spelt(model, rendered)[1] == ("<a_1><b_1>", 5)


def test_a_shortened_field_has_a_shorter_span_and_none_when_nothing_is_left(model, catalogue):
    parts = (Text("a"), ItemRef(0, form="title"), ItemRef(7, learn=True))
    rendered = Renderer(model, catalogue, max_length=5).rendered(Sample(parts))
    assert [(span.item, span.end - span.start) for span in rendered.spans] == [(0, 1), (7, 2)]
    rendered = Renderer(model, catalogue, max_length=4).rendered(Sample(parts))
    assert [span.item for span in rendered.spans] == [7]


def test_spans_behind_the_token_that_starts_an_empty_prompt_are_moved_with_it(model, catalogue):
    rendered = Renderer(model, catalogue).rendered(Sample((ItemRef(0, learn=True),)))
    assert spelt(model, rendered) == [("<a_0><b_0>", 0)]
    assert rendered.spans[0].start == 1


def test_fields_inside_a_learnt_history_have_spans_of_their_own(model, catalogue):
    history = History((0, 1), learn=True, separator=";", field="title", between="=")
    rendered = Renderer(model, catalogue).rendered(Sample((history,)))
    assert spelt(model, rendered) == [
        ("<a_0><b_0>", 0), ("red tent number 0", 0), ("<a_1><b_0>", 1), ("red tent number 1", 1),
    ]  # fmt: skip


def test_a_user_without_an_identifier_is_named(model, named):
    with pytest.raises(GenrecError) as caught:
        Renderer(model, named).prompt(Sample((UserRef("bob"),)))
    assert caught.value.message == "user `bob` has no identifier: the identifiers name 1 users"
    assert "a tokenizer that names users too" in caught.value.hint
