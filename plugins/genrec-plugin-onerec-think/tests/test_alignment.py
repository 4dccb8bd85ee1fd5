"""Itemic tokens and their two substages: what warm-up moves, and what it must not (sheet §5.6, check 3)."""

from dataclasses import replace

import pytest
import torch
from genrec_plugin_onerec_think.boundaries import boundaries, levels
from genrec_plugin_onerec_think.captions import Captions
from genrec_plugin_onerec_think.general_text import GeneralText
from genrec_plugin_onerec_think.next_item import PlainNextItem
from genrec_plugin_onerec_think.persona import Persona
from genrec_plugin_sid.rq_kmeans import RQKMeans

from genrec_core import Context, Encoder, Items, Training
from genrec_core.builtin.sft import SFT


class Lattice(Encoder):
    """Items on a line, so that codes are easy to find."""

    def encode(self, texts, state, context):
        import numpy as np

        return np.arange(len(texts), dtype=np.float32).reshape(-1, 1) ** 1.5


def test_four_levels_and_two_boundary_tokens_are_1026_new_tokens_over_any_tokenizer_of_the_toolkit(train):
    items = Items(tuple(f"i{n}" for n in range(2000)), {"title": [f"item {n}" for n in range(2000)]})
    tokenizer = RQKMeans(
        encoder=Lattice(),
        levels=4,
        codes=256,
        iterations=2,
        collisions="keep",
        template="<item_{level}_{code}>",
        begin="<|item_begin|>",
        end="<|item_end|>",
    )
    identifiers = tokenizer.fit(items, train, Context(seed=1))
    assert len(identifiers.new_tokens) == 1026
    assert boundaries(identifiers) == ("<|item_begin|>", "<|item_end|>")
    written = identifiers.tokens(7)
    assert len(written) == 6
    assert (written[0], written[-1]) == boundaries(identifiers)
    assert [token[:8] for token in levels(written, identifiers)] == [f"<item_{level}_" for level in "abcd"]


def before_and_after(model, catalogue, training, options):
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    SFT(**options).train({"main": model}, catalogue, training, Context(seed=2))
    return before, model.network.state_dict()


@pytest.mark.parametrize("tie", [True, False], ids=["tied", "untied"])
def test_warm_up_moves_the_rows_of_item_tokens_and_no_other_bit(build, catalogue, train, valid, tie):
    model = build(tie=tie, dropout=0.1)
    options = {
        "corpora": [Persona(attributes=("age",), interests="kinds")],
        "trainable": "new-rows",
        "weight_decay": 0.1,
        "learning_rate": 0.01,
        "max_steps": 3,
        "keep": "last",
    }
    before, after = before_and_after(model, catalogue, Training(train, valid), options)
    new = torch.zeros(model.network.get_input_embeddings().weight.shape[0], dtype=torch.bool)
    new[model.token_ids(catalogue.identifiers.new_tokens)] = True
    heads = {"model.embed_tokens.weight", "lm_head.weight"}
    assert heads <= set(after)
    for name, value in after.items():
        if name not in heads:
            assert torch.equal(value, before[name]), name
            continue
        assert torch.equal(value[~new], before[name][~new]), name
        moved = (value != before[name]).any(dim=1)
        written = model.token_ids(["<|item_begin|>", "<item_a_0>", "<item_b_1>"])
        assert moved[written].all(), name


def test_integration_moves_everything_and_captions_are_learnt(build, catalogue, train, valid, tmp_path):
    (tmp_path / "general.txt").write_text("Rain falls on hills and rivers carry it to the sea.")
    model = build(hidden=48, layers=2)
    corpora = [
        PlainNextItem(),
        Captions(weight=4.0),
        Persona(interests="kinds"),
        GeneralText(path=tmp_path / "general.txt", weight=0.5),
    ]
    options = {"corpora": corpora, "epochs": 40, "learning_rate": 0.01, "batch_size": 16, "patience": None}
    before, after = before_and_after(model, catalogue, Training(train, valid), options | {"keep": "last"})
    assert [name for name in after if torch.equal(after[name], before[name])] == []

    from genrec_core.engine import FreeDecoder, FreeDecoderSettings, Renderer

    asked = Captions()
    told = []
    decoder = FreeDecoder(model, catalogue, FreeDecoderSettings(beams=1, max_tokens=40))
    samples = list(asked.samples(train, catalogue, Context()))
    prompts = [
        replace(sample, segments=asked.question(sample.target), answer_form="title") for sample in samples
    ]
    for answer in decoder.candidates(prompts):
        told.append(answer.beams[0].text)
    right = [asked.caption(sample.target, catalogue) for sample in samples]
    assert Renderer(model, catalogue).prompt(samples[0]) == Renderer(model, catalogue).prompt(prompts[0])
    assert sum(one == other for one, other in zip(told, right, strict=True)) >= 4, (told, right)
