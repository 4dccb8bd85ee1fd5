"""The filter between epochs (sheet §5.6, check 6), and what a killed activation does."""

import numpy as np
import pytest
from genrec_plugin_onerec_think import activation
from genrec_plugin_onerec_think.activation import Activation, without_unsolved
from genrec_plugin_onerec_think.next_item import PlainNextItem
from genrec_plugin_onerec_think.rationales import Rationales, has_rationale

from genrec_core import Context, Encoder, GenrecError, Training, View
from genrec_core.contracts.dataset import Sequences

TAGS = {"instruction": "", "question": "\n", "opening": "<t>", "closing": "</t>"}


class Same(Encoder):
    """Every item is like every other."""

    def encode(self, texts, state, context):
        return np.ones((len(texts), 1), dtype=np.float32)


class Log(list):
    def __call__(self, event, **values):
        self.append((event, values))


def trainer(**options):
    corpus = Rationales(field="kinds", encoder=Same(), max_per_user=1, **TAGS)
    usual = {"corpora": [corpus], "epochs": 2, "max_steps": 2, "batch_size": 8, "budget": 6, "patience": None}
    return Activation(**usual | {"filter": "beam"} | options)


@pytest.fixture
def training(valid):
    """User a goes on to item 1, user b to item 4."""
    rows = Sequences.of([[0, 1], [0, 4]])
    return Training(View("train", ("a", "b"), rows, None, 10), valid)


def test_beams_that_hold_the_target_of_a_alone_keep_the_rationale_of_a_and_blank_that_of_b(
    training, catalogue
):
    corpus = Rationales(field="kinds", encoder=Same(), **TAGS)
    a, b = corpus.samples(training.train, catalogue, Context())
    kept, blank = without_unsolved([a, b], {0})
    assert kept == a
    assert (has_rationale(b), has_rationale(blank)) == (True, False)
    assert blank.target == b.target == 4
    assert [blank.segments[n] for n in (0, 1, 2, 4, 5)] == [b.segments[n] for n in (0, 1, 2, 4, 5)]


def test_the_second_epoch_learns_without_the_rationales_that_the_model_does_not_reach(
    model, catalogue, training, monkeypatch
):
    learnt = []
    from genrec_core import engine

    real = engine.finetune

    def spy(model, catalogue, training, corpora, settings, context):
        learnt.append(list(corpora[0].samples(training.train, catalogue, context)))
        return real(model, catalogue, training, corpora, settings, context)

    def beams_behind(decoder, samples, settings, seed):
        assert (settings.count, settings.temperature, settings.top_p) == (2, 0.8, 0.95)
        assert (settings.opening, settings.closing, decoder.settings.beams) == ("<t>", "</t>", 5)
        for sample in samples:
            target = sample.target if sample.target == 1 else 2
            yield [stub(catalogue, item) for item in (3, target)]

    monkeypatch.setattr(engine, "finetune", spy, raising=False)
    monkeypatch.setattr(engine, "beams_behind_thoughts", beams_behind, raising=False)
    log = Log()
    curves = trainer().train({"main": model}, catalogue, training, Context(seed=4, log=log)).curves
    first, second = learnt
    assert [has_rationale(sample) for sample in first] == [True, True]
    assert [has_rationale(sample) for sample in second] == [True, False]
    assert [sample.target for sample in second] == [1, 4]
    assert ("filter", {"looked_at": 2, "kept": 1}) in log
    assert [share for _, share in curves["rationales kept"]] == [1.0, 0.5]


def stub(catalogue, item):
    from types import SimpleNamespace

    from genrec_core import Candidate, Candidates

    beam = Candidate(catalogue.identifiers.tokens(item), -1.0)
    return SimpleNamespace(answer=Candidates((beam,)))


def weights(model):
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def test_a_run_that_was_killed_in_the_second_epoch_ends_with_the_same_weights_and_asks_nothing_twice(
    build, catalogue, training, tmp_path, monkeypatch
):
    import torch

    whole = build()
    trainer().train({"main": whole}, catalogue, training, Context(seed=4, workspace=tmp_path / "whole"))
    workspace = tmp_path / "killed"
    real = activation.without_unsolved

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(activation, "without_unsolved", killed)
    with pytest.raises(KeyboardInterrupt):
        trainer().train({"main": build()}, catalogue, training, Context(seed=4, workspace=workspace))
    monkeypatch.setattr(activation, "without_unsolved", real)

    def never(*_):
        raise AssertionError("the filter's answers are on disk")

    monkeypatch.setattr(Activation, "_solved", never)
    again = build()
    trainer().train({"main": again}, catalogue, training, Context(seed=4, workspace=workspace))
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(again).items())


def test_without_a_filter_it_is_plain_fine_tuning(build, catalogue, training):
    import torch

    from genrec_core.builtin.sft import SFT

    one, other = build(), build()
    trainer(filter="none").train({"main": one}, catalogue, training, Context(seed=4))
    corpora = [Rationales(field="kinds", encoder=Same(), max_per_user=1, **TAGS)]
    SFT(corpora=corpora, epochs=2, max_steps=2, batch_size=8, patience=None, keep="last").train(
        {"main": other}, catalogue, training, Context(seed=4)
    )
    assert all(torch.equal(value, weights(one)[name]) for name, value in weights(other).items())


@pytest.mark.parametrize(
    ("corpora", "named"), [([PlainNextItem()], "next_item.PlainNextItem"), ([], "missing")]
)
def test_the_first_corpus_must_give_rationales(corpora, named):
    with pytest.raises(GenrecError, match="must give rationales") as refused:
        Activation(corpora=corpora).refuse_unusable()
    assert named in str(refused.value)
    Activation(corpora=[rationales(), *corpora]).refuse_unusable()


def rationales():
    return Rationales(field="kinds", encoder=Same())
