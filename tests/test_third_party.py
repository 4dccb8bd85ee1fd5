"""A plugin by somebody else: built as a wheel, installed, checked, and run end to end."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.testing.installing import GENREC, ROOT, install, run

EXAMPLES = ROOT / "examples" / "third_party"
EXAMPLE = EXAMPLES / "genrec-plugin-title-words"
TWO_MODELS = EXAMPLES / "genrec-plugin-two-models"
QUICK = ("--set", "data.source.users=40", "--set", "evaluate.resamples=20")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder of packages in which every example is installed from its wheel."""
    folder = tmp_path_factory.mktemp("third-party")
    for example in sorted(EXAMPLES.glob("genrec-plugin-*")):
        install(example, folder / "packages", folder / "wheels" / example.name)
    return folder / "packages"


def test_the_whole_plugin_is_shorter_than_forty_lines():
    source = (EXAMPLE / "genrec_plugin_title_words" / "__init__.py").read_text()
    assert len(source.splitlines()) < 40


def test_it_is_listed_and_keeps_its_contract(packages, tmp_path):
    listed = run("-c", GENREC, "plugins", packages=packages, folder=tmp_path)
    assert "title-words" in listed.stdout, listed.stderr
    checked = run("-c", GENREC, "check-plugin", "title-words", packages=packages, folder=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "tokenizer title-words/first: 21 passed, 0 failed, 2 skipped" in checked.stdout


def test_its_own_tests_pass_against_the_wheel(packages, tmp_path):
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    done = run("-m", "pytest", "-p", "no:cacheprovider", "tests", packages=packages, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "tokenizer TitleWords: 21 passed, 0 failed, 2 skipped" in done.stdout


def test_its_pipeline_runs_end_to_end(packages, tmp_path):
    (tmp_path / "pipeline.yaml").write_text((EXAMPLE / "pipeline.yaml").read_text())
    done = run("-c", GENREC, "run", "pipeline.yaml", *QUICK, packages=packages, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (written,) = (tmp_path / "runs" / "title-words" / "latest").glob("metrics.json")
    metrics = json.loads(written.read_text())
    assert 0 <= metrics["test"]["recall@10"] <= 1
    assert metrics["identifiers"]["collision_rate"] == 0
    assert "core/oracle" in metrics["baselines"]


def test_a_trainer_with_two_models_and_a_recommender_with_a_session_pass_their_own_tests(packages, tmp_path):
    shutil.copytree(TWO_MODELS / "tests", tmp_path / "tests")
    done = run("-m", "pytest", "-p", "no:cacheprovider", "tests", packages=packages, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "trainer Distil: 14 passed, 0 failed" in done.stdout
    assert "recommender Agreed: 16 passed, 0 failed" in done.stdout


def test_two_models_train_and_recommend_in_one_pipeline(packages, tmp_path):
    (tmp_path / "pipeline.yaml").write_text((TWO_MODELS / "pipeline.yaml").read_text())
    done = run("-c", GENREC, "run", "pipeline.yaml", *QUICK, packages=packages, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads((tmp_path / "runs" / "two-models" / "latest" / "plan.json").read_text())
    assert {"train.teach", "train.distil", "recommend"} <= {stage["name"] for stage in plan["stages"]}
