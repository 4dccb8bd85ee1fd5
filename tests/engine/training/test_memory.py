"""What saves memory in fine-tuning changes nothing else."""

import pytest
import torch

from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinyCausal, TinySeq2Seq
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.layers import recomputed_blocks

SHAPE = {"hidden": 32, "layers": 4, "heads": 2, "intermediate": 96, "vocabulary": 280, "device": "cpu"}
MODELS = [
    pytest.param(lambda catalogue: TinyCausal(**SHAPE).build(catalogue, Context(seed=1)), id="causal"),
    pytest.param(
        lambda catalogue: TinyCausal(**SHAPE, dropout=0.2).build(catalogue, Context(seed=1)), id="dropout"
    ),
    pytest.param(
        lambda catalogue: TinySeq2Seq(**SHAPE, dropout=0.2).build(catalogue, Context(seed=1)),
        id="encoder-decoder",
    ),
]


@pytest.mark.parametrize("build", MODELS)
@pytest.mark.parametrize("scoring", ["full", "legal"])
def test_gradient_checkpointing_gives_the_same_bits(build, catalogue, training, scoring):
    trained = []
    for again in (False, True):
        model = build(catalogue)
        torch.manual_seed(3)
        SFT(
            corpora=[NextItem()], max_steps=4, learning_rate=3e-3, batch_size=16, scoring=scoring,
            gradient_checkpointing=again,
        ).train({"main": model}, catalogue, training, Context())  # fmt: skip
        trained.append(dict(model.network.named_parameters()))
        assert not any(getattr(block, "gradient_checkpointing", False) for block in model.network.modules())
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])
    start = dict(build(catalogue).network.named_parameters())
    assert not all(torch.equal(trained[0][name], start[name]) for name in start)


def kept_bytes(model):
    """Bytes that a training forward pass keeps for its backward pass, weights left out."""
    weights = {value.data_ptr() for value in model.network.parameters()}
    kept = {}

    def keep(value):
        if value.untyped_storage().data_ptr() not in weights:
            kept[value.untyped_storage().data_ptr()] = (value.untyped_storage().nbytes(), value)
        return value

    ids = torch.arange(1, 129)[None].repeat(4, 1)
    more = {"decoder_input_ids": ids} if model.family == "seq2seq" else {}
    model.network.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        logits = model.network(input_ids=ids, use_cache=False, **more).logits
    assert logits.requires_grad
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize("build", MODELS)
def test_gradient_checkpointing_keeps_less_than_half(build, catalogue):
    model = build(catalogue)
    plain = kept_bytes(model)
    with recomputed_blocks(model.network):
        assert kept_bytes(model) < plain / 2
    assert kept_bytes(model) == plain


def test_an_architecture_without_gradient_checkpointing_is_refused_by_name(catalogue, training):
    model = TinyCausal(**SHAPE).build(catalogue, Context())
    model.network.supports_gradient_checkpointing = False
    with pytest.raises(GenrecError, match="`Qwen3ForCausalLM` has no gradient checkpointing"):
        SFT(corpora=[NextItem()], gradient_checkpointing=True).train(
            {"main": model}, catalogue, training, Context()
        )
