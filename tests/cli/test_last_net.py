"""No input ends in a traceback: what is known to have done so, each with the message it gets now."""

from __future__ import annotations

import errno
import json
import shutil
import sys

import click
import pytest

from genrec_core.cli import cli, main
from genrec_core.pipeline.numbers import Decimal, Whole

DEEP = "[" * 980 + "]" * 980


def full(*arguments, **more):
    raise OSError(errno.ENOSPC, "No space left on device", "runs/quick")


KNOWN = {
    "a lone surrogate in --set": (["check", "pipeline.yaml", "--set", "name=\udc80"], 2, r"\udc80"),
    "a lone surrogate in a path": (["check", "\udc80.yaml"], 2, r"\udc80.yaml"),
    "a home that is nobody's": (
        ["check", "pipeline.yaml", "--set", "data.source={use: quick/shop, prices: ~nobody-here/x}"],
        2,
        "~nobody-here/x` is not there",
    ),
    **{
        f"the home of nobody for a {use}": (
            ["check", "pipeline.yaml", "--set", option], 2,
            "`~nobody-here/x` begins with a home folder that this machine does not know",
        )
        for use, option in {
            "model": "model={use: core/pretrained, path: ~nobody-here/x}",
            "sentence encoder": "tokenizer.encoder={use: core/sentence, path: ~nobody-here/x}",
            "teacher": "train.count.ask={use: core/local-teacher, path: ~nobody-here/x}",
        }.items()
    },
    "the home of nobody for the doctor's encoder": (
        ["doctor", "runs/quick/latest", "--encoder", "{use: core/sentence, path: ~nobody-here/x}"], 2,
        "`~nobody-here/x` begins with a home folder that this machine does not know",
    ),
    **{
        f"half a character in {arguments[-2]}": (arguments, 2, said)
        for arguments, said in (
            (["run", "pipeline.yaml", "--store", "\udc80"], r"\udc80` is not UTF-8"),
            (["run", "pipeline.yaml", "--runs", "\udc80"], r"\udc80` is not UTF-8"),
            (["run", "pipeline.yaml", "--set", "\udc80=1"], r"`\udc80` holds half a character"),
            (["items", "add", "runs/quick/latest", "new.jsonl", "--out", "\udc80d"], r"\udc80d` is not"),
        )
    },
    "a name that is too long": (["check", "x" * 300], 2, "File name too long"),
    "a store whose name is too long": (["run", "pipeline.yaml", "--store", "x" * 300], 2, "too long"),
    "runs whose name is too long": (["run", "pipeline.yaml", "--runs", "x" * 300], 2, "too long"),
    "a run whose name is too long": (["recommend", "x" * 300, "--history", "i1"], 2, "too long"),
    "runs below a file": (["run", "pipeline.yaml", "--runs", "pipeline.yaml/x"], 2, "--runs"),
    "items added below a file": (
        ["items", "add", "runs/quick/latest", "new.jsonl", "--out", "pipeline.yaml/x"], 2, "--out",
    ),
    "a bundle below a file": (
        ["bundle", "runs/quick/latest", "--out", "pipeline.yaml/b.zip"], 2, "a part of this path is a file",
    ),
    "recommendations below a file": (
        ["recommend", "runs/quick/latest", "--all", "--out", "pipeline.yaml/r.jsonl"], 2,
        "a part of this path is a file",
    ),
    "JSON nested 980 deep": (["check-plugin", "--options", DEEP], 2, "`--options`"),
    "new items nested 980 deep": (
        ["items", "add", "runs/quick/latest", "deep.jsonl"], 2, "deep.jsonl:1: line is nested too deep",
    ),
    "seeds of other digits": (["run", "pipeline.yaml", "--seeds", "１,²"], 2, "--seeds 1,2,3"),
    "seeds of other digits, whole": (["run", "pipeline.yaml", "--seeds", "１,２"], 2, "--seeds 1,2,3"),
    "one seed written twice": (["run", "pipeline.yaml", "--seeds", "01,1"], 2, "no list of different seeds"),
    "a seed of 5,000 digits": (["run", "pipeline.yaml", "--seeds", "9" * 5000], 2, "--seeds 1,2,3"),
    "a place of 5,000 digits": (
        ["check", "pipeline.yaml", "--set", f"train.count.corpora.{'9' * 5000}=1"], 2, "has no position",
    ),
    "a place of other digits": (
        ["check", "pipeline.yaml", "--set", "train.count.corpora.０=1"], 2, "has no position `０`",
    ),
    "a limit of other digits": (["run", "pipeline.yaml", "--limit", "１"], 2, "'１' is no number from 1"),
    "a limit with an underscore": (["run", "pipeline.yaml", "--limit", "1_0"], 2, "'1_0' is no number"),
    "more items than any catalogue": (
        ["recommend", "runs/quick/latest", "--all", "--out", "r.jsonl", "-k", "1" + "0" * 30], 2,
        "is no number from 1 to 100000",
    ),
    "resamples without end": (
        ["compare", "runs/quick/latest", "runs/quick/latest", "--resamples", "100000000"], 2,
        "100000000 is not in the range 1<=x<=100000",
    ),
    "a seed below nought": (
        ["compare", "runs/quick/latest", "runs/quick/latest", "--seed", "-1"], 2, "-1 is not in the range",
    ),
    "Latin-1 in --exclude": (
        ["recommend", "runs/quick/latest", "--history", "i1", "--exclude", "latin.txt"], 2,
        "latin.txt:2: line is not UTF-8",
    ),
    "users' times with a part twice": (
        ["recommend", "runs/quick/latest", "--users", "who.csv", "--out", "r.csv", "--time-format", "%d%d"],
        2, "is no time format",
    ),
    "one name of options twice": (
        ["check-plugin", "--options", '{"quick/a": {}, "quick/a": {}}'], 2, "names `quick/a` twice",
    ),
    "a number of options of 5,000 digits": (
        ["check-plugin", "--options", '{"quick/a": {"x": ' + "9" * 5000 + "}}"], 2, "is no JSON",
    ),
    "a folder for a pipeline": (["check", "."], 2, "is a folder"),
    "a device for a pipeline": (["check", "/dev/zero"], 2, "is no file"),
    "a new plugin below a file": (["new", "plugin", "x", "--into", "pipeline.yaml"], 2, "pipeline.yaml"),
    "a name of other digits": (["check", "pipeline.yaml", "--set", "name=１"], 2, "cannot be a name"),
}  # fmt: skip


@pytest.fixture
def ran(genrec, tmp_path):
    assert genrec("run", "pipeline.yaml").code == 0
    (tmp_path / "new.jsonl").write_text('{"item_id": "n0", "title": "Thing 03"}\n')
    (tmp_path / "deep.jsonl").write_text('{"item_id": "n0", "title": ' + DEEP + "}\n")
    (tmp_path / "who.csv").write_text("user_id\nu0\n")
    (tmp_path / "latin.txt").write_bytes("i1\ni2 ü\n".encode("latin-1"))
    return genrec


@pytest.mark.parametrize("case", KNOWN)
def test_a_known_traceback_is_a_message_now(ran, case):
    arguments, code, said = KNOWN[case]
    shown = ran(*arguments)
    assert "Traceback" not in shown.err
    assert "should not have happened" not in shown.err
    assert said in shown.err
    assert shown.code == code


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are UTF-8 there")
def test_a_working_folder_whose_name_is_not_utf_8(ran, tmp_path, monkeypatch):
    odd = tmp_path / "\udcff"
    odd.mkdir()
    option = "data.source={use: quick/shop, prices: x.txt}"
    assert ran("bundle", "runs/quick/latest", "--out", odd / "b.zip", "--json").code == 0
    shutil.copy("pipeline.yaml", odd)
    shutil.copytree(tmp_path / "runs" / "quick" / "latest", odd / "copied")
    monkeypatch.chdir(odd)
    for arguments, said in (
        (["run", "pipeline.yaml"], r"\udcff/store` is not UTF-8"),
        (["check", "pipeline.yaml", "--set", option], r"\udcff/x.txt` is not UTF-8"),
        (["recommend", "copied", "--history", "i1", "--store", tmp_path / "store"], r"\udcff/copied` is not"),
    ):
        shown = ran(*arguments)
        assert shown.code == 2, shown.err
        assert said in shown.err
    assert ran("unbundle", "b.zip").code == 0
    shown = ran("compare", "b", "b", "--json")
    assert (shown.code, bool(json.loads(shown.out))) == (0, True), "a bundle needs no name of the folder"


def commands(group, names=()):
    """Every command below a group, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        elif command is not None:
            yield " ".join((*names, name)), command


def test_every_number_of_every_command_has_a_range_with_both_ends(monkeypatch):
    monkeypatch.delenv("GENREC_PLUGINS", raising=False)
    found = {name: command.params for name, command in commands(cli)}
    assert {"run", "compare", "data import", "recommend", "doctor"} <= found.keys()
    numbers = [
        (name, param.name, param.type)
        for name, params in found.items()
        for param in params
        if isinstance(param.type, (click.types.IntParamType, click.types.FloatParamType))
    ]
    assert len(numbers) >= 10
    for name, param, kind in numbers:
        assert isinstance(kind, (Whole, Decimal)), f"{name} {param}: take one of genrec_core.pipeline.numbers"


@pytest.mark.parametrize("text", ["1_0", "１", "0x1", "1e999", "nan", "inf", "9" * 5000, "", "1.5.2"])
def test_what_is_no_plain_number_is_refused(text):
    for kind in (Whole(1, 9), Decimal(1, 9)):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
    assert (Whole(1, 9).convert("+3", None, None), Decimal(0, 9).convert("1e-3", None, None)) == (3, 0.001)


def test_a_full_disk_names_the_file(genrec, monkeypatch):
    from genrec_core.pipeline import run

    monkeypatch.setattr(run, "write_pipeline", full)
    shown = genrec("run", "pipeline.yaml")
    assert (shown.code, shown.err.splitlines()[0]) == (2, "Error: `runs/quick`: No space left on device")


def test_latest_that_is_a_folder_is_left_alone(ran, tmp_path):
    latest = tmp_path / "runs" / "quick" / "latest"
    latest.unlink()
    latest.mkdir()
    (latest / "mine.txt").write_text("keep")
    shown = ran("run", "pipeline.yaml")
    assert shown.code == 0
    assert "`runs/quick/latest` is a folder of its own, so it does not lead to this run" in shown.err
    assert (latest / "mine.txt").exists()


@pytest.mark.parametrize("body", ["", "[]", "null", '{"stages": 3}', '{"stages": [3]}', "{", DEEP])
@pytest.mark.parametrize("file", ["plan.json", "metrics.json"])
def test_an_edited_file_of_a_run_is_a_message_and_no_reason_to_fail_the_next(ran, tmp_path, file, body):
    (tmp_path / "runs" / "quick" / "latest" / file).write_text(body)
    for command in (["doctor"], ["compare"], ["recommend", "--history", "i1"]):
        shown = ran(command[0], "runs/quick/latest", *command[1:])
        assert "Traceback" not in shown.err
        assert "should not have happened" not in shown.err
    assert ran("run", "pipeline.yaml").code == 0


def test_a_traceback_is_shown_when_asked_for(genrec, monkeypatch):
    from genrec_core.cli import run

    def broken(*arguments):
        raise KeyError("nobody foresaw this")

    monkeypatch.setattr(run, "load_pipeline", broken)
    shown = genrec("check", "pipeline.yaml")
    assert shown.code == 1
    assert "this should not have happened: KeyError: 'nobody foresaw this'" in shown.err
    assert "test_last_net.py:" in shown.err, "the line of code that knows more"
    with pytest.raises(KeyError):
        main(["--debug", "check", "pipeline.yaml"])
