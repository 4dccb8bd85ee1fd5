"""`genrec new plugin`: what it writes installs, keeps its contracts, and stays where it should."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from genrec_core import GenrecError
from genrec_core.cli.new import FILES, new, scaffold
from tests.testing.installing import GENREC, ROOT, install, run


def test_a_new_plugin_installs_passes_its_own_tests_and_its_pipeline_is_sound(tmp_path):
    folder = scaffold("my-ids", tmp_path)
    packages = tmp_path / "packages"
    install(folder, packages, tmp_path / "wheels")
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", packages=packages, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokenizer MyIdsTokenizer: 20 passed, 0 failed, 1 skipped" in done.stdout
    checked = run("-c", GENREC, "check", "tiny.yaml", packages=packages, folder=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_new_tokenizer_is_shorter_than_forty_lines_of_code(tmp_path):
    source = (scaffold("my-ids", tmp_path) / "genrec_plugin_my_ids" / "hashed.py").read_text()
    assert len([line for line in source.splitlines() if line.strip()]) < 40


def test_nothing_of_the_template_is_left_over(tmp_path):
    folder = scaffold("a-1-b", tmp_path)
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert len(written) == len(FILES)
    assert all("@name@" not in path.read_text() and "@package@" not in path.read_text() for path in written)


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


def test_the_command_says_what_to_do_next(tmp_path):
    done = CliRunner().invoke(new, ["plugin", "my-ids", "--into", str(tmp_path)])
    assert done.exit_code == 0
    assert "genrec check-plugin my-ids" in done.output


def test_templates_are_installed_with_the_core():
    declared = (ROOT / "pyproject.toml").read_text()
    assert '"cli/templates/**/*"' in declared
    for template in FILES:
        assert (ROOT / "genrec_core" / "cli" / "templates" / "plugin" / f"{template}.txt").is_file()
