"""Messages name the section that says more, and `genrec explain-error` prints it."""

from __future__ import annotations

import pytest

from genrec_core.cli.explanations import explained_by, explanations
from genrec_core.contracts.errors import ContractError, DataError, GenrecError, PluginError, StageError


@pytest.mark.parametrize(
    ("arguments", "section"),
    [
        (["recommend", "nowhere", "--history", "i1"], "not-a-run"),
        (["check", "pipeline.yaml", "--set", "recommend.beems=3"], "unknown-option"),
        (["check", "broken.yaml"], "yaml"),
        (["show", "core/beem"], "unknown-component"),
        (["data", "import", "empty.csv", "--out", "shop"], "data"),
    ],
)
def test_a_message_ends_with_a_section_that_can_be_printed(genrec, tmp_path, arguments, section):
    (tmp_path / "broken.yaml").write_text("data: [")
    (tmp_path / "empty.csv").write_text("user_id,item_id\n")
    shown = genrec(*arguments)
    assert shown.code == 2
    assert shown.err.splitlines()[-1] == f"  more: genrec explain-error {section}", shown.err
    more = genrec("explain-error", section)
    assert (more.code, more.out) == (0, f"{section}\n\n{explanations()[section].text}\n")


def test_a_message_that_says_it_all_names_no_section(genrec):
    shown = genrec("store", "--store", "elsewhere")
    assert (shown.code, "more:" in shown.err) == (2, False)


def test_what_no_words_explain_is_explained_by_its_kind():
    kinds = {DataError: "data", PluginError: "plugin", StageError: "stage-failed", ContractError: "contract"}
    for kind, section in kinds.items():
        assert explained_by(kind("zzz")) == [section]
    assert explained_by(GenrecError("zzz")) == []
    assert explained_by(DataError("row has no `item_id`")) == ["missing-value"]


def test_words_of_a_message_lead_to_its_section(genrec):
    shown = genrec("explain-error", "shop.csv:3: row has no `item_id`")
    assert (shown.code, shown.out.splitlines()[0]) == (0, "missing-value")
    unknown = genrec("explain-error", "missing-valeu")
    assert (unknown.code, "did you mean `missing-value`?" in unknown.err) == (2, True)
    assert len(genrec("explain-error").out.splitlines()) == len(explanations())
