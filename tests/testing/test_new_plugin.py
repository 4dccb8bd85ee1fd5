"""`genrec new plugin`: what it writes installs, keeps its contracts, and stays where it should."""

from __future__ import annotations

import importlib
import re
import tomllib

import pytest
from click.testing import CliRunner

from genrec_core import GenrecError, Registry
from genrec_core.cli.new import ALONE, COMPONENTS, FILES, new, scaffold
from genrec_core.pipeline.graph import Graph
from genrec_core.pipeline.load import load_pipeline
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.registry import KINDS
from genrec_core.testing.runner import check_component, shortfall
from tests.testing.installing import GENREC, ROOT, install, run


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a plugin of a kind and registers it beside what is installed; gives folder and registry."""

    def write(kind):
        name = f"my-{kind}"
        folder = scaffold(name, tmp_path, kind)
        monkeypatch.syspath_prepend(str(folder))
        module = importlib.import_module(f"genrec_plugin_my_{kind}.plugin")
        own, registry = Registry(name), load_plugins()[0]
        module.genrec_register(registry=own)
        registry.adopt(own)
        return folder, registry

    return write


def test_every_kind_has_a_component_to_start_from():
    assert set(COMPONENTS) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_component_of_each_kind_keeps_its_contract(kind, written):
    _, registry = written(kind)
    name = f"my-{kind}/{COMPONENTS[kind]}"
    results = check_component(kind, registry.resolve(kind, name), name=name, builder=registry)
    assert [result for result in results if result.outcome == "failed"] == []
    assert shortfall(kind, results) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_component_stands_in_a_pipeline_that_is_sound(kind, written):
    folder, registry = written(kind)
    assert (folder / "tiny.yaml").exists() == (kind in ALONE)
    if kind in ALONE:
        pipeline = load_pipeline(folder / "tiny.yaml", registry)
        pipeline.refuse_missing_files()
        assert Graph(pipeline, registry).stages
        assert f"my-{kind}/{COMPONENTS[kind]}" in (folder / "tiny.yaml").read_text()


def test_a_new_plugin_installs_passes_its_own_tests_and_its_pipeline_is_sound(tmp_path):
    folder = scaffold("my-ids", tmp_path)
    packages = tmp_path / "packages"
    install(folder, packages, tmp_path / "wheels")
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", packages=packages, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokenizer MyIdsTokenizer: 21 passed, 0 failed, 2 skipped" in done.stdout
    checked = run("-c", GENREC, "check", "tiny.yaml", packages=packages, folder=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_new_tokenizer_is_shorter_than_forty_lines_of_code(tmp_path):
    source = (scaffold("my-ids", tmp_path) / "genrec_plugin_my_ids" / "hashed.py").read_text()
    assert len([line for line in source.splitlines() if line.strip()]) < 40


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_template_is_left_over(kind, tmp_path):
    folder = scaffold("a-1-b", tmp_path, kind)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == len(FILES) - (kind not in ALONE)
    assert not [path for path in files if re.search(r"@\w+@", path.read_text())]
    for path in folder.rglob("*.py"):
        compile(path.read_text(), str(path), "exec")
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "genrec-plugin-a-1-b"


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc", "My-Ids", "my_ids", "1st", "", "a--b", "-a", "a/b", "core", "genrec-plugin-x", "é"],
)
def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_written(name, tmp_path):
    with pytest.raises(GenrecError) as told:
        scaffold(name, tmp_path)
    assert told.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_touched(tmp_path):
    mine = tmp_path / "genrec-plugin-my-ids"
    mine.mkdir()
    with pytest.raises(GenrecError, match="exists already"):
        scaffold("my-ids", tmp_path)
    assert list(mine.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "wrote"),
    [
        ((), "the tokenizer `my-ids/hashed`, its contract test and a pipeline"),
        (("--kind", "reward"), "the reward `my-ids/leading-tokens`, its contract test and a pipeline"),
        (("--kind", "loss"), "the loss `my-ids/margin`, its contract test and a pipeline"),
        (("--kind", "teacher"), "the teacher `my-ids/first-words` and its contract test"),
    ],
)
def test_the_command_says_what_it_wrote_and_what_to_do_next(arguments, wrote, tmp_path):
    done = CliRunner().invoke(new, ["plugin", "my-ids", *arguments, "--into", str(tmp_path)])
    assert done.exit_code == 0
    assert wrote in done.output
    assert "genrec check-plugin my-ids" in done.output


def test_templates_are_installed_with_the_core():
    declared = (ROOT / "pyproject.toml").read_text()
    assert '"cli/templates/**/*"' in declared
    for template in FILES:
        for kind in KINDS:
            file = f"{template.format(kind=kind)}.txt"
            assert (ROOT / "genrec_core" / "cli" / "templates" / "plugin" / file).is_file()
