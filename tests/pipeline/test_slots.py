"""Model slots: trainers with several, tokenizers that own one, components that ask one."""

import json

import pytest

from genrec_core import Items
from genrec_core.contracts.errors import ContractError, GenrecError
from genrec_core.pipeline.add_items import add_items, preview
from genrec_core.pipeline.run_reader import open_run

TWO = "model: {main: quick/counts, other: quick/counts}"
OWNING = ("tokenizer: {use: quick/numbers, base: 4}", "tokenizer: {use: quick/owning, base: 4}")


@pytest.fixture
def changed(pipeline_file):
    def go(*changes):
        text = pipeline_file.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        pipeline_file.write_text(text)

    return go


def step(**more):
    options = "".join(f", {key}: {value}" for key, value in more.items())
    return "recommend:", f"  both: {{use: quick/both, corpora: [quick/next]{options}}}\nrecommend:"


def table(made, stage, slot="main"):
    return json.loads((made.done.folders[stage] / "models" / slot / "table.json").read_text())


def test_a_trainer_reads_all_its_slots_and_gives_back_those_it_changes(changed, load, run):
    changed(("model: quick/counts", TWO), step(**{"from": "{writer: other}"}))
    made = run()
    assert made.done.plan.entry("train.both").stage.inputs["model.writer"] == "model.other"
    assert table(made, "train.both")["read"] == 2
    last = load().wiring.last.models
    assert (last["main"].stage, last["other"].stage) == ("train.both", "model.other")
    described = load().spec.described(0)["train"]["both"]
    assert (described["from"], described["to"]) == ({"main": "main", "writer": "other"}, "main")


def test_a_tokenizer_owns_a_model_that_later_steps_read(changed, load, run):
    changed(OWNING, step())
    made = run()
    assert table(made, "tokenize") == {"named": 12}
    assert load().wiring.last.models["writer"].stage == "tokenize"
    assert made.done.plan.entry("train.both").stage.inputs["model.writer"] == "tokenize"


def test_new_items_are_named_with_the_model_that_the_tokenizer_owns(changed, run, registry, environment):
    changed(OWNING)
    made = run()
    new = Items(("n1", "n2"), {"title": ["New one", "New two"]})
    opened = open_run(made.folder, registry)
    assert len(preview(opened, new).items) == 14
    grown = add_items(opened, new, environment)
    again = open_run(grown.folder, registry)
    assert again.model("writer").network == {"named": 12}
    assert len(preview(again, Items(("n3",), {"title": ["Third"]})).items) == 15


def test_a_component_asks_a_slot_as_it_stands_before_its_stage(changed, run):
    changed(("model: quick/counts", TWO), step(**{"from": "{writer: other}", "asks": "main"}))
    made = run()
    assert made.done.plan.entry("train.both").stage.inputs["slot.main"] == "train.count"
    assert table(made, "train.both")["asked"] == len(table(made, "train.count"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ([step()], "no model is in the slot `writer` here"),
        ([("model: quick/counts", TWO), step(**{"from": "other"})], "and one name is given"),
        (
            [("model: quick/counts", TWO), step(**{"from": "{writer: other, reader: main}"})],
            "trainer `quick/both` has no model slot `reader` here",
        ),
        (
            [OWNING, step(asks="nobody")],
            "a component here asks the model in the slot `nobody`, which is empty",
        ),
        (
            [OWNING, ("model: quick/counts", "model: {main: quick/counts, writer: quick/counts}")],
            "the slot `writer` belongs to the tokenizer `quick/owning`",
        ),
        (
            [
                (
                    "recommend: {use: quick/follow}",
                    "recommend: {use: quick/follow, prompts: {other: quick/next}}",
                )
            ],
            "recommender `quick/follow` has no model slot `other`",
        ),
    ],
)
def test_slots_that_cannot_work_are_refused_before_anything_runs(changed, load, changes, message):
    changed(*changes)
    with pytest.raises(GenrecError, match=message) as found:
        load()
    assert "pipeline.yaml:" in str(found.value)


def test_models_that_were_not_promised_are_refused(changed, run):
    changed(OWNING, step(gives="[main, writer]"))
    with pytest.raises(ContractError, match="gave back the models `main`, `writer`, not `main`"):
        run()


def test_a_tokenizer_that_keeps_its_model_back_is_refused(changed, run):
    changed((OWNING[0], "tokenizer: {use: quick/owning, keep: true}"))
    with pytest.raises(ContractError, match="has the model slot `writer` and gave no model"):
        run()


def test_identifiers_meet_the_vocabulary_of_every_slot_and_the_last_one_hands_them_on(changed, run):
    changed(("model: quick/counts", TWO))
    entry = run().done.plan.entry
    assert entry("model.main").stage.inputs["identifiers"] == "tokenize"
    assert entry("model.other").stage.inputs["identifiers"] == "model.main"
    for later in ("train.count", "recommend", "ground", "evaluate"):
        assert entry(later).stage.inputs["identifiers"] == "model.other"
