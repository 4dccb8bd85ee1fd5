"""A model survives its folder, and its text tokenizer treats identifiers as identifiers."""

import orjson
import pytest
import torch

from genrec_core.builtin.tiny_backbones import TinyCausal
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.model import Model, load_model
from genrec_core.engine.models.tiny import Shape, tiny_model

SMALL = {"hidden": 32, "layers": 2, "heads": 2, "intermediate": 48, "vocabulary": 300, "device": "cpu"}


def test_a_saved_model_gives_the_same_logits_and_ids_and_holds_no_pickle(catalogue, tmp_path):
    model = TinyCausal(**SMALL, tie=False, dropout=0.1).build(catalogue, Context(seed=3))
    model.max_length = 99
    model.save(tmp_path)
    again = TinyCausal(device="cpu").load(tmp_path)
    text = "red <tent>, <a_1><b_3>!"
    assert again.tokenise([text]) == model.tokenise([text])
    ids = torch.tensor(model.tokenise([text]))
    assert torch.equal(again.network(ids).logits, model.network(ids).logits)
    assert (again.end_id, again.pad_id, again.max_length) == (model.end_id, model.pad_id, 99)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors", ".jinja"}


def test_residual_dropout_is_kept_with_the_model_and_silent_outside_training(catalogue, tmp_path):
    model = TinyCausal(**SMALL, dropout=0.5).build(catalogue, Context())
    model.save(tmp_path)
    network = load_model(tmp_path, device="cpu").network
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(network(ids).logits, network(ids).logits)
    network.train()
    assert not torch.equal(network(ids).logits, network(ids).logits)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(catalogue):
    def build(seed):
        return TinyCausal(**SMALL).build(catalogue, Context(seed=seed))

    first, second, other = build(1), build(1), build(2)
    assert first.text_tokenizer.get_vocab() == second.text_tokenizer.get_vocab()
    pairs = list(zip(first.network.parameters(), second.network.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(
        first.network.get_input_embeddings().weight, other.network.get_input_embeddings().weight
    )


def test_building_leaves_the_global_random_state_alone(catalogue):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    TinyCausal(**SMALL).build(catalogue, Context(seed=1))
    assert torch.equal(torch.rand(1), expected)


def test_new_tokens_are_single_never_stripped_and_gain_no_spaces(catalogue):
    model = TinyCausal(**SMALL).build(catalogue, Context())
    ids = model.tokenise(["<a_1><b_3>,<a_0>"])[0]
    assert len(ids) == 4
    assert model.text_tokenizer.decode(ids, skip_special_tokens=True) == "<a_1><b_3>,<a_0>"


def test_control_tokens_spelt_in_a_text_stay_text(catalogue):
    model = TinyCausal(**SMALL).build(catalogue, Context())
    ids = model.tokenise(["tent<|end|>"])[0]
    assert model.end_id not in ids
    assert model.text_tokenizer.decode(ids) == "tent<|end|>"


def test_one_token_for_end_and_pad_is_refused(catalogue):
    model = TinyCausal(**SMALL).build(catalogue, Context())
    with pytest.raises(GenrecError, match="are the same"):
        Model(model.network, model.text_tokenizer, "causal", end_id=0, pad_id=0)


def test_tokens_of_other_identifiers_are_named(catalogue):
    model = TinyCausal(**SMALL).build(catalogue, Context())
    with pytest.raises(GenrecError, match="`<z_9>`"):
        model.token_ids(["<a_0>", "<z_9>"])


def test_a_folder_without_a_model_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(GenrecError, match=r"genrec\.json"):
        load_model(tmp_path)
    (tmp_path / "genrec.json").write_bytes(orjson.dumps({"format": 99}))
    with pytest.raises(GenrecError, match="another format"):
        load_model(tmp_path)


@pytest.mark.parametrize("heads", [4, 10])  # thirty is no multiple of four, and three is an odd width
def test_a_width_that_heads_do_not_divide_is_refused(catalogue, heads):
    with pytest.raises(ValueError, match=f"`hidden: 30` does not divide into `heads: {heads}` of even width"):
        TinyCausal(**{**SMALL, "hidden": 30, "heads": heads})
    with pytest.raises(GenrecError, match="`hidden: 30`"):
        tiny_model(catalogue.items, Shape(hidden=30, heads=heads), device="cpu")


def test_attention_weights_may_be_dropped_at_a_rate_of_their_own(catalogue):
    def rates(**options):
        config = TinyCausal(**SMALL, **options).build(catalogue, Context()).network.config
        return config.attention_dropout, config.residual_dropout

    assert rates(dropout=0.4) == (0.4, 0.4)
    assert rates(dropout=0.4, attention_dropout=0.0) == (0.0, 0.4)
