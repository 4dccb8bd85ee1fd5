"""Fine-tuning learns, selects, and survives kills to the bit."""

import dataclasses

import pytest
import torch

from genrec_core.builtin.beam import Beam
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError, StageError
from genrec_core.contracts.views import Request, Training
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.models.vocabulary import matrices
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.loop import SFTLoop
from genrec_core.testing.sessions import ask

QUICK = {"batch_size": 32, "learning_rate": 3e-3, "checkpoint_minutes": 0.0}


class Killed(Exception):
    """Stands for a kill: nothing of ours catches it."""


class Log:
    """Keeps what is logged; raises at the n-th training line."""

    def __init__(self, dies_at=None):
        self.lines, self._dies_at = [], dies_at

    def __call__(self, event, **values):
        self.lines.append((event, values))
        if event == "train" and values["step"] == self._dies_at:
            raise Killed

    def of(self, event):
        return [values for name, values in self.lines if name == event]


def weights(model):
    return {name: value.detach().clone() for name, value in model.network.named_parameters()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("each", ["prefix", "user"])
def test_it_learns_a_certain_next_item(build, catalogue, training, each):
    corpus = NextItem(each=each)
    options = {"epochs": 30, "learning_rate": 5e-3, "batch_size": 32 if each == "prefix" else 8}
    model = build()
    log = Log()
    trained = SFT(corpora=[corpus], **options).train({"main": model}, catalogue, training, Context(log=log))
    losses = [loss for _, loss in trained.curves["train loss"]]
    assert losses[-1] < 0.2 * losses[0]
    renderer = Renderer(trained.model, catalogue)
    requests = list(training.valid.requests())
    hits = 0
    for request, example in zip(requests, training.valid.examples(), strict=True):
        ids = renderer.prompt(corpus.prompt(Request("u", request.history), catalogue, Context()))
        written = []
        for _ in range(3):
            with torch.no_grad():
                written.append(int(model.network(torch.tensor([ids + written])).logits[0, -1].argmax()))
        hits += written == renderer.answer_ids()[example.target]
    assert hits > 0.8 * len(requests)
    (cost,) = log.of("cost")
    assert cost["tokens"] > 0
    assert not model.network.training


@pytest.mark.parametrize("options", [{}, {"accumulation": 2, "batch_size": 16}, {"trainable": "new-rows"}])
def test_a_run_that_died_and_was_resumed_has_the_bits_of_one_that_did_not(
    build, catalogue, training, tmp_path, options
):
    sft = SFT(corpora=[NextItem()], **{**QUICK, "epochs": 2, **options})
    straight = build(dropout=0.1)
    expected = sft.train({"main": straight}, catalogue, training, Context(seed=5))
    place = tmp_path / "work"
    for step in (3, 12):
        with pytest.raises(Killed):
            sft.train(
                {"main": build(dropout=0.1)}, catalogue, training, Context(5, place, log=Log(dies_at=step))
            )
    log = Log()
    resumed = build(dropout=0.1)
    result = sft.train({"main": resumed}, catalogue, training, Context(5, place, log=log))
    assert log.of("resumed") == [{"checkpoint": "checkpoint-11"}]
    assert same(weights(straight), weights(resumed))
    assert result.curves == expected.curves


def test_a_finished_run_is_not_trained_again_and_gives_the_same(build, catalogue, training, tmp_path):
    sft = SFT(corpora=[NextItem()], **QUICK, epochs=2)
    first, second = build(), build()
    one = sft.train({"main": first}, catalogue, training, Context(0, tmp_path))
    log = Log()
    two = sft.train({"main": second}, catalogue, training, Context(0, tmp_path, log=log))
    assert log.of("train") == []
    assert same(weights(first), weights(second))
    assert one.curves == two.curves


def test_torn_altered_and_foreign_checkpoints_are_passed_over(build, catalogue, training, tmp_path):
    sft = SFT(corpora=[NextItem()], **QUICK, epochs=2)
    expected = build()
    sft.train({"main": expected}, catalogue, training, Context(0))
    with pytest.raises(Killed):
        sft.train({"main": build()}, catalogue, training, Context(0, tmp_path, log=Log(dies_at=6)))
    (tmp_path / "checkpoint-900").mkdir()  # torn: no manifest
    file = tmp_path / "checkpoint-5" / "weights.safetensors"
    body = bytearray(file.read_bytes())
    body[-1] ^= 1
    file.write_bytes(body)
    log = Log()
    model = build()
    sft.train({"main": model}, catalogue, training, Context(0, tmp_path, log=log))
    assert log.of("resumed") == []
    assert same(weights(expected), weights(model))
    log = Log()
    other = SFT(corpora=[NextItem()], **{**QUICK, "learning_rate": 1e-4}, epochs=1)
    other.train({"main": build()}, catalogue, training, Context(0, tmp_path, log=log))
    assert log.of("resumed") == []


def test_a_checkpoint_whose_best_weights_were_altered_is_passed_over(build, catalogue, training, tmp_path):
    sft = SFT(corpora=[NextItem()], **QUICK, epochs=2)
    expected = build()
    sft.train({"main": expected}, catalogue, training, Context(0, tmp_path))
    (file,) = tmp_path.glob("best-*/weights.safetensors")
    body = bytearray(file.read_bytes())
    body[-1] ^= 1
    file.write_bytes(body)
    log = Log()
    model = build()
    sft.train({"main": model}, catalogue, training, Context(0, tmp_path, log=log))
    assert log.of("resumed") == []
    assert same(weights(expected), weights(model))


def test_checkpoints_hold_safetensors_and_json_only(build, catalogue, training, tmp_path):
    with pytest.raises(Killed):
        SFT(corpora=[NextItem()], **QUICK).train(
            {"main": build()}, catalogue, training, Context(0, tmp_path, log=Log(dies_at=14))
        )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".safetensors", ".json"}
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-13", "best-10"}


def test_training_stops_when_patience_is_out_and_hands_on_the_best(build, catalogue, misled):
    log, model = Log(), build()
    options = {**QUICK, "epochs": 40, "patience": 2}
    SFT(corpora=[NextItem()], **options).train({"main": model}, catalogue, misled, Context(log=log))
    losses = [line["loss"] for line in log.of("valid")]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 40
    again = Log()
    repeat = SFT(corpora=[NextItem()], **{**options, "learning_rate": 1e-30, "max_steps": 1})
    repeat.train({"main": model}, catalogue, misled, Context(log=again))
    assert again.of("valid")[0]["loss"] == pytest.approx(min(losses), abs=1e-6)


def test_the_last_weights_are_handed_on_when_asked_for(build, catalogue, misled):
    best, last = build(), build()
    for model, keep in ((best, "best"), (last, "last")):
        options = {**QUICK, "epochs": 12, "patience": None, "keep": keep}
        sft = SFT(corpora=[NextItem()], **options)
        sft.train({"main": model}, catalogue, misled, Context())
    assert not same(weights(best), weights(last))


def test_accumulated_batches_train_like_one_large_batch(build, catalogue, training):
    large, small = build(), build()
    options = {"corpora": [NextItem()], "learning_rate": 1e-3, "max_steps": 1, "epochs": 1, "warmup": 0.0}
    options["clip"] = 0.0
    SFT(**options, batch_size=300).train({"main": large}, catalogue, training, Context())
    SFT(**options, batch_size=60, accumulation=5).train({"main": small}, catalogue, training, Context())
    start = weights(build())
    for name, value in weights(large).items():
        assert not torch.equal(value, start[name])
        torch.testing.assert_close(value, weights(small)[name], atol=3e-4, rtol=0)


def test_new_rows_alone_are_trained_under_weight_decay(build, catalogue, training):
    model = build()
    start = weights(model)
    ids = model.token_ids(catalogue.identifiers.new_tokens)
    SFT(corpora=[NextItem()], trainable="new-rows", weight_decay=0.1, learning_rate=1e-2, max_steps=4).train(
        {"main": model}, catalogue, training, Context()
    )
    (matrix,) = matrices(model.network)
    old = [row for row in range(len(matrix)) if row not in ids]
    for name, value in weights(model).items():
        if value.shape == matrix.shape:
            assert torch.equal(value[old], start[name][old])
            assert not torch.equal(value[ids], start[name][ids])
        else:
            assert torch.equal(value, start[name])


def test_the_model_remembers_the_length_it_was_trained_with(build, catalogue, training):
    model = build()
    SFT(corpora=[NextItem()], max_length=64, max_steps=1).train(
        {"main": model}, catalogue, training, Context()
    )
    assert Renderer(model, catalogue).max_length == 64


def test_without_validation_rows_the_last_weights_are_kept(build, catalogue, training):
    empty = training.train.__class__("valid", (), training.valid.rows.of([]), training.valid.targets[:0], 4)
    trained = SFT(corpora=[NextItem()], max_steps=2).train(
        {"main": build()}, catalogue, Training(training.train, empty), Context()
    )
    assert "valid loss" not in trained.curves


def test_nothing_to_learn_and_divergence_are_said(build, catalogue, training):
    with pytest.raises(GenrecError, match="`corpora` is empty"):
        SFT().train({"main": build()}, catalogue, training, Context())
    alone = training.train.__class__("train", ("u",), training.train.rows.of([[1]]), None, 4)
    with pytest.raises(GenrecError, match="nothing to learn"):
        SFT(corpora=[NextItem()]).train(
            {"main": build()}, catalogue, Training(alone, training.valid), Context()
        )
    with pytest.raises(StageError, match="diverged"):
        SFT(corpora=[NextItem()], learning_rate=1e15, warmup=0.0, clip=0.0).train(
            {"main": build()}, catalogue, training, Context()
        )


def test_bfloat16_on_a_cpu_learns_the_same_and_leaves_float32_weights(build, catalogue, training):
    def trained(precision):
        trainer = SFT(corpora=[NextItem(each="user")], precision=precision, epochs=10, batch_size=16)
        return trainer.train({"main": build()}, catalogue, training, Context())

    plain, fast = trained("float32"), trained("bfloat16")
    assert {value.dtype for value in fast.model.network.parameters()} == {torch.float32}
    assert fast.model.network.config._attn_implementation == "sdpa"
    OutputHead(fast.model.network)  # refuses a network whose logits are still rounded as in training
    ends = [run.curves["valid loss"][-1][1] for run in (plain, fast)]
    assert ends[0] != ends[1]
    assert ends[1] == pytest.approx(ends[0], rel=0.05)


def test_a_run_is_selected_by_what_it_recommends_where_asked(build, catalogue, training):
    log = Log()
    trainer = SFT(corpora=[NextItem()], epochs=6, learning_rate=5e-3, select_by="recall@10", patience=None)
    trained = trainer.train({"main": build()}, catalogue, training, Context(log=log))
    seen = [values["recall@10"] for values in log.of("valid")]
    assert [value for _, value in trained.curves["valid recall@10"]] == seen
    assert len(seen) == 6
    assert max(seen) > seen[0]
    corpus, requests = NextItem(), list(training.valid.requests())
    answers = ask(Beam(beams=20), {"main": trained.model}, requests, catalogue, corpus, Context())
    hits = [
        catalogue.identifiers.tokens(int(target)) in [beam.tokens for beam in answer.beams[:10]]
        for answer, target in zip(answers, training.valid.targets, strict=True)
    ]
    assert sum(hits) / len(hits) == pytest.approx(max(seen))


def test_a_corpus_whose_answers_are_no_items_cannot_select_by_recall(build, catalogue, training):
    class Chat(NextItem):
        def samples(self, view, catalogue, context):
            for sample in super().samples(view, catalogue, context):
                yield dataclasses.replace(sample, answer_form="")

    with pytest.raises(GenrecError, match="no `recall@10` to select by"):
        SFT(corpora=[Chat()], select_by="recall@10").train({"main": build()}, catalogue, training, Context())


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_every_schedule_rises_through_its_warm_up(build, catalogue, training, monkeypatch, schedule):
    rates = []
    after = SFTLoop.after_step

    def noted(loop, step, **flags):
        rates.append(loop.optimizer.param_groups[0]["lr"])
        after(loop, step, **flags)

    monkeypatch.setattr(SFTLoop, "after_step", noted)
    options = {"schedule": schedule, "warmup": 0.5, "learning_rate": 1e-3, "max_steps": 8}
    SFT(corpora=[NextItem()], **options).train({"main": build()}, catalogue, training, Context())
    assert rates[:3] == pytest.approx([0.25e-3, 0.5e-3, 0.75e-3])
