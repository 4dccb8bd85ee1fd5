"""`grlm/terms` as a whole: from items to identifiers, whoever chooses the terms."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from genrec_contrib_teachers.openai_server import OpenAIServer
from genrec_contrib_teachers.stub_server import StubServer, Trouble
from genrec_plugin_grlm.extractive import Extractive
from genrec_plugin_grlm.terms import TermIDs
from pydantic import ValidationError

from genrec_core import (
    Answer,
    Catalogue,
    Context,
    DataError,
    GenrecError,
    Items,
    Message,
    Sequences,
    StageError,
    Teacher,
    View,
)
from genrec_core.builtin.ngrams import NGrams
from genrec_core.store.answers import AnswerStore
from genrec_core.testing import toy

NOBODY = View("train", (), Sequences.of([]), None, 5)
GOOD = "[tent, camping, nylon, hiker, light]"


class Told(Teacher):
    """Answers by a function of the item's title and of how often it was asked about."""

    seeded = False

    def __init__(self, answer):
        super().__init__()
        self.answer, self.chats = answer, []

    def complete(self, chats, context):
        self.chats += chats
        return [self.answer(title_in(chat), len(chat) // 2) for chat in chats]


def title_in(chat):
    return next(line for line in chat[0].text.splitlines() if line.startswith("title: ")).removeprefix(
        "title: "
    )


def named(titles, *, log=None, **options):
    """Terms of items with these titles."""
    lines = {} if log is None else log
    context = Context(log=lambda event, **values: lines.update({event: values}))
    return tokenizer(**options).fit(shop(titles), NOBODY, context)


def tokenizer(**options):
    return TermIDs(**({"encoder": NGrams(), "teacher": Extractive()} | options))


def shop(titles, **fields):
    return Items(tuple(f"i{n}" for n in range(len(titles))), {"title": list(titles)} | fields)


def test_terms_are_words_that_the_model_knows_already():
    ids = named(["red silk scarf", "blue silk scarf", "green silk scarf", "old oak table"], terms=3)
    assert ids.new_tokens == ()
    assert set(ids.lengths) == {3}
    assert ids.text(0) == "scarf, silk, red"
    assert ids.parse("scarf, silk, red") == ids.tokens(0)


@pytest.mark.parametrize("count", [5, 7, 10])
def test_identifiers_have_the_length_asked_for(count):
    ids = tokenizer(terms=count).fit(toy.toy_items(), NOBODY, Context())
    assert set(ids.lengths) == {count}
    assert all(len(set(ids.tokens(item))) == count for item in range(len(ids)))


def test_context_makes_neighbours_share_terms():
    """Without context an item keeps its rarest words, with it those that its neighbours say come first."""
    titles = [f"lipstick matte shade{n} extra{n} plain{n}" for n in range(6)]
    titles += [f"kettle steel litre{n} spout{n} handle{n}" for n in range(6)]
    with_context, without = (named(titles, terms=4, context=context) for context in (True, False))
    assert all({"lipstick", "matte"} == set(with_context.tokens(item)[:2]) for item in range(6))
    assert not any({"lipstick", "matte"} <= set(without.tokens(item)) for item in range(6))
    assert len(with_context.vocabulary) < len(without.vocabulary)


def test_a_teacher_sees_the_neighbours_of_an_item_or_not():
    titles = ["red tent", "blue tent", "kettle"]
    with_context, without = Told(lambda *_: GOOD), Told(lambda *_: GOOD)
    named(titles, teacher=with_context, neighbours=1)
    named(titles, teacher=without, context=False)
    first = with_context.chats[0][0].text
    assert "1. title: blue tent" in first
    assert "kettle" not in first
    assert "SIMILAR" not in without.chats[0][0].text
    assert "similar" not in without.chats[0][0].text


def test_a_malformed_answer_is_asked_for_again_with_the_reason_and_counted():
    teacher = Told(lambda title, tried: GOOD if tried or title == "a" else "[tent, camping]")
    lines = []
    context = Context(log=lambda event, **values: lines.append((event, values)))
    ids = tokenizer(teacher=teacher, retries=1).fit(shop(["a", "b", "c"]), NOBODY, context)
    assert {ids.text(item) for item in range(3)} == {"tent, camping, nylon, hiker, light"}
    again = teacher.chats[3]
    assert [message.turn for message in again] == ["user", "assistant", "user"]
    assert again[1].text == "[tent, camping]"
    assert "it has 2 words, not 5" in again[2].text
    rounds = [values for event, values in lines if event == "terms-asked"]
    assert rounds == [
        {"round": 1, "asked": 3, "malformed": 2, "malformed_number": 2},
        {"round": 2, "asked": 2, "malformed": 0},
    ]


def test_an_answer_that_was_cut_off_is_asked_for_again_though_a_list_stands_in_it():
    """A model that thinks aloud was stopped while it weighed one list."""

    def answered(title, tried):
        return (
            GOOD if tried else Answer(f"Perhaps {GOOD.replace('tent', 'draft')}, or rather", finished=False)
        )

    lines = {}
    ids = named(["a"], teacher=Told(answered), log=lines)
    assert ids.text(0) == "tent, camping, nylon, hiker, light"
    with pytest.raises(StageError, match=r"\(cut off 1\), such as `i0`: it was too long and was cut off"):
        named(["a"], teacher=Told(lambda title, tried: answered(title, 0)), retries=1)


def test_what_stays_malformed_is_refused_by_default_with_counts_and_examples():
    teacher = Told(lambda title, tried: "[tent, camping]" if title == "b" else GOOD)
    with pytest.raises(
        StageError, match=r"1 of 3 items .* \(number 1\), such as `i1`: it has 2 words"
    ) as caught:
        named(["a", "b", "c"], teacher=teacher)
    assert "malformed: extract" in caught.value.hint
    assert len(teacher.chats) == 3 + 1 + 1


def test_what_stays_malformed_can_be_extracted_and_is_counted():
    titles = ["pale oak table for gardens", "b", "c"]
    teacher = Told(lambda title, tried: "no" if title == titles[0] else GOOD)
    lines = {}
    ids = named(titles, teacher=teacher, malformed="extract", terms=5, log=lines, context=False)
    assert set(ids.tokens(0)) >= {"pale", "oak", "table", "gardens"}
    assert lines["terms"]["malformed"] == 1
    assert lines["terms-extracted"]["items"] == 1
    assert lines["terms-extracted"]["borrowed_terms"] == 1


def test_items_that_share_all_terms_keep_them_or_are_told_apart():
    titles = ["oak table", "oak table round", "oak table round folding", "oak table"]
    teacher = Told(lambda *_: "[table, oak]")
    lines = {}
    kept = named(titles, teacher=teacher, terms=2, log=lines)
    assert kept.items_of(("table", "oak")).tolist() == [0, 1, 2, 3]
    assert lines["terms"]["items_that_share"] == 4
    apart = named(titles, teacher=teacher, terms=2, unique="replace-last", log=lines)
    assert [apart.tokens(item) for item in range(4)] == [
        ("table", "oak"),
        ("table", "round"),
        ("table", "folding"),
        ("table", "oak"),
    ]
    assert (lines["terms"]["told_apart"], lines["terms"]["not_told_apart"]) == (2, 1)


def test_a_repair_takes_no_terms_that_a_later_item_has():
    titles = ["oak table", "oak table round", "c"]
    answers = {"oak table": "[table, oak]", "oak table round": "[table, oak]", "c": "[table, round]"}
    ids = named(titles, teacher=Told(lambda title, _: answers[title]), terms=2, unique="replace-last")
    assert ids.tokens(2) == ("table", "round")
    assert len(set(ids.distinct())) == 2, "`round` is the only word that could have told item 1 apart"


def test_given_terms_are_read_from_a_field_or_a_file(tmp_path):
    rows = [["Nail Polish", "red"], ["tent", "red"]]
    file = tmp_path / "terms.jsonl"
    file.write_text("\n".join(json.dumps({"item_id": f"i{n}", "words": row}) for n, row in enumerate(rows)))
    by_field = tokenizer(terms=2, field="terms").fit(shop(["a b", "c d"], terms=rows), NOBODY, Context())
    by_file = tokenizer(terms=2, file=file).fit(shop(["a b", "c d"]), NOBODY, Context())
    assert [by_field.text(item) for item in range(2)] == ["nail-polish, red", "tent, red"]
    assert by_field.codes.tolist() == by_file.codes.tolist()
    assert tokenizer(terms=2, file=file).inputs() == (file,)


def test_given_terms_that_are_missing_are_refused_or_extracted():
    items = shop(["green oak bench", "tent"], terms=[[], ["tent", "red"]])
    with pytest.raises(DataError, match=r"1 of 2 items have no usable terms \(number 1\)"):
        tokenizer(terms=2, field="terms").fit(items, NOBODY, Context())
    ids = tokenizer(terms=2, field="terms", malformed="extract").fit(items, NOBODY, Context())
    assert set(ids.tokens(0)) < {"green", "oak", "bench"}
    with pytest.raises(DataError, match="items have no field `tags`"):
        tokenizer(field="tags").fit(items, NOBODY, Context())


def test_published_terms_are_not_read_as_text_by_those_who_extract():
    items = shop(["green oak bench", "tent pole red"], terms=[["secret", "words"], ["tent", "red"]])
    ids = tokenizer(terms=2, fields=["title"]).fit(items, NOBODY, Context())
    assert "secret" not in ids.vocabulary


def test_new_items_prefer_terms_that_are_in_use():
    fitted = named(["red silk scarf", "blue silk scarf", "old oak table"], terms=3)
    grown = tokenizer(terms=3).extend(fitted, shop(["yellow silk scarves"]), Context())
    assert [grown.tokens(item) for item in range(3)] == [fitted.tokens(item) for item in range(3)]
    assert {"silk", "yellow"} <= set(grown.tokens(3))
    assert grown.tokens(3)[0] in fitted.vocabulary


def test_new_items_are_told_apart_from_old_ones():
    fitted = named(["red silk scarf", "blue silk scarf", "old oak table"], terms=3)
    lines = {}
    context = Context(log=lambda event, **values: lines.update({event: values}))
    tokens = fitted.tokens(0)
    teacher = Told(lambda *_: f"[{', '.join(tokens)}]")
    grown = tokenizer(terms=3, teacher=teacher, unique="replace-last").extend(
        fitted, shop(["red silk scarf fringed"]), context
    )
    assert grown.tokens(3) == (*tokens[:2], "fringed")


def test_identifiers_of_another_length_or_maker_cannot_be_extended():
    fitted = named(["red silk scarf", "old oak table"], terms=2)
    with pytest.raises(GenrecError, match="`terms: 3` did not make these"):
        tokenizer(terms=3).extend(fitted, shop(["a b c"]), Context())
    with pytest.raises(GenrecError, match="did not make these"):
        tokenizer().extend(toy.toy_identifiers(), shop(["a b c"]), Context())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"separator": "-"}, "blank or a comma"),
        ({"prompt": "examples"}, "is no model"),
        ({"terms": 0}, "greater"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options, complaint):
    with pytest.raises(ValidationError, match=complaint):
        tokenizer(**options)


@pytest.mark.parametrize("separator", [", ", " "])
def test_a_constrained_decoder_writes_every_identifier_and_no_other(separator):
    from genrec_core import ItemRef, Sample, Text
    from genrec_core.builtin.tiny_backbones import TinyCausal
    from genrec_core.engine import Decoder, DecoderSettings

    items = toy.toy_items()
    ids = tokenizer(terms=3, separator=separator).fit(items, NOBODY, Context())
    catalogue = Catalogue(items, ids)
    model = TinyCausal(hidden=16, layers=1, heads=2, vocabulary=300).build(catalogue, Context())
    decoder = Decoder(model, catalogue, DecoderSettings(beams=30, search="exhaustive"))
    sample = Sample((Text("Next: "), ItemRef(0, learn=True, turn="assistant")), target=0)
    (found,) = decoder.candidates([sample])
    assert Counter(beam.tokens for beam in found.beams) == Counter(ids.distinct())


class Continues(Teacher):
    """Writes on behind the bracket, too short a list the first time."""

    seeded = False

    def __init__(self):
        super().__init__()
        self.asked = []

    def complete(self, chats, context):
        self.asked += [chat[0].text for chat in chats]
        return [
            " tent, red, dome, dome] more" if len(self.asked) > len(chats) else "tent, tent" for _ in chats
        ]


def test_small_models_are_shown_examples_and_their_answer_begins_behind_the_bracket():
    teacher = Continues()
    ids = named(["red tent", "blue tent"], teacher=teacher, terms=3, prompt="examples", context=False)
    assert ids.text(0) == "tent, red, dome"
    first, again = teacher.asked[0], teacher.asked[2]
    assert first.count("Item: ") == 4
    assert first.endswith("Item: red tent\nWords: [")
    assert again.endswith("Item: red tent\nWords: [")
    assert first != again
    assert sorted(first.split("\n\n")) == sorted(again.split("\n\n"))


def test_with_context_the_examples_are_the_neighbours_the_nearest_last():
    titles = ["red silk scarf", "blue silk scarf", "green silk scarf thin", "oak table"]
    teacher = Continues()
    named(titles, teacher=teacher, terms=3, prompt="examples", neighbours=2)
    drafts = named(titles, terms=3, neighbours=2)
    assert teacher.asked[0] == (
        f"Item: green silk scarf thin\nWords: [{drafts.text(2)}]\n\n"
        f"Item: blue silk scarf\nWords: [{drafts.text(1)}]\n\n"
        "Item: red silk scarf\nWords: ["
    )


def test_a_bad_server_loses_nothing_and_is_asked_nothing_twice(tmp_path):
    """Terms over HTTP: failures, stalls, rate limits, nonsense; a run that breaks off, and two more."""
    titles = [
        f"{colour} {thing}" for colour in ("red", "blue", "green") for thing in ("tent", "lamp", "rope")
    ]
    model = Extractive()
    troubles = [
        Trouble(status=500),
        Trouble(status=429, headers={"Retry-After": "0.05"}),
        Trouble(stall=30.0),
        Trouble(drop=True),
    ]

    def answer(texts, tried):
        title = title_in([Message("user", texts[0])])
        if tried == 0 and len(texts) == 1:
            return troubles[titles.index(title) % len(troubles)]
        if len(texts) == 1 and title.endswith("lamp"):
            return "I would say lamp."
        return model.complete([(Message("user", texts[0]),)], Context())[0]

    def run(respond):
        with StubServer(respond) as server:
            teacher = OpenAIServer(
                model="m", base_url=server.url, pause=0.001, timeout=0.5, concurrency=3, retries=3
            )
            with AnswerStore(tmp_path) as answers:
                context = Context(
                    asker=answers.ask, log=lambda event, **values: lines.append((event, values))
                )
                try:
                    ids = tokenizer(teacher=teacher, terms=2, neighbours=2).fit(shop(titles), NOBODY, context)
                except StageError:
                    return server, None
                return server, ids

    def breaking(texts, tried):
        refused = title_in([Message("user", texts[0])]) == "blue lamp"
        return Trouble(status=400) if refused else answer(texts, tried)

    lines = []
    first, nothing = run(breaking)
    second, ids = run(answer)
    third, same = run(lambda texts, tried: Trouble(status=500))
    assert nothing is None
    assert len(ids) == len(titles)
    assert set(ids.lengths) == {2}
    assert not set(first.answered) & set(second.asked)
    assert max((first.answered + second.answered).values()) == 1
    assert third.asked.total() == 0
    assert same.digest == ids.digest
    malformed = [values["malformed"] for event, values in lines if event == "terms-asked"]
    assert malformed == [3, 0, 3, 0], "the same answers are malformed in the second run and in the third"
