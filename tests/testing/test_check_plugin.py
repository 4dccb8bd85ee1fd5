"""`genrec check-plugin` on installed plugins, sound and broken."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from genrec_core import GenrecError
from genrec_core.cli.check_plugin import check_plugin
from genrec_core.contracts.errors import ExitCode

PLUGIN = '''
"""A plugin for one test."""
from genrec_core import hookimpl
from tests.testing.broken import Demanding, Forgetful, Good

@hookimpl
def genrec_register(registry):
    registry.tokenizer("good", Good)
'''


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """An installed plugin `shop` with one sound tokenizer; gives its module's path."""
    module = tmp_path / "shop_plugin.py"
    module.write_text(PLUGIN)
    info = tmp_path / "shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genrec]\nshop = shop_plugin\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield module
    import sys

    sys.modules.pop("shop_plugin", None)


def _run(*arguments):
    return CliRunner().invoke(check_plugin, arguments)


def test_a_sound_plugin_passes_and_the_line_says_how_many_checks_ran(shop):
    done = _run("shop")
    assert done.exit_code == 0, done.output
    assert "tokenizer shop/good: 17 passed, 0 failed, 6 skipped (" in done.output
    assert "extends_without_moving_anything: cannot name items" in done.output
    assert "17 checks ran on 1 components; 0 components not checked" in done.output


def test_a_broken_promise_is_told_and_gives_exit_code_5(shop):
    shop.write_text(PLUGIN + '    registry.tokenizer("forgetful", Forgetful)\n')
    done = _run("shop")
    assert isinstance(done.exception, GenrecError)
    assert done.exception.exit_code == ExitCode.CONTRACT_BROKEN
    assert "shop/forgetful" in str(done.exception)
    assert "✗ names_every_item: 24 items got 23 identifiers" in done.output


def test_results_are_also_there_for_machines(shop):
    rows = json.loads(_run("shop", "--json").output)
    assert [row["component"] for row in rows] == ["shop/good"]
    assert {check["outcome"] for check in rows[0]["checks"]} == {"passed", "skipped"}


def test_a_component_that_needs_options_is_an_error_until_it_gets_them_or_is_allowed(shop):
    shop.write_text(PLUGIN + '    registry.tokenizer("demanding", Demanding)\n')
    done = _run("shop")
    assert isinstance(done.exception, GenrecError)
    assert done.exception.exit_code == ExitCode.CONTRACT_BROKEN
    assert done.exception.message == "1 components were not checked: `shop/demanding`"
    assert "--allow-unchecked" in done.exception.hint
    assert "tokenizer shop/demanding: not checked: path" in done.output
    assert """genrec check-plugin --options '{"shop/demanding": {...}}'""" in done.output
    assert _run("shop", "--allow-unchecked").exit_code == 0
    given = _run("shop", "--options", '{"shop/demanding": {"path": "here"}}')
    assert "tokenizer shop/demanding: 17 passed, 0 failed" in given.output


def test_options_that_were_given_and_do_not_fit_are_a_failure(shop):
    done = _run("shop", "--options", '{"shop/good": {"path": "here"}}')
    assert isinstance(done.exception, GenrecError)
    assert "tokenizer shop/good: not checked: path" in done.output


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("shpo",), "no plugin `shpo` is installed"),
        (("core", "--options", "{"), "is no JSON"),
        (("core", "--options", "[]"), "must map component names"),
        (("core", "--options", '{"core/exat": {}}'), "did you mean `core/exact`"),
    ],
)
def test_mistakes_on_the_command_line_are_told_with_what_to_do(arguments, part):
    done = _run(*arguments)
    assert isinstance(done.exception, GenrecError)
    assert part in str(done.exception)
    assert done.exception.exit_code == ExitCode.BAD_INPUT


def test_a_plugin_that_cannot_be_loaded_is_an_error_with_its_reason(shop):
    shop.write_text("raise RuntimeError('out of stock')\n")
    done = _run("shop")
    assert "RuntimeError: out of stock" in str(done.exception)
