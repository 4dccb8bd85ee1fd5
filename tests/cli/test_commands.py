"""The commands, as a person types them."""

from __future__ import annotations

import json

import pytest
import yaml
from pydantic import Field

from genrec_core import GenrecError, Grounder, Items, Options
from genrec_core.cli.finding import find_items
from genrec_core.cli.show import described


class Inner(Options):
    size: int = Field(3, ge=1, description="How wide.")


class Outer(Grounder):
    class Options(Grounder.Options):
        inner: Inner | None = None
        several: list[Inner] = Field([])


def test_a_run_ends_with_a_table_and_a_second_one_reuses_everything(genrec):
    shown = genrec("run", "pipeline.yaml")
    assert shown.code == 0
    for part in ("Recall@5", "popular", "95 % interval", "train.count", "report", "protocol"):
        assert part in shown.out
    assert shown.err == "", "quiet when nobody watches"
    again = json.loads(genrec("run", "pipeline.yaml", "--json").out)
    assert all(cost["reused"] for cost in again["metrics"]["cost"].values())


def test_json_is_one_document_and_nothing_else(genrec):
    shown = genrec("run", "pipeline.yaml", "--json")
    document = json.loads(shown.out)
    assert document["metrics"]["test"]["recall@5"] > 0
    assert document["run"].startswith("runs/quick/")


def test_explain_says_why_and_runs_nothing(genrec, tmp_path):
    shown = genrec("run", "pipeline.yaml", "--explain")
    assert "never ran before" in shown.out
    assert not (tmp_path / "runs").exists()
    genrec("run", "pipeline.yaml")
    stages = json.loads(
        genrec("run", "pipeline.yaml", "--set", "recommend.beams=7", "--explain", "--json").out
    )["stages"]
    reasons = {stage["stage"]: stage for stage in stages}
    assert reasons["train.count"]["why"] == "reused"
    assert (reasons["recommend"]["what"], reasons["recommend"]["new"]) == ("recommend.beams", 7)
    assert (reasons["ground"]["why"], reasons["ground"]["what"]) == ("input-changed", "recommend")


def test_seeds_report_mean_and_spread(genrec):
    shown = genrec("run", "pipeline.yaml", "--seeds", "1,2")
    assert shown.code == 0
    assert "means of 2 seeds" in shown.out
    assert "± std" in shown.out
    assert "95 % interval" in shown.out
    assert "report.html" in shown.out


def test_only_evaluate_writes_a_run_again(genrec):
    genrec("run", "pipeline.yaml")
    shown = genrec("run", "pipeline.yaml", "--only", "evaluate", "--set", "evaluate.resamples=5", "--json")
    assert shown.code == 0
    assert json.loads(shown.out)["metrics"]["settings"]["resamples"] == 5


def test_a_failed_stage_ends_with_code_1_and_the_command_that_goes_on(genrec):
    shown = genrec("run", "pipeline.yaml", "--set", "train.count.fail=value")
    assert shown.code == 1
    assert "stage `train.count` failed: ValueError: the loss exploded" in shown.err
    assert "To go on from there: genrec run pipeline.yaml --set train.count.fail=value" in shown.err
    assert "Traceback" not in shown.err


def test_ctrl_c_says_where_it_stopped_and_how_to_go_on(genrec, monkeypatch):
    from genrec_core.pipeline.stages import evaluate

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "evaluate", interrupted)
    shown = genrec("run", "pipeline.yaml")
    assert shown.code == 130
    assert "Interrupted." in shown.err
    assert "stage `evaluate`" in shown.err
    assert "genrec run pipeline.yaml" in shown.err


def test_check_says_ok_and_shows_the_stages(genrec, tmp_path):
    shown = genrec("check", "pipeline.yaml")
    assert shown.code == 0
    assert "data → embed → tokenize → model → train.count → recommend" in shown.out
    assert not (tmp_path / "store").exists()


def test_plugins_lists_what_is_there_off_and_broken(genrec, monkeypatch):
    assert "core/beam" in genrec("plugins").out
    monkeypatch.setenv("QUICK_BREAKS", "1")
    shown = genrec("plugins")
    assert "quick  (quick-plugin 1.0)  BROKEN: RuntimeError: quick is broken today" in shown.out
    states = {plugin["name"]: plugin["state"] for plugin in json.loads(genrec("plugins", "--json").out)}
    assert (states["core"], states["quick"]) == ("ok", "broken")


def test_show_tells_options_with_types_defaults_and_docs(genrec):
    shown = genrec("show", "core/exact").out
    assert "collisions: expand | first | popularity" in shown
    assert '= "expand"' in shown
    assert "What a shared identifier reaches" in shown
    assert "prices: path | null = null" in genrec("show", "quick/shop").out
    assert "corpora: list of corpus = []" in genrec("show", "quick/counting").out


def test_show_tells_what_a_block_of_options_holds():
    block, several = described("grounder", "x/outer", Outer).split("\n  inner: ")[1].split("\n  several: ")
    listed = ["      size: whole number = 3", "          How wide.", "          must be at least 1"]
    assert block.splitlines() == ["block of options | null = null", *listed]
    assert several.splitlines() == ["list of block of options = []", *listed]


@pytest.mark.parametrize("name", ["core/exact", "quick/numbers", "quick/counting", "quick/scribe"])
def test_the_schema_describes_the_block(genrec, name):
    schema = json.loads(genrec("show", name, "--schema").out)
    assert schema["properties"]["use"] == {"const": name}
    assert schema["additionalProperties"] is False


def test_doctor_examines_a_runs_identifiers(genrec):
    genrec("run", "pipeline.yaml")
    shown = genrec("doctor", "runs/quick/latest")
    assert "items that share theirs                  0 (0.0 %)" in shown.out
    assert json.loads(genrec("doctor", "runs/quick", "--json").out)["distinct"] == 12


def test_recommend_takes_ids_and_titles(genrec):
    genrec("run", "pipeline.yaml")
    shown = json.loads(
        genrec(
            "recommend", "runs/quick/latest", "--history", "i1", "--history", "thing 02", "-k", "3", "--json"
        ).out
    )
    assert [item["item"] for item in shown["history"]] == ["i1", "i2"]
    assert shown["items"][0]["item"] == "i3"
    assert shown["items"][0]["how"] == "direct"
    text = genrec("recommend", "runs/quick/latest", "--history", "i1", "-k", "9").out
    assert text.startswith("after i1 (Thing 01)\n"), "it says what was understood"
    assert "Thing 02" in text
    assert "only 5 of 9" in text


@pytest.mark.parametrize(
    ("history", "wrong", "advice"),
    [
        (["thing 1", "--titles"], "`thing 1` fits 2 items: `i10 Thing 10`, `i11 Thing 11`", "give the id"),
        (["thing 1"], "no item has the id or title `thing 1`", "did you mean `Thing 1"),
        (["hing 03"], "no item has the id or title `hing 03`", "looked up with --titles"),
        (["i99"], "no item has the id or title `i99`", "give an id, or a whole title"),
        (["i1,i99"], "no item has the id `i99`", "its own --history"),
        (["i1, i2"], "no item has the id ` i2`", "its own --history"),
        (["i1,Thing 02"], "no item has the id `Thing 02`", "its own --history"),
        ([""], "no item has the id or title ``", "give an id"),
        (["i1", "--titles"], "no item has the title `i1`", "give an id"),
    ],
)
def test_recommend_refuses_what_names_no_item_or_several(genrec, history, wrong, advice):
    genrec("run", "pipeline.yaml")
    shown = genrec("recommend", "runs/quick/latest", "--history", *history)
    assert shown.code == 2
    assert wrong in shown.err
    assert advice in shown.err


CATALOGUE = Items(
    ("1", "2", " 7", "7", "a,b", "Lamp"),
    {"title": ["Pack 1,2 litre", "Oil 17", "Blue lamp", "Red lamp", "Twin", "1"]},
)


@pytest.mark.parametrize(
    ("text", "titles", "named"),
    [
        ("1,2", False, ["1", "2"]),
        ("Pack 1,2 litre", False, ["1"]),
        ("pack 1,2 LITRE", False, ["1"]),
        (" 7", False, [" 7"]),
        ("7", False, ["7"]),
        ("a,b", False, ["a,b"]),
        ("a,b,7", False, "no item has the id `a`"),
        ("Lamp", False, ["Lamp"]),
        ("1", False, ["1"]),
        ("1", True, ["Lamp"]),
        ("17", False, "no item has the id or title `17`"),
        ("17", True, ["2"]),
        ("lamp", True, "`lamp` fits 2 items"),
        ("1,2", True, ["1"]),
    ],
)
def test_ids_are_exact_and_come_first_and_titles_only_where_no_id_is_meant(text, titles, named):
    if isinstance(named, list):
        assert [CATALOGUE.ids[item] for item in find_items(text, CATALOGUE, titles=titles)] == named
    else:
        with pytest.raises(GenrecError, match=named):
            find_items(text, CATALOGUE, titles=titles)


def test_paths_in_a_file_start_at_the_file_and_paths_in_set_at_the_shell(genrec, tmp_path):
    (tmp_path / "sub").mkdir()
    text = (tmp_path / "pipeline.yaml").read_text()
    (tmp_path / "sub" / "p.yaml").write_text(
        text.replace("quick/shop", "{use: quick/shop, prices: here.txt}")
    )
    (tmp_path / "sub" / "here.txt").write_text("1")
    (tmp_path / "there.txt").write_text("1")
    assert genrec("check", "sub/p.yaml").code == 0
    assert genrec("check", "sub/p.yaml", "--set", "data.source.prices=there.txt").code == 0
    assert genrec("check", "sub/p.yaml", "--set", "data.source.prices=here.txt").code == 2


def test_debug_shows_the_traceback(genrec, monkeypatch):
    from genrec_core.cli import main
    from genrec_core.contracts.errors import GenrecError

    with pytest.raises(GenrecError):
        main(["--debug", "run", "none.yaml"])


def test_cut_offs_that_are_not_given_are_those_that_the_beams_reach(genrec, tmp_path):
    text = (tmp_path / "pipeline.yaml").read_text().replace("at: [1, 5], ", "")
    (tmp_path / "pipeline.yaml").write_text(text)
    assert genrec("run", "pipeline.yaml", "--set", "recommend.beams=7").code == 0
    latest = tmp_path / "runs" / "quick" / "latest"
    assert json.loads((latest / "metrics.json").read_text())["settings"]["at"] == [5]
    assert yaml.safe_load((latest / "pipeline.yaml").read_text())["evaluate"]["at"] == [5]


def test_rows_that_came_out_short_are_counted_and_printed(genrec, tmp_path):
    shown = genrec("run", "pipeline.yaml", "--set", "evaluate.filter_viewed=true")
    latest = tmp_path / "runs" / "quick" / "latest"
    metrics = json.loads((latest / "metrics.json").read_text())
    short, examples = metrics["short"], metrics["counts"]["test"]["examples"]
    assert short["model"] > 0
    line = f"ows with fewer than 5 items: quick {short['model']} of {examples}"
    assert f"r{line}" in shown.out.replace("\n", " ")
    assert f"R{line}" in (latest / "report.html").read_text()


def test_a_limited_run_says_so_wherever_it_is_shown(genrec):
    shown = genrec("run", "pipeline.yaml", "--limit", "8")
    said = "tried on 8 users only (--limit): no judgement of the pipeline"
    assert (shown.code, said in shown.out) == (0, True)
    assert "quick-limit-8" in shown.out
    asked = genrec("recommend", "runs/quick-limit-8", "--history", "i0,i1")
    assert said in asked.out
    told = json.loads(genrec("recommend", "runs/quick-limit-8", "--history", "i0,i1", "--json").out)
    assert said in told["notes"]
    assert genrec("run", "pipeline.yaml").code == 0
    mixed = genrec("compare", "quick", "quick-limit-8")
    assert (mixed.code, "did not use the same data" in mixed.err) == (2, True)
