"""Soft identifiers by hand, who moves in which step, and that a killed training ends with the same bits."""

from __future__ import annotations

import copy
import math
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from genrec_plugin_idgenrec import rounds
from genrec_plugin_idgenrec.alternate import Alternate
from genrec_plugin_idgenrec.generator import Generator
from genrec_plugin_idgenrec.generator_settings import GeneratorSettings
from genrec_plugin_idgenrec.generator_step import GeneratorStep, rate, reading_only
from genrec_plugin_idgenrec.soft import (
    batch_of,
    embedding_table,
    identifier_logits,
    soft_embeddings,
    token_losses,
)
from genrec_plugin_idgenrec.writing import writing_of

from genrec_core import Catalogue, Context, GenrecError, Sequences, Training, View
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.tiny_backbones import TinyCausal, TinySeq2Seq
from genrec_core.engine import Model, Renderer
from genrec_core.testing.toy_model import model_digest

WALKS = [[(3 * user + step * (1 + user % 3)) % 24 for step in range(6)] for user in range(12)]


@pytest.fixture(scope="module")
def training():
    users = tuple(f"u{n}" for n in range(12))
    valid = View(
        "valid", users, Sequences.of([row[:4] for row in WALKS]), np.array([r[4] for r in WALKS], np.int32), 3
    )
    return Training(View("train", users, Sequences.of([row[:4] for row in WALKS]), None, 3), valid)


@pytest.fixture(scope="module")
def catalogue(items, named):
    return Catalogue(items, named.identifiers)


@pytest.fixture(scope="module")
def main(catalogue, seq2seq):
    return Model.of(seq2seq.build(catalogue, Context(seed=9)))


def rows_of(main, catalogue, training):
    renderer = Renderer(main, catalogue)
    return [
        (renderer.rendered(s), s.weight) for s in NextItem().samples(training.train, catalogue, Context())
    ]


def test_a_soft_embedding_is_the_average_under_probabilities():
    # IDGenRec check 3: log-probabilities would give -2.249.
    table, logits = torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, math.log(3)])
    assert soft_embeddings(logits, table).item() == pytest.approx(2.5)
    assert soft_embeddings(logits + 7, table).item() == pytest.approx(2.5)
    assert float(logits.log_softmax(0) @ table[:, 0]) == pytest.approx(-2.249, abs=1e-3)
    assert soft_embeddings(logits, table, temperature=1e6).item() == pytest.approx(2.0, abs=1e-4)


def test_a_token_feels_as_much_gradient_as_it_has_probability():
    # Of the average a = Σ p·e by a logit: p·(e − a), here ¼·(1 − 2.5) and ¾·(3 − 2.5).
    logits = torch.tensor([0.0, math.log(3)], requires_grad=True)
    soft_embeddings(logits, torch.tensor([[1.0], [3.0]])).sum().backward()
    assert logits.grad.tolist() == pytest.approx([-0.375, 0.375], abs=1e-6)
    sure = torch.tensor([0.0, 20.0], requires_grad=True)
    soft_embeddings(sure, torch.tensor([[1.0], [3.0]])).sum().backward()
    assert float(sure.grad.abs().max()) < 1e-6


@pytest.mark.parametrize("backbone", [TinySeq2Seq, TinyCausal])
def test_certain_logits_give_the_loss_of_the_identifiers_themselves(backbone, catalogue, training, shape):
    # IDGenRec check 5.
    main = Model.of(backbone(**shape).build(catalogue, Context(seed=9)))
    rows = rows_of(main, catalogue, training)[:7]
    batch = batch_of(rows, main, newest=2)
    written = main.tokenise(catalogue.answers("identifier"))
    table = embedding_table(main)
    steps = max(map(len, written))
    certain = torch.full((len(batch.items), steps, len(table)), -1e4)
    for source, item in enumerate(batch.items):
        for step, token in enumerate(written[item]):
            certain[source, step, token] = 0.0
    with torch.no_grad():
        hard, soft = token_losses(main, batch), token_losses(main, batch, soft_embeddings(certain, table))
        other = token_losses(main, batch, soft_embeddings(certain * 0, table))
    assert len(batch.places) > 0
    assert abs(float(hard - soft)) < 1e-5 * float(hard)
    assert abs(float(hard - other)) > 1e-3


def test_the_hard_loss_is_that_of_the_network_on_token_ids(main, catalogue, training):
    rows = rows_of(main, catalogue, training)[:1]
    batch = batch_of(rows, main, newest=10)
    labels = batch.labels.clone()
    with torch.no_grad():
        own = main.network(input_ids=batch.ids, attention_mask=batch.mask, labels=labels).loss
        ours = token_losses(main, batch) / batch.learnt
    assert float(ours) == pytest.approx(float(own), abs=1e-5)


def test_padding_changes_no_loss(main, catalogue, training):
    # IDGenRec check 9: each sample alone, and all in one batch padded to the longest.
    rows = rows_of(main, catalogue, training)[:9]
    assert len({len(rendered.ids) for rendered, _ in rows}) > 1
    with torch.no_grad():
        together = float(token_losses(main, batch_of(rows, main, 10)))
        alone = sum(float(token_losses(main, batch_of([row], main, 10))) for row in rows)
    assert together == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("backbone", [TinySeq2Seq, TinyCausal])
def test_logits_stand_where_the_generator_writes_each_token(backbone, items, named, shape):
    model = Model.of(backbone(**shape).build(Catalogue(items, named.identifiers), Context(seed=4)))
    generator = Generator(model, items, writing_of(named.identifiers))
    written = model.tokenise(["red tent", "a long identifier of the stove"])
    with torch.no_grad():
        both = identifier_logits(generator, [0, 17], written)
        for row, item in enumerate([0, 17]):
            alone = identifier_logits(generator, [item], [written[row]])[0]
            assert torch.allclose(both[row, : len(written[row])], alone, atol=1e-4)
    prompt = torch.tensor([generator.prompt(0)])
    with torch.no_grad():
        if model.family == "causal":
            first = model.network(input_ids=prompt).logits[0, -1]
        else:
            begin = torch.tensor([[model.network.config.decoder_start_token_id]])
            first = model.network(input_ids=prompt, decoder_input_ids=begin).logits[0, -1]
    assert torch.allclose(both[0, 0], first, atol=1e-4)


def options(**more):
    settings = {
        "epochs": 2,
        "learning_rate": 5e-3,
        "batch_size": 12,
        "patience": None,
        "checkpoint_minutes": 0.0,
    }
    own = GeneratorSettings(
        **{"learning_rate": 3e-3, "checkpoint_minutes": 0.0, **more.pop("id_generator", {})}
    )
    return {**settings, "corpora": [NextItem()], "rounds": 1, "id_generator": own, **more}


def trained(main, generator, catalogue, training, context=None, **more):
    models = {"main": copy.deepcopy(main), "generator": copy.deepcopy(generator)}
    return Alternate(**options(**more)).train(models, catalogue, training, context or Context(seed=5))


def texts(identifiers):
    return [identifiers.text(item) for item in range(len(identifiers))]


def test_the_generator_s_step_moves_the_generator_alone(main, named, catalogue, training):
    # IDGenRec check 4.
    rate = {"learning_rate": 1e-3}
    result = trained(main, named.model, catalogue, training, train="generator", id_generator=rate)
    assert model_digest(result.models["main"]) == model_digest(main)
    assert model_digest(result.models["generator"]) != model_digest(named.model)
    assert result.identifiers.version == named.identifiers.version + 1
    new, old = texts(result.identifiers), texts(named.identifiers)
    moved = sum(a != b for a, b in zip(new, old, strict=True))
    assert moved > 0
    assert result.curves["identifiers moved"] == [(1.0, float(moved))]
    assert len(set(new)) == 24


def test_the_recommender_s_step_moves_the_recommender_alone(main, named, catalogue, training):
    result = trained(main, named.model, catalogue, training, train="recommender")
    assert model_digest(result.models["generator"]) == model_digest(named.model)
    assert model_digest(result.models["main"]) != model_digest(main)
    assert result.identifiers.digest == named.identifiers.digest


def test_gradients_reach_every_weight_of_the_generator(main, named, catalogue, training):
    generator = Generator(copy.deepcopy(named.model), catalogue.items, writing_of(named.identifiers))
    rows = rows_of(main, catalogue, training)
    step = GeneratorStep(generator, main, catalogue, rows, GeneratorSettings(), seed=1)
    with reading_only(main.network):
        step.gradients(rows[:12])
    still = [name for name, value in generator.model.network.named_parameters() if not value.grad.abs().sum()]
    assert not still
    assert all(value.grad is None for value in main.network.parameters())


def test_the_recommender_learns_the_new_identifiers(main, named, catalogue, training, monkeypatch):
    seen = []

    def finetune(model, catalogue, *rest):
        seen.append(catalogue.identifiers)
        return rounds_finetune(model, catalogue, *rest)

    rounds_finetune = rounds.finetune
    monkeypatch.setattr(rounds, "finetune", finetune)
    result = trained(main, named.model, catalogue, training, rounds=2)
    assert [identifiers.version for identifiers in seen] == [2, 3]
    assert seen[1].digest == result.identifiers.digest
    before = dict(result.curves["valid loss on new identifiers before"])
    after = dict(result.curves["valid loss on new identifiers after"])
    assert set(before) == {1, 2}
    assert all(after[turn] < before[turn] for turn in before)
    shown = result.identifiers.settings["renamed"]
    assert set(shown) == {"1", "2"}
    assert all(named.identifiers.text(int(item[1:])) == name for item, name in shown["1"].items())


def test_orders_and_ablations_are_phases():
    def phases(**more):
        return Alternate(**options(rounds=2, **more)).phases()

    generator, recommender = "generator", "recommender"
    assert phases() == [(1, generator), (1, recommender), (2, generator), (2, recommender)]
    assert phases(order="rec_first") == [(1, recommender), (2, generator), (2, recommender)]
    assert phases(train="generator") == [(1, generator), (2, generator)]
    assert phases(train="recommender") == [(1, recommender), (2, recommender)]


class Killed(Exception):
    """Stands for a kill."""


SHORT = {"rounds": 2, "id_generator": {"max_steps": 4}, "max_steps": 4, "evaluate_every": 2}


@pytest.fixture(scope="module")
def whole(main, named, catalogue, training):
    """What a training gives that nobody kills."""
    return trained(main, named.model, catalogue, training, **SHORT)


@pytest.mark.parametrize("when", ["phase 1 step 2", "phase 2 step 3", "phase 3 written"])
def test_a_killed_training_ends_with_the_same_bits(when, whole, main, named, catalogue, training, tmp_path):
    phase, what = int(when.split()[1]), when.split()[2:]
    count = {"phase": 0, "steps": 0}

    def log(event, **values):
        if event == "phase":
            count.update(phase=count["phase"] + 1, steps=0)
        if what == ["written"] and event == "identifiers written" and count["phase"] == phase:
            raise Killed

    def progress(name, total=None):
        return Counting()

    class Counting:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def __call__(self, steps):
            count["steps"] += steps
            if what[0] == "step" and count["phase"] == phase and count["steps"] > int(what[1]):
                raise Killed

    context = Context(seed=5, workspace=tmp_path, log=log, progress=progress)
    with pytest.raises(Killed):
        trained(main, named.model, catalogue, training, context, **SHORT)
    events = []
    context = replace(context, log=lambda event, **_: events.append(event), progress=Context().progress)
    resumed = trained(main, named.model, catalogue, training, context, **SHORT)
    assert "resumed" in events
    for slot in ("main", "generator"):
        assert model_digest(resumed.models[slot]) == model_digest(whole.models[slot])
    assert resumed.identifiers.digest == whole.identifiers.digest
    assert resumed.identifiers.settings == whole.identifiers.settings
    assert resumed.curves == whole.curves


def test_rates_rise_and_fall():
    settings = GeneratorSettings(warmup=0.2)
    assert [round(rate(step, 10, settings), 3) for step in range(10)] == [
        0.333, 0.667, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125
    ]  # fmt: skip
    assert rate(9, 10, GeneratorSettings(schedule="constant")) == 1.0


def test_a_generator_with_another_vocabulary_or_bfloat16_is_refused(main, named, catalogue, training, shape):
    other = TinySeq2Seq(**{**shape, "vocabulary": 300}).build(catalogue, Context())
    with pytest.raises(GenrecError, match="soft identifiers need one vocabulary for both"):
        trained(main, other, catalogue, training)
    half = copy.deepcopy(named.model)
    half.network.to(torch.bfloat16)
    with pytest.raises(GenrecError, match="the generator's weights are bfloat16"):
        trained(main, half, catalogue, training)


def test_two_processes_give_the_gradients_of_one(main, named, catalogue, training, tmp_path):
    main.save(tmp_path / "main")
    named.model.save(tmp_path / "generator")
    script = Path(__file__).with_name("gradients_of_processes.py")
    runpy.run_path(str(script))["main"](tmp_path)
    # What `accelerate launch` runs for several processes on one machine; on CPUs alone it asks for mpirun.
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(script), str(tmp_path)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    from safetensors.torch import load_file

    one, two = (load_file(tmp_path / f"gradients-{count}.safetensors") for count in (1, 2))
    assert one.keys() == two.keys()
    assert float(one.pop("processes")) == 1
    assert float(two.pop("processes")) == 2
    for name, gradient in one.items():
        assert torch.allclose(gradient, two[name], rtol=1e-4, atol=1e-7), name
    assert max(float(gradient.abs().max()) for gradient in one.values()) > 1e-4


def test_the_report_shows_names_before_and_after_and_what_was_learnt(main, named, catalogue, training):
    from genrec_plugin_idgenrec.report import renamed

    from genrec_core.evaluation.report.facts import ReportFacts

    result = trained(main, named.model, catalogue, training)
    facts = ReportFacts(
        name="x",
        run_id="y",
        metrics={},
        curves={"alternate": result.curves},
        catalogue=replace(catalogue, identifiers=result.identifiers),
    )
    page = renamed(facts).content
    item, before = next(iter(result.identifiers.settings["renamed"]["1"].items()))
    after = result.identifiers.text(int(item[1:]))
    assert f"<td>{before}</td>" in page
    assert f"<td>{after}</td>" in page
    assert f"<td>{result.curves['identifiers moved'][0][1]:,.0f}</td>" in page
    assert f"{result.curves['valid loss on new identifiers after'][0][1]:.3f}" in page
    assert renamed(replace(facts, catalogue=catalogue)) is None
