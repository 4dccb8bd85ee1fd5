"""What a plugin adds besides components: commands, sections of the report, observers."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.test_startup import imported

PLUGIN = """
from genrec_core import hookimpl

@hookimpl
def genrec_register(registry):
    registry.command("greet", "hello_work:greet", "Greet somebody.")
    registry.command("data greet", "hello_work:greet", "Greet somebody, among what one does with data.")
    registry.command("stumble", "hello_work:stumble", "Fails.")
    registry.command("absent", "hello_gone:greet", "Its module is not there.")
    registry.command("nothing", "hello_work:NOTHING", "Is no command.")
    registry.section("words", "hello_work:words")
    registry.section("broken", "hello_work:broken")
    registry.observer("quiet", "hello_work:Quiet")
"""

WORK = '''
import click, pathlib
from genrec_core import Observer
from genrec_core.evaluation.report.rendering import section

NOTHING = 3

@click.command()
@click.argument("name")
def greet(name):
    """Greet NAME."""
    click.echo(f"hello {name}")

@click.command()
def stumble():
    raise RuntimeError("fell over a stone")

def words(facts):
    return section("words", "Words", "", f"recall {facts.metrics['test']['recall@5']:.2f} <b>")

def broken(facts):
    raise ValueError("no words")

class Quiet(Observer):
    def run_finished(self, run, metrics):
        pathlib.Path("seen.txt").write_text(run)
'''


@pytest.fixture
def hello(genrec, tmp_path, monkeypatch):
    """A folder with an installed package `hello-plugin`, which is on the path."""
    home = tmp_path / "packages"
    info = home / "hello_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hello-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genrec]\nhello = hello_plugin\n")
    (home / "hello_plugin.py").write_text(PLUGIN)
    (home / "hello_work.py").write_text(WORK)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("GENREC_PLUGINS", "quick,hello")
    for module in ("hello_plugin", "hello_work"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return home


def test_a_plugins_command_runs_like_any_other(hello, genrec):
    assert genrec("greet", "you").out == "hello you\n"
    assert "Usage: genrec greet" in genrec("greet", "--help").out
    shown = genrec("greet")
    assert (shown.code, "Missing argument" in shown.err) == (2, True)


def test_a_plugin_adds_commands_to_a_group_of_the_core(hello, genrec):
    assert genrec("data", "greet", "you").out == "hello you\n"
    assert "greet" in genrec("data", "--help").out
    assert "data greet" not in genrec("--help").out
    assert genrec("data", "nonsense").code == 2


def test_help_lists_plugins_commands_without_importing_them(hello, monkeypatch):
    (hello / "hello_work.py").write_text("raise SystemError('was imported')")
    modules = imported("--help", path=hello)
    assert "hello_plugin" in modules
    assert not modules & {"hello_work", "torch", "pydantic", "numpy", "yaml"}


def test_help_says_what_a_plugins_command_does(hello, genrec):
    assert re.search(r"^  greet +Greet somebody\.$", genrec("--help").out, re.MULTILINE)


@pytest.mark.parametrize(
    ("command", "code", "wrong"),
    [
        ("stumble", 1, "this should not have happened: RuntimeError: fell over a stone"),
        ("absent", 2, "command `absent` needs the module `hello_gone`, which is not installed"),
        ("nothing", 2, "command `nothing` of plugin `hello` is no click command"),
    ],
)
def test_a_broken_command_says_why_and_harms_no_other(hello, genrec, command, code, wrong):
    shown = genrec(command)
    assert shown.code == code
    assert wrong in shown.err
    assert "Traceback" not in shown.err
    assert genrec("greet", "me").code == 0


def test_a_command_whose_package_is_not_installed_says_what_to_install(genrec):
    shown = genrec("sweep", "pipeline.yaml")
    assert (shown.code, "pip install genrec-contrib-sweep" in shown.err) == (2, True)


def test_the_command_of_a_plugin_that_is_broken_says_so(hello, genrec, monkeypatch):
    (hello / "hello_plugin.py").write_text("raise ImportError('no such luck')")
    shown = genrec("greet", "you")
    assert shown.code == 2
    assert "there is no command `greet`" in shown.err
    assert "plugin `hello` is not usable: ImportError: no such luck" in shown.err
    assert "BROKEN: ImportError: no such luck" in genrec("plugins").out
    assert genrec("check", "pipeline.yaml").code == 0


def test_genrec_plugins_lists_commands_and_sections(hello, genrec):
    listed = {plugin["name"]: plugin for plugin in json.loads(genrec("plugins", "--json").out)}
    assert {"kind": "command", "name": "greet", "place": "hello_work:greet"} in listed["hello"]["extensions"]
    assert "section      hello/broken, hello/words" in genrec("plugins").out


def test_a_plugins_section_is_in_the_report_and_a_broken_one_is_a_warning(hello, genrec, tmp_path):
    shown = genrec("run", "pipeline.yaml", "--set", "observe=[hello/quiet]")
    assert shown.code == 0
    wrong = "section `hello/broken` of the report is left out: ValueError: no words"
    assert shown.err == f"warning: {wrong}\n"
    latest = tmp_path / "runs" / "quick" / "latest"
    report = (latest / "report.html").read_text()
    assert "<h2>Words</h2>" in report
    assert "&lt;b&gt;" in report
    assert wrong in (latest / "log.jsonl").read_text()
    assert (tmp_path / "seen.txt").read_text() == latest.resolve().name
