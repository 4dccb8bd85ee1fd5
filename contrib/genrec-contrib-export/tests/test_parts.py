"""The parts of an export on examples made by hand."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from genrec_contrib_export.exporting import export_run, only_model
from genrec_contrib_export.flashrec import flashrec
from genrec_contrib_export.prompt_form import PromptForm, prompt_form
from genrec_contrib_export.shipped import logits_processor
from genrec_contrib_export.shipped.logits_processor import LegalIdentifiers
from safetensors.numpy import save_file

from genrec_core import Catalogue, GenrecError, Identifiers, Items
from genrec_core.builtin.beam import Beam
from genrec_core.contracts.samples import History, ItemRef, Sample, Text
from genrec_core.engine import Renderer, Shape, tiny_model
from genrec_core.identifiers.trie import compile_trie

END = 9


@pytest.fixture
def legal(tmp_path):
    """Makes the processor for token sequences; item number = place in the list."""

    def go(sequences, scoring="full", prompt=2):
        trie = compile_trie(sequences, terminator=END, terminate="ambiguous")
        names = ("first", "count", "tokens", "starts", "ends", "items")
        save_file({name: getattr(trie, name) for name in names}, tmp_path / "trie.safetensors")
        (tmp_path / "trie.json").write_text(json.dumps({"end": END, "scoring": scoring}))
        return LegalIdentifiers(tmp_path, prompt)

    return go


@pytest.mark.parametrize("part", ["by_item", "dense"])
def test_a_model_that_transformers_cannot_read_is_refused(part, monkeypatch):
    catalogue = Catalogue(Items(("a", "b"), {"title": ["x", "y"]}), Identifiers.of([("<a>",), ("<b>",)]))
    model = tiny_model(catalogue.items, Shape(hidden=16, layers=1, heads=2, intermediate=16), device="cpu")
    monkeypatch.setattr(type(model), part, property(lambda self: True))
    run = SimpleNamespace(
        pipeline=SimpleNamespace(spec=SimpleNamespace(recommend=Beam())), model=lambda slot: model
    )
    with pytest.raises(GenrecError, match="which is code of GenRec's that transformers does not have"):
        only_model(run)


def allowed(processor, *rows):
    """Tokens that may follow each row of written tokens, behind a prompt of two."""
    ids = torch.tensor([[7, 7, *row] for row in rows])
    scores = processor(ids, torch.zeros(len(rows), 10))
    return [row.isfinite().nonzero().squeeze(1).tolist() for row in scores]


def test_only_what_continues_an_identifier_may_follow(legal):
    """Check 4 of OneRec-Think: of (1, 3, 5) and (2, 3, 6), behind 1 3 comes 5 and never 6."""
    processor = legal([[1, 3, 5], [2, 3, 6]])
    assert allowed(processor, []) == [[1, 2]]
    assert allowed(processor, [1, 3], [2, 3]) == [[5], [6]]
    assert allowed(processor, [1, 3, 5], [2, 3, 6]) == [[END], [END]]
    assert allowed(processor, [1, 4], [3, 3]) == [[END], [END]]


def test_an_identifier_that_continues_another_needs_the_end(legal):
    processor = legal([[1], [1, 2]])
    assert allowed(processor, [1]) == [[2, END]]
    assert processor.items_of([1, END]) == [0]
    assert processor.items_of([1, 2, END]) == [1]
    assert processor.items_of([1, 2]) == [1]
    assert processor.items_of([2, END]) == []
    assert processor.items_of([]) == []


def test_items_that_share_an_identifier_are_all_named(legal):
    assert legal([[4, 5], [1, 2], [4, 5]]).items_of([4, 5, END]) == [0, 2]


def test_scores_stay_or_are_renormalised_and_the_end_of_a_whole_identifier_is_free(legal):
    ids, scores = (
        torch.tensor([[7, 7], [7, 7]]),
        torch.log(torch.tensor([[0.1, 0.2, 0.3, 0.4, *[1e-9] * 6]] * 2)),
    )
    kept = legal([[1, 3], [3, 1]])(ids, scores)
    assert kept[0, [1, 3]].exp().tolist() == pytest.approx([0.2, 0.4])
    summed = legal([[1, 3], [3, 1]], scoring="legal")(ids, scores)
    assert summed[0, [1, 3]].exp().tolist() == pytest.approx([1 / 3, 2 / 3])
    whole = legal([[1, 3], [3, 1]], scoring="legal")(torch.tensor([[7, 7, 1, 3]]), scores[:1])
    assert whole[0, END] == 0.0
    assert whole[0, :END].isinf().all()


def test_codes_become_paths_and_ranges():
    new = ("<a_0>", "<a_1>", "<a_2>", "<b_0>", "<b_1>")
    identifiers = Identifiers.of([("<a_2>", "<b_0>"), ("<a_0>", "<b_1>"), ("<a_2>", "<b_0>")], new_tokens=new)
    found = flashrec(identifiers, {token: 100 + place for place, token in enumerate(new)})
    assert found.plain() == {"2,0": 1, "0,1": 1}
    assert found.flags == "--sid-token-range 100:104 --sid-codebook-sizes 3,2"


def test_a_closing_boundary_token_is_the_last_code():
    new = ("<begin>", "<end>", "<a_0>", "<a_1>", "<b_0>", "<b_1>")
    rows = [("<begin>", "<a_1>", "<b_0>", "<end>"), ("<begin>", "<a_0>", "<b_1>", "<end>")]
    found = flashrec(Identifiers.of(rows, new_tokens=new), {token: 50 + i for i, token in enumerate(new)})
    assert found.plain() == {"1,0,1": 1, "0,1,1": 1}
    assert found.flags == (
        "--sid-token-range 52,53,54,55,50,51 --sid-codebook-sizes 2,2,2 --sid-boundary-tokens 50,51"
    )


@pytest.mark.parametrize(
    ("rows", "new", "why"),
    [
        (
            [("<a_0>",), ("<a_0>", "<b_0>")],
            ("<a_0>", "<b_0>"),
            "identifiers have 1 and 2 tokens, and FlashRec reads one length",
        ),
        (
            [("red", "tent"), ("big", "lamp")],
            (),
            "tokens are no numbered codes with a name for each level, like <a_12>",
        ),
        (
            [("<a_0>", "<a_1>")],
            ("<a_0>", "<a_1>"),
            "tokens are no numbered codes with a name for each level, like <a_12>",
        ),
        (
            [("<a_0>", "<b_0>"), ("<a_2>", "<b_0>")],
            ("<a_0>", "<a_2>", "<b_0>"),
            "the tokens of a level have no consecutive ids",
        ),
    ],
)
def test_what_flashrec_cannot_read_is_said(rows, new, why):
    found = flashrec(Identifiers.of(rows, new_tokens=new), {token: place for place, token in enumerate(new)})
    assert (found.paths, found.why_not) == ((), why)


@pytest.fixture(scope="module")
def renderer():
    items = Items(tuple("abcdef"), {"title": ["Red tent", "Lamp", "Blue tent", "Stove", "Mat", "Cup"]})
    rows = [(f"<a_{place}>", "<b_0>") for place in range(6)]
    tokens = [*(f"<a_{place}>" for place in range(6)), "<b_0>"]
    catalogue = Catalogue(items, Identifiers.of(rows, new_tokens=tokens))
    model = tiny_model(items, Shape(hidden=8, layers=1, heads=2, intermediate=8, context=40, vocabulary=300))
    from genrec_core.engine.models.vocabulary import extend

    extend(model, catalogue)
    return Renderer(model, catalogue)


LAYOUTS = {
    "identifiers": lambda items: (Text("Seen: "), History(items, separator=", "), Text(" Next: ")),
    "titles": lambda items: (History(items, form="title", separator="; "),),
    "identifiers and titles": lambda items: (
        Text("Seen: "), History(items, separator=" | ", between=" ", field="title"), Text("?"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_prompt_is_filled_in_as_the_renderer_writes_it(renderer, layout):
    def prompt(history):
        return Sample((*LAYOUTS[layout](history), ItemRef(0, learn=True)))

    form = prompt_form(renderer, prompt, (0, 1), max_history=5)
    rows = renderer.answer_ids
    for history in [(3,), (1, 2), (5, 5, 5), (0, 1, 2, 3, 4), (4, 3, 2, 1)]:
        assert form.filled(history, lambda name, item: rows(name)[item]) == renderer.prompt(prompt(history))


def test_the_newest_items_stay_where_there_is_no_room():
    form = PromptForm([1], [2], [3], ["identifier"], max_history=3, max_prompt=6)
    written = lambda name, item: [10 + item]  # noqa: E731 - as short as it is
    assert form.filled([4], written) == [1, 14, 3]
    assert form.filled([4, 5, 6, 7], written) == [1, 16, 2, 17, 3]
    assert form.filled([], written) == [1, 3]
    assert np.asarray(form.plain("causal")["item"]).tolist() == [{"form": "identifier"}]


def test_a_prompt_that_asks_for_other_items_has_no_form(renderer):
    def prompt(history):
        return Sample((Text("Not "), ItemRef(5), History(history), ItemRef(0, learn=True)))

    assert prompt_form(renderer, prompt, (0, 1), max_history=5) is None


def test_a_text_that_is_one_items_id_is_that_item_also_where_it_holds_a_comma(monkeypatch):
    folder = Path(logits_processor.__file__).parent
    monkeypatch.syspath_prepend(str(folder))
    exported = runpy.run_path(str(folder / "recommend.py"))["ExportedModel"]
    model = exported.__new__(exported)
    model.place = {"1": 0, "2": 1, "1,2": 2}
    assert [model.named(text) for text in ("1,2", "2,1", "")] == [["1,2"], ["2", "1"], []]


def test_several_processes_do_not_export(monkeypatch, tmp_path):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(GenrecError, match="`WORLD_SIZE` is `2`: several processes were started"):
        export_run(None, tmp_path / "out")
    assert not list(tmp_path.iterdir())
