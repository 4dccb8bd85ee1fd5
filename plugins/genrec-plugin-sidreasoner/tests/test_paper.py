"""The paper's worked examples: rewards, advantages, tasks, loss masks, quantisation, the split."""

import dataclasses
import json

import numpy as np
import pytest
from genrec_plugin_sid.residual import encode
from genrec_plugin_sidreasoner.general import General
from genrec_plugin_sidreasoner.item_enrichment import ItemEnrichment
from genrec_plugin_sidreasoner.reasoning import ReasonedItem, ReasoningActivation
from genrec_plugin_sidreasoner.reward import Stepwise
from genrec_plugin_sidreasoner.tasks import TASKS, SIDTasks
from genrec_plugin_sidreasoner.templates import Templates
from genrec_plugin_sidreasoner.user_enrichment import UserEnrichment

from genrec_core import Catalogue, Context, Group, Identifiers, ItemRef, Items, Request, Rollout, Sample, Text
from genrec_core.builtin.temporal import Temporal
from genrec_core.builtin.think import Think
from genrec_core.contracts.dataset import Dataset, Sequences
from genrec_core.engine import Renderer
from genrec_core.engine.rl.policy import Policy
from genrec_core.engine.rl.rewards import advantages
from genrec_core.testing.sessions import ask

NAMES = [(1, 2, 3), (1, 2, 4), (1, 5, 6), (7, 2, 3)]


def sid(*codes):
    """A SID's tokens."""
    return tuple(f"<{level}_{code}>" for level, code in zip("abcd", codes, strict=False))


@pytest.fixture(scope="module")
def four():
    """The catalogue of the sheet's checks."""
    items = Items(tuple("wxyz"), {"title": ["first thing", "second thing", "third thing", "fourth thing"]})
    tokens = [f"<{level}_{code}>" for level in "abcd" for code in range(10)]
    return Catalogue(items, Identifiers.of([sid(*one) for one in NAMES], new_tokens=tokens))


def scores(rollouts, catalogue, **options):
    """What a group of rollouts is worth when item `w`, (1, 2, 3), was bought."""
    sample = Sample((Text("?"), ItemRef(0, learn=True)), target=0)
    group = Group(sample, sid(1, 2, 3), tuple(rollouts))
    return list(Stepwise(**options).score(group, catalogue, Context()))


def test_rewards_of_three_levels(four):
    answers = [(1, 2, 3), (1, 2, 4), (1, 5, 6), (7, 2, 3), (1, 2, 9), (1, 2), ()]
    found = scores([Rollout(sid(*one), "", 0.0) for one in answers], four)
    assert found == pytest.approx([1.1, 0.6, 0.35, 0.1, 0.5, 0.0, 0.0])
    assert scores([Rollout(sid(1, 2, 3), "", 0.0)], four, alpha=0.0) == [1.0]


def test_a_thought_without_an_end_is_worth_its_answer_or_nothing(four):
    cut = [Rollout(sid(1, 2, 3), "", 0.0, thought_tokens=40, closed=False)]
    assert scores(cut, four) == pytest.approx([1.1])
    assert scores(cut, four, unclosed="nothing") == [0.0]


def test_thoughts_that_are_too_short_have_no_format(four):
    rollouts = [Rollout(sid(1, 2, 3), "", 0.0, thought_tokens=length) for length in (0, 4, 5)]
    assert scores(rollouts, four) == pytest.approx([1.1, 1.1, 1.1]), "the paper's reward does not care"
    assert scores(rollouts, four, least_thought=5) == pytest.approx([1.0, 1.0, 1.1])


def test_any_number_of_levels():
    items = Items(tuple("abc"), {"title": ["one", "two", "three"]})
    rows = [sid(1, 2, 3, 4), sid(1, 2, 3, 5), sid(1, 2)]
    catalogue = Catalogue(
        items, Identifiers.of(rows, new_tokens=sorted({one for row in rows for one in row}))
    )
    sample = Sample((Text("?"), ItemRef(0, learn=True)), target=0)
    group = Group(sample, rows[0], tuple(Rollout(row, "", 0.0) for row in rows))
    assert list(Stepwise().score(group, catalogue, Context())) == pytest.approx([1.1, 0.6, 0.35])


def test_an_answer_is_read_by_its_token_ids_whatever_follows_it(four, model_of):
    policy = Policy(model_of(four), four, "full", 1.0, 4096)
    ids = policy.model.token_ids(sid(1, 2, 3))
    behind = policy.model.tokenise([", because " * 25])[0]
    for trailing, expected in (("ignore", sid(1, 2, 3)), ("refuse", ())):
        read = policy.read([*ids, *behind], "identifier", trailing)
        assert read == expected
    unknown = policy.model.token_ids(sid(1, 2, 9))
    read = policy.read(unknown, "identifier")
    assert scores([Rollout(read, "", 0.0)], four) == [0.5], "right as far as it goes, but no item"


@pytest.fixture
def model_of():
    """Builds a tiny model for a catalogue."""
    from genrec_core.builtin.tiny_backbones import TinyCausal

    def build(catalogue, seed=1):
        shape = {"hidden": 32, "layers": 1, "heads": 2, "intermediate": 48, "vocabulary": 300}
        return TinyCausal(**shape, device="cpu").build(catalogue, Context(seed=seed))

    return build


def test_advantages_by_both_deviations():
    rewards = [1.1, 0.6, 0.35, 0.1]
    assert advantages(rewards, "population") == pytest.approx([1.521, 0.169, -0.507, -1.183], abs=1e-3)
    assert advantages(rewards, "sample") == pytest.approx([1.317, 0.146, -0.439, -1.025], abs=1e-3)
    assert advantages([0.35] * 4) == [0.0] * 4


def learnt(sample):
    """What of a sample is learnt, by segment."""
    return [segment for segment in sample.segments if segment.learn]


def test_six_tasks_two_of_enrichment_and_general_data(catalogue, views):
    samples = list(SIDTasks().samples(views.train, catalogue, Context()))
    assert {sample.task for sample in samples} == set(TASKS)
    for sample in samples:
        (answer,) = learnt(sample)
        assert answer.form == ("title" if sample.task.endswith("title") else "identifier")
    examples = len(views.train)
    counts = {task: sum(sample.task == task for sample in samples) for task in TASKS}
    assert counts == {task: 24 if task in ("title-to-sid", "sid-to-title") else examples for task in TASKS}
    others = {
        sample.task
        for corpus in (
            ItemEnrichment(teacher=Templates()),
            UserEnrichment(teacher=Templates()),
            General(count=20),
        )
        for sample in corpus.samples(views.train, catalogue, Context())
    }
    assert others == {"item-enrichment", "user-enrichment", "general"}
    assert all(
        sample.task == "next identifier from identifier"
        for sample in SIDTasks().samples(views.valid, catalogue, Context())
    )


def test_shares_and_weights_of_tasks(catalogue, views):
    options = {
        "shares": {"sid-to-title": 0.5},
        "loss_weights": {"title-to-sid": 2.5},
        "tasks": ["sid-to-title", "title-to-sid"],
    }
    samples = list(SIDTasks(**options).samples(views.train, catalogue, Context(seed=1)))
    assert 5 <= sum(sample.task == "sid-to-title" for sample in samples) <= 19
    assert {sample.weight for sample in samples if sample.task == "title-to-sid"} == {2.5}


def test_enriched_paragraphs_hold_the_sid_and_not_the_title(catalogue, views, model):
    renderer = Renderer(model, catalogue)
    samples = list(ItemEnrichment(teacher=Templates()).samples(views.train, catalogue, Context()))
    assert len(samples) == 24
    for item, sample in enumerate(samples):
        shown = model.text_tokenizer.decode(renderer.rendered(sample).ids)
        assert shown.count("".join(catalogue.identifiers.tokens(item))) >= 2
        assert catalogue.items.value(item, "title").lower() not in shown.lower()


def test_translation_learns_its_answer_narratives_learn_all_activation_learns_thought_and_sid(
    catalogue, views, model
):
    chat = dataclasses.replace(model, chat=True)
    chat.text_tokenizer.chat_template = "{% for m in messages %}({{ m.role }}){{ m.content }}{% endfor %}"
    renderer = Renderer(chat, catalogue)

    def parts(sample):
        rendered = renderer.rendered(sample)
        marked = [
            chat.text_tokenizer.decode(
                [token for token, kept in zip(rendered.ids, rendered.learn, strict=True) if kept is wanted]
            )
            for wanted in (False, True)
        ]
        return marked, rendered

    translation = next(s for s in SIDTasks(tasks=["title-to-sid"]).samples(views.train, catalogue, Context()))
    (_, answer), _ = parts(translation)
    assert answer == "".join(catalogue.identifiers.tokens(0)) + "<|end|>"

    story = next(iter(UserEnrichment(teacher=Templates()).samples(views.train, catalogue, Context())))
    (unlearnt, told), rendered = parts(story)
    assert unlearnt == "<|end|>", "the token that a text begins from; no turn of a chat"
    assert all(rendered.learn[1:])
    assert told.endswith("<|end|>")

    shown = next(iter(ReasoningActivation(teacher=Templates()).samples(views.train, catalogue, Context())))
    (asked, written), _ = parts(shown)
    target = "".join(catalogue.identifiers.tokens(shown.target))
    assert written.startswith("<think>\nI began with ")
    assert written.endswith(f"\n</think>\n\n{target}<|end|>")
    assert "(assistant)" in asked
    assert target not in asked


def test_activation_reinforcement_and_recommending_ask_alike(catalogue, views, model):
    renderer = Renderer(model, catalogue)
    for shown in ReasoningActivation(teacher=Templates()).samples(views.train, catalogue, Context()):
        history = next(segment.items for segment in shown.segments if hasattr(segment, "items"))
        reinforced = [
            sample
            for sample in ReasonedItem().samples(views.train, catalogue, Context())
            if sample.target == shown.target and shown.segments[1] in sample.segments
        ]
        asked = ReasonedItem().prompt(Request("u", history), catalogue, Context())
        assert reinforced
        assert renderer.prompt(shown) == renderer.prompt(reinforced[0]) == renderer.prompt(asked)


def test_what_is_recommended_exists_is_distinct_sorted_and_ignores_a_sampling_config(four, model_of):
    model = model_of(four)
    requests = [Request("u", (0, 1)), Request("v", (3,))]

    def answered():
        thinker = Think(beams=4, budget=6)
        return list(ask(thinker, {"main": model}, requests, four, ReasonedItem(), Context()))

    plain = answered()
    model.network.generation_config.update(do_sample=True, temperature=5.0, top_k=20)
    assert answered() == plain
    for answer in plain:
        tokens = [beam.tokens for beam in answer.beams]
        assert set(tokens) == {sid(*one) for one in NAMES}
        assert len(set(tokens)) == len(tokens)
        assert [beam.score for beam in answer.beams] == sorted(
            (beam.score for beam in answer.beams), reverse=True
        )


def test_residual_quantisation_by_hand():
    codebooks = tuple(np.array(book, dtype=np.float32)[:, None] for book in ([0, 10], [-1, 1]))
    vectors = np.array([9, 11, -1], dtype=np.float32)[:, None]
    assert encode(vectors, codebooks).tolist() == [[1, 0], [1, 1], [0, 0]]


def test_ten_windows_split_by_the_time_of_their_targets():
    items = Items(tuple(f"i{n}" for n in range(11)), {"title": [f"thing {n}" for n in range(11)]})
    data = Dataset(
        items,
        ("u",),
        Sequences.of([list(range(11))]),
        times=np.arange(11, dtype=np.float64),
    )
    views = Temporal(train=0.8, valid=0.1).split(data, 10)
    assert (len(views.train), len(views.valid), len(views.test)) == (8, 1, 1)
    newest = max(example.time for example in views.train.examples())
    assert newest <= min(example.time for example in views.valid.examples())


def test_facts_that_are_not_what_was_asked_for_are_told_why(catalogue):
    from genrec_plugin_sidreasoner.asking import UnusableError
    from genrec_plugin_sidreasoner.facts import read_facts

    whole = {
        "description": "A tent.",
        "use_cases": ["a"],
        "audiences": ["b"],
        "highlights": ["c"],
        "keywords": ["d"],
    }
    assert read_facts(f"Here:\n```json\n{json.dumps(whole)}\n```").keywords == ("d",)
    for changed, reason in (
        ("none", "it holds no JSON object"),
        (json.dumps({**whole, "keywords": []}), "`keywords`: tuple should have at least 1 item"),
        (json.dumps({**whole, "price": 3}), "`price`: extra inputs are not permitted"),
        (
            json.dumps({name: value for name, value in whole.items() if name != "audiences"}),
            "`audiences`: field required",
        ),
    ):
        with pytest.raises(UnusableError, match=reason):
            read_facts(changed)
