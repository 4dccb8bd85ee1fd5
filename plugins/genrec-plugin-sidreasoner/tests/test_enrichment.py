"""Chains of two calls: what each is shown, what is refused, what is kept, and what they never tell."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from genrec_contrib_teachers.stub_server import StubServer, Trouble
from genrec_plugin_sidreasoner.asking import UnusableError
from genrec_plugin_sidreasoner.item_enrichment import ItemEnrichment
from genrec_plugin_sidreasoner.marks import names_in, segments_of
from genrec_plugin_sidreasoner.questions import asked_about, monologue_question
from genrec_plugin_sidreasoner.reasoning import ReasoningActivation
from genrec_plugin_sidreasoner.templates import Templates
from genrec_plugin_sidreasoner.thought_text import refuse_tags, spells
from genrec_plugin_sidreasoner.user_enrichment import UserEnrichment

from genrec_core import Catalogue, Context, ItemRef, Items, Message, StageError, Text
from genrec_core.data.canary import found, with_canary
from genrec_core.testing.stub_teacher import StubTeacher

FACTS = {
    "description": "It lights up.",
    "use_cases": ["reading late"],
    "audiences": ["night owls"],
    "highlights": ["bright"],
    "keywords": ["light"],
}


def whole(chat):
    """All texts of a chat."""
    return "\n".join(message.text for message in chat)


def asked(teacher, task):
    """The chats of one question that a stub was asked."""
    return [chat for chat in teacher.asked if (asked_about(chat[:2]) or ("",))[0] == task]


def test_marks_become_items():
    assert segments_of("From [[1]] to [[2]].", {"1": 17, "2": 4}) == (
        Text("From ", learn=True),
        ItemRef(17, learn=True),
        Text(" to ", learn=True),
        ItemRef(4, learn=True),
        Text(".", learn=True),
    )
    assert names_in("[[item]][[12]] [3] [[]]") == ["item", "12", ""]
    with pytest.raises(KeyError):
        segments_of("[[3]]", {"1": 17})


def test_an_items_second_call_holds_what_the_first_gave(catalogue, views):
    paragraph = "[[item]] is a bright light. Night owls read by [[item]]."
    teacher = StubTeacher(answers={"PRODUCT FACTS": json.dumps(FACTS), "PRODUCT PARAGRAPH": paragraph})
    samples = list(ItemEnrichment(teacher=teacher, most=3).samples(views.train, catalogue, Context()))
    assert len(samples) == 3
    assert len(asked(teacher, "PRODUCT FACTS")) == len(asked(teacher, "PRODUCT PARAGRAPH")) == 3
    for chat in asked(teacher, "PRODUCT PARAGRAPH"):
        assert json.loads(asked_about(chat)[1]) == FACTS
    assert samples[0].segments[1:] == segments_of(paragraph, {"item": samples[0].segments[0].item})[1:]


def test_a_users_second_call_holds_the_monologue_and_no_call_tells_the_target(catalogue, views):
    monologue = "I like what glows, and lately what is soft."
    teacher = StubTeacher(answers={"CUSTOMER MONOLOGUE": monologue}, prefix="")
    corpus = UserEnrichment(teacher=teacher, unusable="skip", retries=0, fields=["title", "tags"])
    list(corpus.samples(views.train, catalogue, Context()))
    first, second = asked(teacher, "CUSTOMER MONOLOGUE"), asked(teacher, "CUSTOMER STORY")
    examples = list(views.train.examples(newest=1))
    assert len(first) == len(second) == len(examples) == 20
    for example, before, after in zip(examples, first, second, strict=True):
        title = catalogue.items.value(example.target, "title")
        assert monologue in whole(after)
        for chat in (before, after):
            assert title.lower() not in whole(chat).lower()
            assert "".join(catalogue.identifiers.tokens(example.target)) not in whole(chat)
        for item in example.history:
            assert catalogue.items.value(item, "title") in whole(before)


def test_a_canary_in_the_targets_fields_is_in_no_call_no_story_and_no_prompt(catalogue, views):
    for number, example in enumerate(list(views.train.examples(newest=1))[:5]):
        marked, word = with_canary(catalogue.items, [example.target])
        shop = Catalogue(marked, catalogue.identifiers)
        teacher = StubTeacher(answers={"CUSTOMER MONOLOGUE": "I like light things."})
        options = {"teacher": teacher, "unusable": "skip", "retries": 0, "fields": shop.items.text_fields}
        list(UserEnrichment(**options).samples(views.train, shop, Context()))
        own = [asked(teacher, task)[number] for task in ("CUSTOMER MONOLOGUE", "CUSTOMER STORY")]
        assert found(word, map(whole, own)) == []
        shown = {"teacher": Templates(), "fields": ["title", "tags"]}
        for corpus in (UserEnrichment(**shown), ReasoningActivation(**shown)):
            sample = list(corpus.samples(views.train, shop, Context()))[number]
            texts = [segment.text for segment in sample.segments if isinstance(segment, Text)]
            assert found(word, texts) == []


def test_a_history_that_holds_the_target_may_be_left_out(catalogue, views):
    from genrec_core.contracts.dataset import Sequences
    from genrec_core.contracts.views import View

    rows = Sequences.of([[3, 7, 3], [1, 2, 5]])
    view = View("train", ("a", "b"), rows, None, 10)
    teacher = StubTeacher(answers={"CUSTOMER MONOLOGUE": "I like light things."})
    kept = list(ReasoningActivation(teacher=Templates()).samples(view, catalogue, Context()))
    assert [sample.target for sample in kept] == [3, 5]
    list(ReasoningActivation(teacher=teacher, repeats="skip").samples(view, catalogue, Context()))
    (chat,) = teacher.asked
    assert catalogue.items.value(1, "title") in whole(chat)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("A light thing.", r"it does not call the product [[item]]"),
        ("[[item]] beats [[2]].", "it has another mark than [[item]]"),
        ("[[item]], the Red tent.", "it writes out the product's title"),
        ("<think>[[item]]</think>", "it holds a <think> tag"),
        ("", "it is empty"),
    ],
)
def test_a_paragraph_that_cannot_be_used_is_asked_for_again_with_the_reason(catalogue, views, answer, reason):
    rules = {
        "This cannot be used": "[[item]] is fine.",
        "PRODUCT FACTS": json.dumps(FACTS),
        "PRODUCT": answer,
    }
    teacher = StubTeacher(answers=rules)
    samples = list(ItemEnrichment(teacher=teacher).samples(views.train, catalogue, Context()))
    assert len(samples) == 24
    complaints = {chat[-1].text for chat in teacher.asked if len(chat) == 4}
    assert complaints == {f"This cannot be used: {reason}. Answer once more, following every rule above."}


def test_what_stays_unusable_is_refused_or_left_out_and_counted(catalogue, views, log):
    teacher = StubTeacher(answers={"PRODUCT FACTS": "no idea"})
    with pytest.raises(
        StageError, match=r"gave no usable product facts for 24 of 24 .*it holds no JSON object \(24\)"
    ):
        list(ItemEnrichment(teacher=teacher).samples(views.train, catalogue, Context()))
    skipping = ItemEnrichment(teacher=teacher, unusable="skip", retries=1)
    assert list(skipping.samples(views.train, catalogue, Context(log=log))) == []
    assert [line["unusable"] for line in log.of("asked")][:2] == [24, 24]
    assert log.of("enrichment-planned")[0]["calls"] == 48


def test_stories_must_name_every_product_by_its_mark(catalogue, views):
    for answer, reason in (("[[1]]", "it leaves out [[2]]"), ("[[1]][[2]][[3]][[4]][[9]]", "no product has")):
        teacher = StubTeacher(answers={"CUSTOMER MONOLOGUE": "I like light.", "CUSTOMER STORY": answer})
        with pytest.raises(StageError) as refused:
            list(UserEnrichment(teacher=teacher, retries=0).samples(views.train, catalogue, Context()))
        assert reason in str(refused.value)


def test_tags_and_titles_are_found_whatever_their_case():
    with pytest.raises(UnusableError):
        refuse_tags("so </THINK> it ends")
    refuse_tags("I think <so>")
    assert spells("my RED\n tent leaks", "Red tent")
    assert not spells("some tape holds", "Tape"), "a title of one short word is a word like any other"


def test_new_identifiers_ask_nothing_anew(catalogue, views):
    from genrec_core.testing.toy import toy_catalogue

    chats = []
    for shop in (catalogue, toy_catalogue(mirrored=True)):
        teacher = StubTeacher(answers={"CUSTOMER MONOLOGUE": "I like light things."})
        list(ReasoningActivation(teacher=teacher).samples(views.train, shop, Context()))
        chats.append(teacher.asked)
    assert chats[0] == chats[1]


def test_the_template_teacher_answers_nothing_but_enrichment():
    with pytest.raises(StageError, match="it answers only what enrichment asks"):
        Templates().complete([(Message("user", "Hello?"),)], Context())
    (answer,) = Templates().complete(
        [monologue_question(["red tent", "tent pegs", "camping stove"])], Context()
    )
    assert answer.startswith("I began with ")
    assert "tent" in answer


def test_the_template_teacher_goes_without_words_that_are_a_products_title(catalogue, views):
    """One word of eight letters can be a whole title; asked again, it says the same without its words."""
    titles = ["Conditioner" if item % 3 else "Hairbrush of birch" for item in range(len(catalogue.items))]
    items = Items(catalogue.items.ids, {"title": titles, "tags": ["soft hair"] * len(titles)})
    shop = Catalogue(items, catalogue.identifiers)
    asked_about_items = {"teacher": Templates(), "fields": ["title", "tags"]}
    for corpus in (UserEnrichment(**asked_about_items), ItemEnrichment(**asked_about_items)):
        samples = list(corpus.samples(views.train, shop, Context()))
        texts = [
            segment.text for sample in samples for segment in sample.segments if isinstance(segment, Text)
        ]
        assert samples
        assert not any(spells(text, title) for text in texts for title in set(titles))
    assert any("hair" in text for text in texts)


PIPELINE = """\
genrec: 1
name: killed
seed: 1
data:
  source: {{use: core/synthetic, items: 240, users: 60}}
  split: {{use: core/leave-one-out}}
  max_history: 5
model: {{use: core/tiny-causal, hidden: 16, layers: 1, heads: 2}}
tokenizer: {{use: sid/rq-kmeans, encoder: core/ngrams, levels: 2, codes: [16, 16]}}
train:
  align:
    use: sidreasoner/align
    max_steps: 1
    corpora:
      - {{use: sidreasoner/tasks, tasks: [sids-to-sid], max_per_user: 1}}
      - use: sidreasoner/item-enrichment
        most: 80
        teacher: {{use: teachers/openai, model: m, base_url: "{url}", pause: 0.01, concurrency: 4}}
recommend: {{use: core/beam, beams: 5}}
evaluate: {{at: [5]}}
"""
ENOUGH = 110
"""Of 160 calls: the first ones of all chains, and some of the second ones."""


def started(folder, url, *only):
    """A process that runs the pipeline."""
    (folder / "pipeline.yaml").write_text(PIPELINE.format(url=url))
    code = "from genrec_core.cli import main; main()"
    arguments = ["run", "pipeline.yaml", *only, "--runs", "runs", "--store", "store"]
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=folder, stdout=subprocess.DEVNULL)


def test_a_kill_in_the_middle_of_enrichment_repeats_no_paid_call(tmp_path):
    def answered(texts, tried):
        chat = tuple(Message(turn, text) for turn, text in zip(("system", "user"), texts, strict=True))
        return Templates().complete([chat], Context())[0]

    def stuck_after_enough(texts, tried):
        return Trouble(stall=60.0) if first.answered.total() >= ENOUGH else answered(texts, tried)

    with StubServer(stuck_after_enough) as first:
        process = started(tmp_path, first.url)
        while process.poll() is None and len(list(tmp_path.glob("store/answers/*/*.json"))) < ENOUGH:
            time.sleep(0.02)
        process.kill()
        process.wait()
    kept = len(list(tmp_path.glob("store/answers/*/*.json")))
    with StubServer(answered) as second:
        assert started(tmp_path, second.url).wait() == 0
    assert ENOUGH <= kept < 160
    assert second.asked.total() == 160 - kept
    assert set(second.asked.values()) == {1}
    assert len(set(first.answered) & set(second.asked)) <= 4, "only what was under way may be asked again"
