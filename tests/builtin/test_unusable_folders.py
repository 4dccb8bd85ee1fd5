"""Folders of models that cannot be used, and packages that options need: found before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genrec_core.builtin.local_teacher import LocalTeacher
from genrec_core.builtin.pretrained import Pretrained
from genrec_core.builtin.sentence import Sentence
from genrec_core.builtin.vectors import Vectors
from genrec_core.contracts.errors import GenrecError

BERT = json.dumps({"model_type": "bert", "max_position_embeddings": 64})
WHOLE = {"config.json": BERT, "model.safetensors": "", "tokenizer.json": "{}"}


def without(name):
    return {file: body for file, body in WHOLE.items() if file != name}


def steps(*kinds):
    return {"modules.json": json.dumps([{"type": f"models.{kind}", "path": "2"} for kind in kinds])}


@pytest.fixture
def folder(tmp_path):
    def made(files):
        for name, body in files.items():
            (tmp_path / name).write_text(body)
        return str(tmp_path)

    return made


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "config.json"),
        (WHOLE | {"config.json": "{"}, "cannot load the sentence encoder"),
        (WHOLE | {"config.json": '{"model_type": ["a"]}'}, "names no `model_type`"),
        (without("model.safetensors"), "no weights"),
        (without("tokenizer.json"), "no text tokenizer"),
        (WHOLE | steps("Transformer", "Odd"), "a step `Odd`, which core/sentence does not know"),
        (WHOLE | steps("Transformer", "Dense"), "config.json"),
        (WHOLE | {"modules.json": "3"}, "cannot load the sentence encoder"),
    ],
)
def test_a_sentence_encoder_that_cannot_be_read_is_refused(folder, files, said):
    with pytest.raises(GenrecError, match=said):
        Sentence(path=folder(files)).refuse_unusable()


def test_a_sentence_encoder_reads_no_more_than_it_has_positions_for(folder):
    path = folder(WHOLE | steps("Transformer", "Pooling", "Normalize"))
    Sentence(path=path, max_length=64).refuse_unusable()
    with pytest.raises(GenrecError, match="positions for 64 tokens"):
        Sentence(path=path, max_length=1000).refuse_unusable()


@pytest.mark.parametrize("kind", [Pretrained, LocalTeacher])
@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        (
            "config.json",
            '{"model_type": ["a"]}',
            "which the installed transformers has no language model for",
        ),
        ("model.safetensors", None, "no weights"),
        ("tokenizer.json", None, "no text tokenizer"),
    ],
)
def test_a_language_model_needs_weights_and_a_text_tokenizer(folder, kind, name, body, said):
    path = Path(folder(WHOLE | {"config.json": '{"model_type": "gpt2"}'}))
    kind(path=str(path)).refuse_unusable()
    (path / name).unlink()
    if body is not None:
        (path / name).write_text(body)
    with pytest.raises(GenrecError, match=said):
        kind(path=str(path)).refuse_unusable()


def test_only_parquet_needs_pyarrow(tmp_path):
    assert Vectors(path=tmp_path / "a.parquet").needed_modules() == ("pyarrow",)
    assert Vectors(path=tmp_path / "a.npy").needed_modules() == ()
