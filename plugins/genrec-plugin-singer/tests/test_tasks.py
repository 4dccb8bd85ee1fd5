"""singer/tasks: which tasks each stage sees, and that both stages ask the same."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from genrec_plugin_singer.tasks import SINGERTasks
from pydantic import ValidationError

from genrec_core import Context, History, ItemRef, View
from genrec_core.contracts.dataset import Sequences
from genrec_core.testing.toy import toy_catalogue, toy_views

VIEWS, CATALOGUE = toy_views(), toy_catalogue()
SEMANTIC = "next identifier from identifier"
EXAMPLES, ITEMS = len(VIEWS.train), len(CATALOGUE.items)
ALL = {
    SEMANTIC: EXAMPLES,
    "next identifier from title": EXAMPLES,
    "next title from identifier": EXAMPLES,
    "title to identifier": ITEMS,
    "identifier to title": ITEMS,
    "description to identifier": ITEMS,
}


def samples(view=VIEWS.train, **options):
    return list(SINGERTasks(**{"stage": "sft", **options}).samples(view, CATALOGUE, Context()))


def tasks(**options):
    return dict(Counter(sample.task for sample in samples(**options)))


def test_a_stage_with_alignment_trains_on_all_six_tasks():
    assert tasks() == ALL


@pytest.mark.parametrize("align", ["none", "sft", "rl", "both"])
def test_align_says_in_which_stages_alignment_takes_part(align):
    for stage in ("sft", "rl"):
        expected = ALL if align in (stage, "both") else {SEMANTIC: EXAMPLES}
        assert tasks(stage=stage, align=align) == expected


def test_both_stages_ask_the_same():
    assert samples(stage="sft") == samples(stage="rl")


def test_validation_rows_give_the_semantic_task_alone():
    assert {sample.task for sample in samples(VIEWS.valid)} == {SEMANTIC}
    assert len(samples(VIEWS.valid)) == len(VIEWS.valid)


def test_a_share_takes_a_part_of_its_alignment_task_and_all_of_the_others():
    shares = {"title-to-sid": 0.5, "sids-to-title": 0.1}
    counts = tasks(shares=shares)
    assert 0 < counts.pop("title to identifier") < ITEMS
    assert 0 < counts.pop("next title from identifier") < EXAMPLES / 3
    assert counts == {name: ALL[name] for name in counts}
    assert samples(shares=shares) == samples(shares=shares)


def test_tasks_can_be_left_out_and_worded_anew():
    found = samples(alignment=["title-to-sid"], wordings={"title-to-sid": ["{item} is "]})
    assert {sample.task for sample in found} == {SEMANTIC, "title to identifier"}
    assert found[-1].segments[-2].text == " is "


@pytest.mark.parametrize("wordings", [{"semantic": ["{item}"]}, {"title-to-sid": []}, {"chat": ["{item}"]}])
def test_wordings_that_fit_no_task_are_refused(wordings):
    with pytest.raises(ValidationError, match="wordings"):
        SINGERTasks(stage="sft", wordings=wordings)


HISTORY_OF_ITEMS = "The user has interacted with items {} in chronological order. Can you predict the {}?"


@pytest.mark.parametrize(
    ("task", "prompt"),
    [
        (SEMANTIC, HISTORY_OF_ITEMS.format("{sid0}, {sid1}", "next possible item that the user may expect")),
        (
            "next identifier from title",
            HISTORY_OF_ITEMS.format("'{title0}', '{title1}'", "next possible item that the user may expect"),
        ),
        (
            "next title from identifier",
            HISTORY_OF_ITEMS.format("'{sid0}', '{sid1}'", "title of the next item that the user may expect"),
        ),
        ("identifier to title", "What is the title of {sid0}?"),
        ("title to identifier", "Which item has the title {title0}?"),
        (
            "description to identifier",
            "An item can be described as follows: {description0} Which item is it describing?",
        ),
    ],
)
@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_the_prompts_of_paper_yaml_are_those_of_figures_five_to_ten(stage, task, prompt):
    written = yaml.safe_load((Path(__file__).parents[1] / "paper.yaml").read_text())
    options = written["train"][stage]["corpora"][0]
    assert options.pop("use") == "singer/tasks"
    view = View("train", ("u",), Sequences.of([[0, 1, 2]]), None, 10)
    found = SINGERTasks(**options).samples(view, CATALOGUE, Context())
    shown = next(one for one in found if one.task == task and _history(one) in ([], [0, 1]))
    names = {
        f"{name}{item}": CATALOGUE.write(item, form)
        for item in (0, 1)
        for name, form in (("sid", "identifier"), ("title", "title"), ("description", "description"))
    }
    assert _asked(shown) == prompt.format(**names)


def test_a_quote_may_be_a_brace_and_the_separator_is_written_between_quotes():
    written = {"quotes": {"semantic": "{"}, "separator": "|", "wordings": {"semantic": ["<{history}>"]}}
    found = samples(**written, align="none")
    one = next(sample for sample in found if len(_history(sample)) == 2)
    first, second = (CATALOGUE.write(item, "identifier") for item in _history(one))
    assert _asked(one) == f"<{{{first}{{|{{{second}{{>"


def _history(sample):
    return [item for part in sample.segments if isinstance(part, History) for item in part.items]


def _asked(sample):
    """A sample's question, as the renderer writes it."""
    written = ""
    for part in sample.segments:
        if isinstance(part, History):
            written += part.separator.join(CATALOGUE.write(item, part.form) for item in part.items)
        elif isinstance(part, ItemRef):
            written += "" if part.learn else CATALOGUE.write(part.item, part.form)
        else:
            written += part.text
    return written
