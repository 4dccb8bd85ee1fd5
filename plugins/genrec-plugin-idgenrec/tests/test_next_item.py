"""Templates, users' identifiers, and that no prompt of any stage holds the target's text."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from genrec_plugin_idgenrec.alternate import Alternate
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.next_item import WordedNextItem
from genrec_plugin_idgenrec.templates import TEMPLATES
from genrec_plugin_idgenrec.textual import Textual

from genrec_core import Catalogue, Context, GenrecError, Items, Request, Sequences, Training, View
from genrec_core.engine import Model, Renderer

ALL, WORD = [0, 4, 8, 12, 16], "zyzzyva"


def view(name, rows, targets=None):
    users = tuple(f"u{n}" for n in range(len(rows)))
    return View(name, users, Sequences.of(rows), None if targets is None else np.array(targets, np.int32), 20)


VIEWS = {
    "train": view("train", [ALL[:3]]),
    "valid": view("valid", [ALL[:3]], [ALL[3]]),
    "test": view("test", [ALL[:4]], [ALL[4]]),
}


@pytest.fixture
def catalogue(items, named):
    return Catalogue(items, named.identifiers)


@pytest.fixture
def context(named):
    return Context(seed=2, models={"generator": named.model})


def prompts(corpus, view, catalogue, context, model):
    renderer = Renderer(model, catalogue)
    return [renderer.prompt_text(sample) for sample in corpus.samples(view, catalogue, context)]


def test_there_are_ten_templates_and_no_two_read_alike():
    assert len(TEMPLATES) == 10
    for pieces in zip(*TEMPLATES, strict=True):
        assert len(set(pieces)) == 10
    assert all(t.user.count("{user}") == t.history.count("{history}") == 1 for t in TEMPLATES)


def test_training_draws_templates_and_judging_asks_by_one(catalogue, context, named):
    rows = [[n % 24, (n + 1) % 24, (n + 2) % 24] for n in range(40)]
    train, model = view("train", rows), Model.of(named.model)
    asked = prompts(WordedNextItem(), train, catalogue, context, model)
    used = {
        next(n for n, t in enumerate(TEMPLATES) if text.removesuffix("<|end|>").endswith(t.ask))
        for text in asked
    }
    assert used == set(range(10))
    assert asked == prompts(WordedNextItem(), train, catalogue, context, model)
    one = prompts(WordedNextItem(fixed=4), train, catalogue, context, model)
    assert all("Suggest the next: " in text for text in one)
    judged = prompts(WordedNextItem(judged_by=3), VIEWS["valid"], catalogue, context, model)
    assert judged == [
        "Record: red tent alder; red lamp birch; red rope cedar. Continue the record with one item: <|end|>"
    ]
    thrice = list(WordedNextItem(draws=3).samples(VIEWS["train"], catalogue, context))
    assert len(thrice) == 6
    assert len({sample.segments[-2] for sample in thrice[:3]}) == 3


def test_ablations_show_items_users_or_both(catalogue, context, named):
    model = Model.of(named.model)
    shown = {
        ids: prompts(WordedNextItem(ids=ids), VIEWS["test"], catalogue, context, model)[0]
        for ids in ("items", "users", "both")
    }
    assert shown["items"].startswith("Chosen so far: red tent alder; red lamp birch")
    assert shown["users"].startswith("Shopper: ")
    assert "Chosen so far" not in shown["users"]
    assert shown["both"] == shown["users"].replace(
        "What comes", shown["items"].split("What")[0] + "What comes"
    )
    with pytest.raises(GenrecError, match=r"names users with the model in the slot `generator`"):
        list(WordedNextItem(ids="both").samples(VIEWS["test"], catalogue, Context()))
    assert WordedNextItem(ids="items").model_slots() == ()
    assert WordedNextItem(ids="both", generator="phi").model_slots() == ("phi",)


@pytest.mark.parametrize("ids", ["items", "users", "both"])
def test_a_request_is_asked_as_its_row_was_trained(ids, catalogue, context, named):
    corpus, renderer = WordedNextItem(ids=ids), Renderer(Model.of(named.model), catalogue)
    (sample,) = corpus.samples(VIEWS["test"], catalogue, context)
    request = Request("somebody", tuple(ALL[:4]))
    assert renderer.prompt(corpus.prompt(request, catalogue, context)) == renderer.prompt(sample)
    empty = corpus.prompt(Request("nobody", ()), catalogue, context)
    assert renderer.prompt_text(empty).endswith("What comes next? <|end|>")


def test_a_user_is_named_by_what_stands_before_each_cut_off(catalogue, context, monkeypatch):
    # IDGenRec check 7: of 1 to 5, the test reads 1 to 4, training at most the items before each target.
    read = []

    def profiles(self, histories):
        read.extend(histories)
        return ["somebody"] * len(histories)

    monkeypatch.setattr(Generator, "profiles", profiles)
    for name in ("train", "valid", "test"):
        list(WordedNextItem(ids="both").samples(VIEWS[name], catalogue, context))
    assert read == [(0,), (0, 4), (0, 4, 8), (0, 4, 8, 12)]
    list(WordedNextItem(ids="users", user_items=2).samples(VIEWS["test"], catalogue, context))
    assert read[-1] == (8, 12)


def test_no_prompt_of_any_stage_holds_the_target_s_text(items, seq2seq, taught, monkeypatch):
    # IDGenRec check 7: a unique word in the last item's text, through tokenizer, training and requests.
    target, read, marked = ALL[4], [], {}
    for field, values in items.fields.items():
        marked[field] = [f"{WORD} {value}" if item == target else value for item, value in enumerate(values)]
    canary, plain = Items(items.ids, marked), Renderer.prompt

    def prompt(self, sample):
        ids = plain(self, sample)
        text = self.model.text_tokenizer.decode(ids)
        read.append(
            (sample.task, tuple(part.item for part in sample.segments if hasattr(part, "item")), text)
        )
        return ids

    monkeypatch.setattr(Renderer, "prompt", prompt)
    fitted = Textual(generator=seq2seq, teach=taught).fit(canary, VIEWS["train"], Context(seed=3))
    catalogue = Catalogue(canary, fitted.identifiers)
    main = Model.of(seq2seq.build(catalogue, Context(seed=1)))
    corpus = WordedNextItem(ids="both")
    trainer = Alternate(corpora=[corpus], rounds=1, epochs=1, id_generator={"max_steps": 1}, patience=None)
    both = {"main": main, "generator": fitted.model}
    training = Training(VIEWS["train"], VIEWS["valid"])
    trained = trainer.train(both, catalogue, training, Context(seed=1))
    final = Catalogue(canary, trained.identifiers)
    lent = Context(seed=1, models={"generator": trained.models["generator"]})
    renderer = Renderer(Model.of(trained.models["main"]), final)
    asked = [renderer.prompt(corpus.prompt(Request("u0", tuple(ALL[:4])), final, lent))]
    for view_, cat in itertools.product(VIEWS.values(), (catalogue, final)):
        asked += [renderer.prompt(sample) for sample in corpus.samples(view_, cat, lent)]
    # The generator reads each item's own text to name that item, and no other prompt may hold it.
    others = [entry for entry in read if not (entry[0] == "identify" and entry[1] == (target,))]
    assert len(others) > 40
    assert {task for task, _, _ in others} >= {"identify", "profile", "next-item"}
    assert not [text for _, _, text in others if WORD in text]
    named = final.identifiers.text(target)
    assert not [ids for ids in asked if named in main.text_tokenizer.decode(ids)]
