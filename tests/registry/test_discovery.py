"""Plugins found on the path, each loaded alone."""

from __future__ import annotations

import sys

import pytest

from genrec_core.contracts.errors import GenrecError
from genrec_core.registry.discovery import load_plugins

GOOD = """
from genrec_core import hookimpl

@hookimpl
def genrec_register(registry):
    registry.tokenizer("thing", "{module}:Thing")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Puts a package with one entry point on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def go(name, body=GOOD, distribution=None):
        distribution = distribution or f"dist-{name}"
        module = f"plugin_{distribution.replace('-', '_')}"
        (tmp_path / f"{module}.py").write_text(body.replace("{module}", module))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[genrec]\n{name} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)

    return go


def reports(environment=None):
    registry, found = load_plugins(environment or {})
    return registry, {(report.name, report.distribution): report for report in found}


def test_a_plugin_is_found_and_namespaced_by_its_entry_point(install):
    install("mine")
    registry, found = reports()
    assert "mine/thing" in registry.names("tokenizer")
    report = found["mine", "dist-mine"]
    assert (report.version, report.error, report.components[0].kind) == ("1.0", "", "tokenizer")


def test_core_components_register_like_anyones():
    registry, found = reports()
    assert "core/beam" in registry.names("recommender")
    assert found["core", "genrec-core"].error == ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ImportError('no such luck')", "ImportError: no such luck"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("this is no python", "SyntaxError"),
        ("x = 1", "no function `genrec_register` marked with `@hookimpl`"),
        ("def genrec_register(registry): pass", "no function `genrec_register` marked"),
        (GOOD.replace("genrec_register", "genrec_registr"), "unknown hook 'genrec_registr'"),
        (GOOD.replace("registry.tokenizer", "registry.tokeniser"), "AttributeError"),
        (GOOD + "    registry.tokenizer('thing', 'a:B')\n", "`bad/thing` is registered twice"),
        (GOOD.replace('"thing"', '"Big Thing"'), "`Big Thing` is no component name"),
    ],
)
def test_a_broken_plugin_is_reported_and_harms_no_other(install, body, reason):
    install("good")
    install("bad", body)
    registry, found = reports()
    assert reason in found["bad", "dist-bad"].error
    assert found["bad", "dist-bad"].components == ()
    assert "good/thing" in registry.names("tokenizer")
    assert not any(name.startswith("bad/") for name in registry.names("tokenizer"))


def test_a_pipeline_that_needs_a_broken_plugin_is_told_why(install):
    install("bad", "raise ImportError('no such luck')")
    registry, _ = reports()
    with pytest.raises(Exception, match="plugin `bad`, which is not usable: ImportError: no such luck"):
        registry.build("tokenizer", "bad/thing")


def test_nobody_takes_the_name_of_the_core(install):
    install("core", distribution="aaa-impostor")
    _, found = reports()
    assert found["core", "genrec-core"].error == ""
    assert "already taken" in found["core", "aaa-impostor"].error


def test_the_allow_list_switches_others_off_without_importing_them(install):
    install("good")
    install("bad", "raise SystemError('was imported')")
    registry, found = reports({"GENREC_PLUGINS": "good, ghost"})
    assert found["bad", "dist-bad"].disabled
    assert "GENREC_PLUGINS" in found["bad", "dist-bad"].error
    assert "not installed" in found["ghost", ""].error
    assert {"good/thing", "core/beam"} <= {entry.name for entry in registry}


def test_of_two_packages_with_one_name_neither_is_used_and_both_are_named(install):
    install("twin", distribution="a-first")
    install("twin", distribution="b-second")
    registry, found = reports()
    for package in ("a-first", "b-second"):
        assert "2 packages claim the name `twin`: `a-first`, `b-second`" in found["twin", package].error
    assert registry.names("tokenizer").count("twin/thing") == 0
    with pytest.raises(GenrecError, match="2 packages claim the name `twin`"):
        registry.resolve("tokenizer", "twin/thing")


COMMAND = """
from genrec_core import hookimpl

@hookimpl
def genrec_register(registry):
    registry.command("%s", "nowhere:here", "Does a thing.")
"""


def test_a_command_that_two_plugins_register_is_nobodys(install):
    install("one", COMMAND % "twice")
    install("two", COMMAND % "twice")
    registry, found = reports()
    assert "the command `twice` is also registered by another plugin" in found["one", "dist-one"].error
    assert "the command `twice` is also registered by another plugin" in found["two", "dist-two"].error
    assert "twice" not in [entry.name for entry in registry.extensions("command")]


def test_a_plugin_cannot_replace_a_command_of_the_core(install):
    install("mine", COMMAND % "run")
    registry, found = reports()
    assert "the command `run` is also registered" in found["mine", "dist-mine"].error
    assert next(e for e in registry.extensions("command") if e.name == "run").plugin == "core"


@pytest.mark.parametrize("lone", ["GenRec Run", "", "-x"])
def test_a_commands_name_can_be_typed(install, lone):
    install("mine", COMMAND % lone)
    assert f"`{lone}` is no command name" in reports()[1]["mine", "dist-mine"].error
