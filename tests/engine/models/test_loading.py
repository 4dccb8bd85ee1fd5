"""Loading: one door, and nothing that comes through it is run."""

import json
import re
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from genrec_core import Items
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.loading import from_checkpoint
from genrec_core.engine.models.model import load_model
from genrec_core.engine.models.pretrained import pretrained_model
from genrec_core.engine.models.text_encoder import load_network
from genrec_core.engine.models.tiny import Shape, tiny_model

ROOT = Path(__file__).parents[3]
DOOR = "genrec_core/engine/models/loading.py"
SHIPPED = "contrib/genrec-contrib-export/genrec_contrib_export/shipped/recommend.py"
"""A program that goes out with an exported model and has nothing of GenRec."""
SHAPE = Shape(hidden=16, layers=1, heads=2, intermediate=16, vocabulary=300)


def sources():
    return [
        path
        for folder in ("genrec_core", "plugins", "contrib", "examples")
        for path in (ROOT / folder).rglob("*.py")
        if not {"tests", "build"} & set(path.parts)
    ]


def test_every_from_pretrained_goes_through_one_function():
    calls = {
        path.relative_to(ROOT).as_posix(): len(re.findall(r"\.from_pretrained\(", path.read_text()))
        for path in sources()
    }
    assert {path: count for path, count in calls.items() if count} == {DOOR: 1, SHIPPED: 1}
    assert "trust_remote_code=False" in (ROOT / SHIPPED).read_text()


def test_nothing_turns_remote_code_on():
    found = [
        path for path in sources() if re.search(r"trust_remote_code\s*[=:]\s*(?!False)", path.read_text())
    ]
    assert found == []


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A saved model whose config names a class of its own, and what must never be asked or run."""
    folder = tmp_path / "model"
    tiny_model(Items(("a",), {"title": ["red tent"]}), SHAPE, device="cpu").save(folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_type"] = "own-kind"
    config["auto_map"] = {
        kind: f"own.{name}"
        for kind, name in {
            "AutoConfig": "OwnConfig", "AutoModel": "Own", "AutoModelForCausalLM": "Own"
        }.items()
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: ...\nclass OwnConfig: ...\n"
    )

    def asked(*_):
        raise AssertionError("somebody was asked whether to run code")

    monkeypatch.setattr("builtins.input", asked)
    yield folder
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "read",
    [
        load_model,
        lambda folder: pretrained_model(str(folder)),
        lambda folder: load_network(str(folder), "main", "float32", "cpu"),
    ],
    ids=["own run", "pretrained", "text encoder"],
)
def test_a_checkpoint_with_code_of_its_own_is_refused_without_a_question(foreign, read):
    with pytest.raises(GenrecError, match=r"cannot load the (model|sentence encoder) `.*model`"):
        read(foreign)


@pytest.mark.parametrize("kind", [AutoConfig, AutoModelForCausalLM, AutoTokenizer])
def test_a_folder_is_read_without_the_network(tmp_path, kind, monkeypatch):
    folder = tmp_path / "model"
    tiny_model(Items(("a",), {"title": ["red tent"]}), SHAPE, device="cpu").save(folder)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert from_checkpoint(kind, folder) is not None
