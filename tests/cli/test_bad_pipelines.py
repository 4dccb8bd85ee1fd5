"""Bad pipelines: each gives one message with the place, the value and what to do, and exit code 2."""

from __future__ import annotations

import pytest

from tests.pipeline.conftest import PIPELINE

# What is changed in the good pipeline (old → new, with § where the message must point), what the message
# must say is wrong, and what it must advise.
CASES = {
    "unknown component": ("quick/follow", "§quick/folow", "`quick/folow`", "did you mean `quick/follow`?"),
    "another kind": (
        "quick/follow",
        "§core/exact",
        "`core/exact` is a grounder, but a recommender",
        "`core/beam`?",
    ),
    "component without its plugin": ("quick/follow", "§follow", "`follow`", "`quick/follow`?"),
    "plugin not installed": ("quick/numbers", "§sidd/rq", "`sidd/rq`", "pip install genrec-plugin-sidd"),
    "component is a number": ("{use: quick/follow}", "§3", "`3` is no recommender", "{use: plugin/name"),
    "component is null": (
        "model: quick/counts",
        "model:\n  main: §~",
        "`null` is no backbone",
        "plugin/name",
    ),
    "use is missing": ("{use: quick/follow", "§{beams: 3", "does not say which one", "use: plugin/name"),
    "unknown option": ("quick/follow}", "quick/follow, §beems: 3}", "no option `beems`", "`beams`?"),
    "unknown nested option": (
        "base: 4",
        "encoder: {use: quick/lengths, §powr: 2.0}",
        "encoder `quick/lengths` has no option `powr`",
        "did you mean `power`?",
    ),
    "wrong type": ("base: 4", "base: §four", '`base` is `"four"`', "whole number"),
    "text for a number": ("base: 4", 'base: §"4"', '`base` is `"4"`', "whole number"),
    "float for an int": ("base: 4", "base: §4.5", "`base` is `4.5`", "whole number"),
    "list for a block": ("{at: [1, 5], resamples: 20}", "§[1]", "`evaluate` is `[1]`", "name: value"),
    "no such choice": ("base: 4", "policy: §paded", "`policy` cannot be `paded`", "`padded`?"),
    "zero cut-off": ("[1, 5]", "[§0, 5]", "`0`", "greater than or equal to 1"),
    "cut-off above the beams": (
        "[1, 5]",
        "§[1, 50]",
        "`at` looks at the first 50 items, and recommender `quick/follow` writes only 5 candidates",
        "write `recommend.beams: 50` or more, or leave out the cut-offs above 5",
    ),
    "no cut-offs": ("[1, 5]", "§[]", "`at` is `[]`", "at least 1 item"),
    "history of nothing": ("max_history: 3", "max_history: §0", "`max_history` is `0`", "greater than"),
    "unknown block": ("recommend:", "§recomend:", "no option `recomend`", "did you mean `recommend`?"),
    "missing block": ("genrec: 1\nname: quick\n", "§genrec: 1\n", "needs the option `name`", "add `name: …`"),
    "missing source": ("{source: quick/shop, ", "§{", "needs the option `source`", "add `source: …`"),
    "unknown format version": ("genrec: 1", "genrec: §2", "`genrec` cannot be `2`", "1"),
    "path traversal in the name": ("name: quick", "name: §../../etc", "`../../etc`", "64 letters"),
    "name that is a folder up": ("name: quick", 'name: §".."', "`..` cannot be a name", "letters"),
    "empty name": ("name: quick", 'name: §""', "cannot be a name", "letters"),
    "path traversal in a step": ("count:", "§a/../b:", "`a/../b` cannot be a name", "letters"),
    "path traversal in a slot": (
        "[quick/next]",
        "[quick/next], to: §../x",
        "`../x` cannot be a name",
        "letters",
    ),
    "step from an empty slot": ("[quick/next]", "[quick/next], from: §man", "the slot `man`", "`main`?"),
    "model that is not there": (
        "{use: quick/follow",
        "§{use: quick/pair",
        "`finisher`",
        "add the slot",
    ),
    "prompt that is no task": ("[quick/next]", "[§quick/titles]", "`quick/titles` is no", "prompt"),
    "true for the format version": ("genrec: 1", "genrec: §true", "`genrec` is `true`", "write 1"),
    "a fraction for the format version": ("genrec: 1", "genrec: §1.0", "`genrec` is `1.0`", "write 1"),
    "a size beyond all sizes": (
        "base: 4",
        "base: §9223372036854775807",
        "`base` is `9223372036854775807`",
        "show",
    ),
    "a number as good as 0": ("[quick/next]", "[{use: quick/next, weight: §1e-320}]", "`weight` is", "show"),
    "no corpora": (
        "quick/counting, corpora: [quick/next]",
        "core/sft, corpora: §[]",
        "no corpora",
        "corpora: [",
    ),
    "resamples without end": ("resamples: 20", "resamples: §100000000", "`100000000`", "less than or equal"),
    "negative seed": ("genrec: 1", "genrec: 1\nseed: §-1", "`seed` is `-1`", "greater than or equal to 0"),
    "seed and seeds": ("genrec: 1", "genrec: 1\nseed: §1\nseeds: [1]", "both given", "keep one of them"),
    "seed twice": ("genrec: 1", "genrec: 1\nseeds: §[1, 1]", "given twice", "different seeds"),
    "key twice": ("name: quick", "name: quick\n§name: slow", "`name` is given twice", "keep one"),
    "yaml tag": ("name: quick", "name: §!!python/name:os.system x", "the tag", "plain value"),
    "yaml anchor": ("name: quick", "name: §&n quick", "the anchor `&n`", "write each value out"),
    "yaml alias": ("name: quick", "name: §*n", "the alias `*n`", "write the value out"),
    "not a number": ("base: 4", "base: §.nan", "`.nan`", "finite number"),
    "huge number": ("base: 4", "base: §99999999999999999999", "more than 64 bits", "smaller"),
    "key that is no text": ("name: quick", "name: quick\n§7: x", "the key `7`", "in quotes"),
    "second document": ("name: quick", "name: quick\n§---\na: 1", "second document", "one pipeline"),
    "unclosed bracket": ("[1, 5], resamples: 20", "[1, 5§", "no valid YAML", "colons"),
    "tab": ("  count:", "§\tcount:", "a tab", "spaces"),
    "control character": ("name: quick", "name: \x07", "no valid YAML", "remove it"),
    "file that is not there": ("quick/shop", "{use: quick/shop, prices: no.txt}", "no.txt", "check the path"),
}


def place_of(text):
    before = text.partition("§")[0]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: "


@pytest.mark.parametrize("case", CASES)
def test_a_bad_pipeline_is_one_message_with_place_value_and_advice(genrec, tmp_path, case):
    old, new, wrong, advice = CASES[case]
    assert PIPELINE.count(old) == 1, "the case changes one thing"
    text = PIPELINE.replace(old, new)
    (tmp_path / "bad.yaml").write_text(text.replace("§", ""))
    for command in (["check", "bad.yaml"], ["run", "bad.yaml"]):
        shown = genrec(*command)
        assert shown.code == 2
        assert shown.out == ""
        assert shown.err.count("Error: ") == 1
        assert "Traceback" not in shown.err
        said = [f"bad.yaml:{place_of(text)}" if "§" in text else "", wrong, advice]
        assert [part for part in said if part not in shown.err] == [], shown.err
    assert not list((tmp_path).glob("store/*-*")), "nothing ran"


@pytest.mark.parametrize(
    ("body", "wrong", "advice"),
    [
        (b"", "the file is empty", "write a pipeline"),
        (b"# nothing\n", "the file is empty", "write a pipeline"),
        (b"just words", "block of `name: value` lines", "genrec: 1"),
        (b"- a\n- b\n", "block of `name: value` lines", "genrec: 1"),
        (b"genrec: 1\nname: \xff\n", "bad.yaml:2: byte `0xff` is not UTF-8", "save it as UTF-8"),
        (b"a: " + b"x" * (1 << 20), "`1,048,579` bytes", "data file"),
        (b"[" * 200, "nested more than", "flatten"),
    ],
)
def test_a_file_that_is_no_pipeline_at_all(genrec, tmp_path, body, wrong, advice):
    (tmp_path / "bad.yaml").write_bytes(body)
    shown = genrec("run", "bad.yaml")
    assert shown.code == 2
    assert "bad.yaml" in shown.err
    assert wrong in shown.err
    assert advice in shown.err


@pytest.mark.parametrize(
    ("arguments", "wrong", "advice"),
    [
        (["run", "none.yaml"], "no file `none.yaml`", "check the path"),
        (["run", "."], "is a folder", "pipeline file"),
        (["run", "pipeline.yaml", "--set", "recommend.beems=3"], "--set recommend.beems=3: ", "`beams`?"),
        (
            ["run", "pipeline.yaml", "--set", "recomend.beams=3"],
            "the pipeline has no `recomend`",
            "`recommend`?",
        ),
        (["run", "pipeline.yaml", "--set", "seed"], "no `path=value`", "--set train.sft.epochs=3"),
        (["run", "pipeline.yaml", "--from", "cuont"], "no stage `cuont`", "train.count"),
        (["run", "pipeline.yaml", "--only", "evaluate"], "reads the artefact of `data`", "without --only"),
        (["run", "pipeline.yaml", "--seeds", "1,x"], "`1,x` is no list of different seeds", "--seeds 1,2,3"),
        (["run", "pipeline.yaml", "--seeds", "1,1"], "no list of different seeds", "1,2,3"),
        (["run", "pipeline.yaml", "--store", "pipeline.yaml/x"], "cannot be written", "--store"),
        (["recommend", "nowhere", "--history", "i1"], "is no run folder", "runs/<name>/latest"),
        (["doctor", "pipeline.yaml"], "is no run folder", "runs/<name>/latest"),
        (["show", "quick/folow"], "no component `quick/folow`", "`quick/follow`?"),
        (["show", "nope/thing"], "plugin `nope`, which is not installed", "pip install genrec-plugin-nope"),
        (["rnu", "pipeline.yaml"], "no command `rnu`", "did you mean `run`?"),
    ],
)
def test_a_bad_command_line_is_one_message_too(genrec, arguments, wrong, advice):
    shown = genrec(*arguments)
    assert shown.code == 2
    assert wrong in shown.err
    assert advice in shown.err
    assert "Traceback" not in shown.err


def test_several_mistakes_are_told_at_once_each_with_its_place(genrec, tmp_path):
    text = PIPELINE.replace("base: 4", "bse: 4").replace("quick/follow", "quick/folow")
    (tmp_path / "bad.yaml").write_text(text)
    shown = genrec("check", "bad.yaml")
    assert "bad.yaml:5:33: " in shown.err
    assert "bad.yaml:8:18: " in shown.err


def test_a_plugin_that_raises_on_import_is_named(genrec, monkeypatch):
    monkeypatch.setenv("QUICK_BREAKS", "1")
    shown = genrec("run", "pipeline.yaml")
    assert shown.code == 2
    assert "plugin `quick`, which is not usable: RuntimeError: quick is broken today" in shown.err
