"""What the alignment tasks write: personas, captions, general text, next items, wishes."""

import dataclasses
import gzip
import json
from pathlib import Path

import pytest
from genrec_plugin_onerec_think.captions import Captions
from genrec_plugin_onerec_think.general_text import GeneralText, pieces
from genrec_plugin_onerec_think.next_item import PlainNextItem, Wishes
from genrec_plugin_onerec_think.persona import Persona
from pydantic import ValidationError

from genrec_core import Context, DataError, GenrecError, Request

TENT = "<|item_begin|><item_a_0><item_b_0><item_c_0><|item_end|>"
BLUE = "<|item_begin|><item_a_0><item_b_0><item_c_1><|item_end|>"
ROPE = "<|item_begin|><item_a_0><item_b_1><item_c_0><|item_end|>"


class Log(list):
    def __call__(self, event, **values):
        self.append((event, values))


@pytest.fixture
def written(model, catalogue):
    """A sample as text: all of it, and what of it is learnt."""
    from genrec_core.engine import Renderer

    renderer = Renderer(model, catalogue)

    def write(sample):
        rendered = renderer.rendered(sample)
        end = model.text_tokenizer.decode([model.end_id])

        def decode(ids):
            return model.text_tokenizer.decode(ids).removeprefix(end)

        learnt = [one for one, learn in zip(rendered.ids, rendered.learn, strict=True) if learn]
        return decode(rendered.ids), decode(learnt)

    return write


def samples(corpus, view, catalogue, log=None):
    return list(corpus.samples(view, catalogue, Context(seed=1, log=Log() if log is None else log)))


def test_a_persona_interleaves_what_is_known_with_items_and_their_captions(train, catalogue, written):
    corpus = Persona(attributes=("age", "job"), searches="searches", interests="kinds", items=3)
    first, second, *others = samples(corpus, train, catalogue)
    whole, learnt = written(first)
    profile = "The user: age: 24, job: cook. Searched for: dry tents; warm light. Chose "
    assert whole.startswith(f"{profile}{TENT}, called Red tent. Likes: Shelter, Red, Climbing.")
    whole, learnt = written(second)
    assert f"{profile}{BLUE}, called Blue tent; {ROPE}, called Rope; " in whole
    assert learnt.startswith(profile)
    assert f"{ROPE}, called Rope" in learnt
    assert [sample.answer_form for sample in others] == ["", ""]
    assert "age: 40. Chose " in written(others[0])[0]
    assert written(others[1])[0].startswith("Chose ")


def test_a_persona_knows_no_held_out_item(valid, catalogue, written):
    for sample in samples(Persona(interests="kinds"), valid, catalogue):
        text = written(sample)[0]
        assert ("Oil lamp" in text) == (sample.segments[1].items[0] == 3)
        assert "Blue tent" not in text or sample.segments[1].items[0] == 0


def test_a_persona_needs_fields_that_are_there(train, catalogue):
    with pytest.raises(GenrecError, match="no user has `hobby`") as refused:
        samples(Persona(attributes=("hobby",)), train, catalogue)
    assert "users have: age, job, searches" in str(refused.value)
    with pytest.raises(GenrecError, match="items have no field `genre`"):
        samples(Persona(interests="genre"), train, catalogue)


def test_captions_tell_what_an_item_has(train, catalogue, written):
    log = Log()
    corpus = Captions(fields={"title": "title: ", "kinds": "kind: "})
    found = samples(corpus, train, catalogue, log)
    whole, learnt = written(found[0])
    assert whole.startswith(f"What is {TENT}?\ntitle: Red tent; kind: Shelter, Red")
    assert learnt.startswith("title: Red tent; kind: Shelter, Red")
    assert corpus.caption(0, catalogue) == "title: Red tent; kind: Shelter, Red"
    assert corpus.caption(5, catalogue) == "title: Kettle"
    kinds = Captions(fields={"kinds": "kind: "})
    assert len(samples(kinds, train, catalogue, log)) == 5
    assert log == [("skipped", {"form": "kinds", "items": 1})]


def test_held_out_items_are_asked_about_by_validation_alone(train, valid, catalogue):
    corpus = Captions(held_out=0.5)
    seen, held = ({s.target for s in samples(corpus, view, catalogue)} for view in (train, valid))
    assert seen | held == set(range(6))
    assert not seen & held
    assert seen
    assert held


def test_next_items_show_user_wish_and_history_in_one_layout(catalogue, written):
    request = Request("u", (0, 2), attributes={"age": 7}, message="something red")
    asked = PlainNextItem(attributes=("age", "job"), caption="title").prompt(request, catalogue, Context())
    text, learnt = written(asked)
    assert text == (
        f"age: 7\nChosen so far, oldest first: {TENT} Red tent; {ROPE} Rope\n"
        "The user asks for: something red\nWhat comes next?\n"
    )
    assert learnt == ""
    plain = dataclasses.replace(request, attributes={}, message="")
    assert written(PlainNextItem().prompt(plain, catalogue, Context()))[0] == (
        f"Chosen so far, oldest first: {TENT}; {ROPE}\nWhat comes next?\n"
    )


def test_an_empty_thought_is_given_and_nothing_else_of_the_prompt_differs(train, catalogue, written):
    bare, block = (samples(PlainNextItem(think=think), train, catalogue) for think in ("none", "empty"))
    for one, other in zip(bare, block, strict=True):
        (whole, learnt), (longer, same) = written(one), written(other)
        assert same == learnt
        assert longer == whole.replace("next?\n", "next?\n<think>\n\n</think>\n\n")


def test_not_thinking_in_training_and_in_core_think_are_the_same_token_ids(model, catalogue):
    """`think: empty` here and `mode: empty` of `core/think`, behind the same prompt."""
    from genrec_core.engine import Renderer, ThinkSettings

    renderer, request = Renderer(model, catalogue), Request("u", (0, 2))
    bare, block = (
        renderer.prompt(PlainNextItem(think=think).prompt(request, catalogue, Context()))
        for think in ("none", "empty")
    )
    opening, closing = ThinkSettings(0).around(model)
    assert block == [*bare, *opening, *closing]


def test_wishes_are_made_of_the_chosen_item_in_training_alone(train, valid, catalogue, written):
    log = Log()
    corpus = Wishes(field="kinds", wordings=("something {value}",))
    found = samples(corpus, train, catalogue, log)
    assert {sample.target for sample in found} == {1, 2, 3, 4, 0}
    for sample in found:
        text = written(sample)[0]
        assert any(
            f"asks for: something {kind}\n" in text for kind in catalogue.items.fields["kinds"][sample.target]
        )
    assert log == []
    for sample in samples(corpus, valid, catalogue):
        assert "asks for" not in written(sample)[0]


def test_an_item_without_a_value_is_no_wish(catalogue, train):
    log = Log()
    backwards = dataclasses.replace(train, rows=type(train.rows).of([[0, 5], [1, 2], [3, 4]]))
    assert len(samples(Wishes(field="kinds"), backwards, catalogue, log)) == 2
    assert log == [("skipped", {"form": "kinds", "items": 1})]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlainNextItem(wish="please"), "must contain {message} once"),
        (lambda: Wishes(field="kinds", wordings=("{value} {value}",)), "must contain {value} once"),
        (lambda: Captions(wording="What?"), "must contain {item} once"),
    ],
)
def test_templates_are_looked_at_before_anything_runs(make, message):
    with pytest.raises(ValidationError, match=message):
        make()


def test_general_texts_are_learnt_whole_and_cut_at_white_space(
    tmp_path, train, valid, catalogue, written, model
):
    end = model.text_tokenizer.decode([model.end_id])
    (tmp_path / "a.txt").write_text("one two three four five six seven")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in ("eight", "  ", "nine"))
    (tmp_path / "c.png").write_bytes(b"\x89")
    corpus = GeneralText(path=tmp_path, characters=20)
    learnt = [written(sample)[1] for sample in samples(corpus, train, catalogue)]
    texts = ("one two three four", "five six seven", "eight", "nine")
    assert learnt == [f"{text}{end}" for text in texts]
    assert samples(corpus, valid, catalogue) == []
    assert len(samples(GeneralText(path=tmp_path, characters=20, most=3), train, catalogue)) == 3


def test_a_word_longer_than_a_piece_is_cut_somewhere():
    assert list(pieces("abcdefgh ij", 3)) == ["abc", "def", "gh", "ij"]


def test_texts_that_cannot_be_read_are_named_by_line(tmp_path, train, catalogue):
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"text": "fine"}\n{"words": "no"}\n')
    with pytest.raises(DataError, match=r"t\.jsonl:2: this line has no text `text`"):
        samples(GeneralText(path=lines), train, catalogue)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no text"):
        samples(GeneralText(path=tmp_path / "empty"), train, catalogue)


MOVIES = Path(__file__).resolve().parents[4] / "shared" / "data" / "ml-100k"


@pytest.mark.skipif(not MOVIES.is_dir(), reason="needs the project's shared data set ml-100k")
def test_personas_of_movielens_hold_the_attributes_of_real_users():
    from genrec_core import Catalogue, Identifiers
    from genrec_core.builtin.folder import Folder
    from genrec_core.builtin.leave_one_out import LeaveOneOut

    data = Folder(path=MOVIES).load(Context())
    view = dataclasses.replace(LeaveOneOut().split(data, 20).train, attributes=data.attributes)
    names = Identifiers.of([(f"<{n}>",) for n in range(len(data.items))])
    corpus = Persona(attributes=("age", "gender", "occupation"), interests="genres", texts=1)
    found = samples(corpus, view, Catalogue(data.items, names))
    assert len(found) == len(view.users) == 943
    told = {user: sample.segments for user, sample in zip(view.users, found, strict=True)}
    before, _, behind = told["1"]
    assert before.text == "The user: age: 24, gender: M, occupation: technician. Chose "
    assert behind.text == ". Likes: Drama, Comedy, Action."
