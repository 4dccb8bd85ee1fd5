"""singer/tasks: which tasks each stage sees, and that both stages ask the same."""

from collections import Counter

import pytest
from genrec_plugin_singer.tasks import Tasks
from pydantic import ValidationError

from genrec_core import Context
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
    return list(Tasks(**{"stage": "sft", **options}).samples(view, CATALOGUE, Context()))


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
        Tasks(stage="sft", wordings=wordings)
