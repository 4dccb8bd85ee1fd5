"""What reaches a terminal: other people's text cannot steer it, and warnings cannot be missed."""

from __future__ import annotations

import re

import pytest

from genrec_core.contracts.errors import GenrecError, examples, printable
from genrec_core.pipeline.console import QuietConsole, RichConsole, echo, echo_json, terminal
from genrec_core.pipeline.run_log import RunLog
from tests.test_startup import ROOT

NASTY = "Tent\x1b[2J\x9b31m\u202e"
HARMLESS = r"Tent\x1b[2J\x9b31m\u202e"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (NASTY, HARMLESS),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("a\u2028b", r"a\u2028b"),
        ("lone \udc80", r"lone \udc80"),
        ("Zelt für 3 — 帐篷 ⛺", "Zelt für 3 — 帐篷 ⛺"),
    ],
)
def test_control_characters_are_written_out_and_letters_are_not(text, written):
    assert printable(text) == written


@pytest.mark.parametrize(
    "write",
    [
        lambda: echo(NASTY),
        lambda: echo(NASTY, err=True),
        lambda: terminal().print(NASTY),
        lambda: QuietConsole().warn(NASTY),
        lambda: RichConsole().say(NASTY),
        lambda: RichConsole().warn(NASTY),
    ],
)
def test_every_way_to_a_terminal_writes_them_out(write, capsys):
    write()
    shown = "".join(capsys.readouterr())
    assert HARMLESS in shown.replace("\n", "")


def test_json_stays_json(capsys):
    echo_json({"title": NASTY})
    import json

    shown = capsys.readouterr().out
    assert json.loads(shown) == {"title": NASTY}
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_values_in_messages_are_one_line_each():
    assert examples(["a\nError: b"]) == r"`a\nError: b`"


def test_nothing_else_writes_to_terminals():
    writes = re.compile(r"click\.echo\(|(?<![\w.`])print\(|[^\w]Console\(|secho\(|sys\.std(out|err)\.write")
    allowed = {"genrec_core/pipeline/console.py", "genrec_core/cli/__init__.py"}
    found = []
    packages = [ROOT / "genrec_core", *ROOT.glob("plugins/*/genrec_*"), *ROOT.glob("contrib/*/genrec_*")]
    for file in sorted(file for package in packages for file in package.rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if name in allowed or name.startswith("genrec_core/testing/") or "/shipped/" in name:
            continue
        lines = enumerate(file.read_text().splitlines(), 1)
        code = (
            (number, line) for number, line in lines if not line.strip().startswith((">>>", "#", "class "))
        )
        harmless = ('click.echo("\\r" + told', 'hint="python -c ')
        found += [
            f"{name}:{number}"
            for number, line in code
            if writes.search(line) and not any(one in line for one in harmless)
        ]
    assert found == []


def test_warnings_reach_standard_error_and_the_log_when_nobody_watches(tmp_path, capsys):
    log = RunLog(tmp_path / "log.jsonl", (), QuietConsole())
    log.logged("train.sft", "warning", {"message": "the loss is odd"})
    assert capsys.readouterr().err == "warning: train.sft: the loss is odd\n"
    assert '"event":"warning","message":"the loss is odd"' in (tmp_path / "log.jsonl").read_text()


def test_an_error_with_a_nasty_value_is_harmless(genrec, tmp_path):
    (tmp_path / "bad.yaml").write_text('genrec: 1\nname: "x\\e[2Jy"\n')
    shown = genrec("check", "bad.yaml")
    assert "\x1b" not in shown.err
    assert r"`x\x1b[2Jy` cannot be a name" in shown.err
    assert str(GenrecError("plain")) == "plain"
