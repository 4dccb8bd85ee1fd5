"""Adapters and weights that are not float32: what is trained, what is merged, what a reload gives back."""

import pytest
import torch
from torch import nn

from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.pretrained import Pretrained
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.tiny_backbones import TinyCausal, TinySeq2Seq
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.models.adapters import AdapterSettings, adapted, linear_layers
from genrec_core.engine.models.freezing import MasterWeights
from genrec_core.engine.models.model import load_model
from genrec_core.engine.models.vocabulary import matrices
from genrec_core.engine.training.loop import SFTLoop

SHAPE = {"hidden": 32, "layers": 2, "heads": 2, "intermediate": 64, "vocabulary": 280, "device": "cpu"}
MODELS = {
    "tied": lambda catalogue: TinyCausal(**SHAPE, tie=True).build(catalogue, Context(seed=1)),
    "two matrices": lambda catalogue: TinyCausal(**SHAPE, tie=False).build(catalogue, Context(seed=1)),
    "encoder-decoder": lambda catalogue: TinySeq2Seq(**SHAPE).build(catalogue, Context(seed=1)),
}


def trained(model, catalogue, training, **options):
    options = {"max_steps": 12, "learning_rate": 1e-2, "batch_size": 16, "adapters": {"rank": 3}} | options
    trainer = SFT(corpora=[NextItem()], trainable="adapters", patience=None, **options)
    return trainer.train({"main": model}, catalogue, training, Context(seed=5)).model


def prompts(model):
    given = {"input_ids": torch.tensor([[5, 6, 7, 8]])}
    return given | ({"decoder_input_ids": torch.tensor([[0, 3]])} if model.family == "seq2seq" else {})


@pytest.mark.parametrize("kind", MODELS)
def test_low_rank_corrections_and_new_rows_are_all_that_moves(catalogue, training, kind):
    model = MODELS[kind](catalogue)
    before = {name: value.detach().clone() for name, value in model.network.named_parameters()}
    linear = {f"{name}.weight" for name in linear_layers(model.network)}
    trained(model, catalogue, training)
    new = model.token_ids(catalogue.identifiers.new_tokens)
    shared = {
        name
        for name, value in model.network.named_parameters()
        if any(value is m for m in matrices(model.network))
    }
    assert len(shared) == (2 if kind == "two matrices" else 1)
    after = dict(model.network.named_parameters())
    assert after.keys() == before.keys(), "nothing of the adapters is left"
    assert all(value.requires_grad for value in after.values())
    for name, value in after.items():
        moved = value.detach() - before[name]
        if name in linear:
            assert moved.any()
            singular = torch.linalg.svdvals(moved)
            assert singular[3:].max() < 1e-5 * singular[0], "a correction of rank 3"
        elif name in shared:
            old = [row for row in range(len(value)) if row not in new]
            assert not moved[old].any()
            assert moved[new].any()
        else:
            assert not moved.any()


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_saved_and_loaded_again_is_what_was_trained(catalogue, training, tmp_path, kind):
    """Ties and new rows survive: a merge that touched one use of a shared matrix would show here."""
    model = trained(MODELS[kind](catalogue), catalogue, training)
    with torch.no_grad():
        expected = model.network(**prompts(model)).logits
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model", device="cpu")
    with torch.no_grad():
        assert torch.equal(again.network(**prompts(again)).logits, expected)
    tied = again.network.get_output_embeddings().weight is again.network.get_input_embeddings().weight
    assert tied == (kind != "two matrices")
    assert again.token_ids(catalogue.identifiers.new_tokens) == model.token_ids(
        catalogue.identifiers.new_tokens
    )
    assert not any("lora" in file.read_text(errors="ignore") for file in (tmp_path / "model").glob("*.json"))


def test_adapters_learn_what_full_training_learns(catalogue, training):
    model = MODELS["tied"](catalogue)
    figures = []
    trainer = SFT(corpora=[NextItem()], trainable="adapters", epochs=15, learning_rate=1e-2, batch_size=32)
    log = lambda event, **values: figures.append(values["loss"]) if event == "valid" else None  # noqa: E731
    trainer.train({"main": model}, catalogue, training, Context(seed=5, log=log))
    assert min(figures) < 0.6 * figures[0]


def test_a_merged_network_computes_what_the_adapted_one_did(catalogue):
    model = MODELS["tied"](catalogue)
    model.network.requires_grad_(False)
    with adapted(model.network, AdapterSettings(rank=4), seed=2):
        with torch.no_grad():
            for name, value in model.network.named_parameters():
                if "lora_B" in name:
                    value.normal_(0, 0.1)
        expected = model.network(**prompts(model)).logits
    assert not any("lora" in name for name, _ in model.network.named_modules())
    assert torch.allclose(model.network(**prompts(model)).logits, expected, atol=1e-5)


def test_adapters_of_an_interrupted_training_are_taken_out_unmerged(catalogue):
    model = MODELS["tied"](catalogue)
    before = {name: value.clone() for name, value in model.network.named_parameters()}
    with pytest.raises(KeyboardInterrupt), adapted(model.network, AdapterSettings(), seed=2):
        raise KeyboardInterrupt
    assert all(torch.equal(value, before[name]) for name, value in model.network.named_parameters())


def test_layers_that_are_not_there_are_refused_with_those_that_are(catalogue, training):
    with pytest.raises(GenrecError) as caught:
        trained(MODELS["tied"](catalogue), catalogue, training, adapters={"layers": ["query"]})
    assert "no linear layer of `Qwen3ForCausalLM` is called `query`" in caught.value.message
    assert (
        "its linear layers are: down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj"
        in caught.value.hint
    )


def test_an_option_of_adapters_without_adapters_is_refused():
    with pytest.raises(ValueError, match="`adapters` are not trained by `trainable: all`"):
        SFT(corpora=[NextItem()], adapters={"rank": 4})


def steps(weight, copies=None):
    """A hundred steps of 1e-4 towards smaller values, by an optimiser that owns the weight or its copy."""
    optimizer = torch.optim.AdamW(copies.parameters if copies else [weight], lr=1e-4, weight_decay=0.0)
    if copies:
        copies.attach(optimizer)
    for _ in range(100):
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    return float(weight.detach())


def test_steps_smaller_than_a_bfloat16_weight_can_show_add_up():
    """1.0 has no bfloat16 neighbour nearer than 0.0039, so single steps of 0.0001 on it are lost."""
    lost = nn.Parameter(torch.tensor(1.0, dtype=torch.bfloat16))
    assert steps(lost) == 1.0
    kept = nn.Parameter(torch.tensor(1.0, dtype=torch.bfloat16))
    copies = MasterWeights([(kept, None)])
    assert steps(kept, copies) == pytest.approx(0.99, abs=0.002)
    assert float(copies.parameters[0].detach()) == pytest.approx(0.99, abs=1e-5)


def test_a_model_in_bfloat16_is_trained_by_float32_copies_and_resumes_to_the_bit(
    build, catalogue, training, tmp_path
):
    sft = SFT(
        corpora=[NextItem()], max_steps=12, learning_rate=1e-4, batch_size=16, evaluate_every=4, patience=None
    )

    class Killed(BaseException):
        pass

    def dies(event, **values):
        if event == "valid" and values["step"] == 8:
            raise Killed

    def model():
        made = build()
        made.network.to(torch.bfloat16)
        return made

    straight = model()
    sft.train({"main": straight}, catalogue, training, Context(5))
    with pytest.raises(Killed):
        sft.train({"main": model()}, catalogue, training, Context(5, tmp_path, log=dies))
    resumed, log = model(), []
    sft.train(
        {"main": resumed}, catalogue, training, Context(5, tmp_path, log=lambda *e, **v: log.append((e, v)))
    )
    assert [v for (event,), v in log if event == "resumed"] == [{"checkpoint": "checkpoint-4"}]
    pairs = zip(straight.network.parameters(), resumed.network.parameters(), strict=True)
    assert all(value.dtype == torch.bfloat16 and torch.equal(value, other) for value, other in pairs)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(resumed.network.parameters(), model().network.parameters(), strict=True)
    )


def held(model, optimizer, masters):
    """Bytes of weights, gradients and the optimiser's state while a step is made."""
    owned = [own for copies in masters for own in copies.parameters]
    values = [*model.network.parameters(), *owned]
    values += [value.grad for value in values if value.grad is not None]
    values += [part for state in optimizer.state.values() for part in state.values() if part.ndim]
    return sum(value.numel() * value.element_size() for value in values)


@pytest.mark.parametrize(
    ("dtype", "trainable"),
    [
        ("float32", "all"),
        ("bfloat16", "all"),
        ("float32", "new-rows"),
        ("float32", "adapters"),
        ("bfloat16", "adapters"),
    ],
)
def test_the_estimate_of_memory_is_what_a_step_holds(
    catalogue, training, tmp_path, monkeypatch, dtype, trainable
):
    made = TinyCausal(**{**SHAPE, "hidden": 96, "intermediate": 256, "layers": 4}).build(
        catalogue, Context(seed=1)
    )
    made.save(tmp_path / "model")
    backbone = Pretrained(path=str(tmp_path / "model"), dtype=dtype, device="cpu")
    size = backbone.size()
    assert size.weights == sum(value.numel() for value in made.network.parameters())
    sft = SFT(corpora=[NextItem()], max_steps=2, learning_rate=1e-3, batch_size=16, trainable=trainable)
    model, seen = backbone.load(tmp_path / "model"), []
    create = SFTLoop.create_optimizer

    def watched(loop, *given):
        optimizer = create(loop, *given)
        # The first step makes the state, the second one is looked at, after gradients were handed over.
        optimizer.register_step_pre_hook(lambda *_: seen.append(held(model, optimizer, loop.masters)))
        return optimizer

    monkeypatch.setattr(SFTLoop, "create_optimizer", watched)
    sft.train({"main": model}, catalogue, training, Context(seed=5))
    assert seen[1] == pytest.approx(sft.memory(size), rel=0.15)
    assert seen[1] > (1 if trainable != "all" else 10) * size.weights


def test_what_a_run_writes_out_is_read_again():
    """Every default stands in a run's pipeline, those of adapters that nobody uses too."""
    written = SFT(corpora=[NextItem()]).described()
    assert SFT(corpora=[NextItem()], adapters=written["adapters"]).options.trainable == "all"
