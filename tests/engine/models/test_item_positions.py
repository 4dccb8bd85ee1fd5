"""Histories read by item: what stands at a position, what the cascade does, and that decoding agrees."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from genrec_core.builtin.tiny_backbones import TinyCausal, TinySeq2Seq
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.items import Items
from genrec_core.engine.decoding.support import support_of
from genrec_core.engine.models.item_positions import ItemPositions
from genrec_core.engine.models.last_block import last_block_at
from genrec_core.engine.models.model import load_model
from genrec_core.engine.models.reading_by_item import item_positions
from tests.engine.decoding.architectures import WAY_OF_T5

SHAPE = {"hidden": 16, "layers": 2, "heads": 2, "intermediate": 24, "vocabulary": 280, "device": "cpu"}
CODES = [("<a_0>", "<b_0>"), ("<a_0>", "<b_1>"), ("<a_1>", "<b_0>"), ("<a_1>", "<b_2>")]
NEW = ("<a_0>", "<a_1>", "<b_0>", "<b_1>", "<b_2>", "<c_0>", "<c_1>")


def catalogue_of(codes, new=NEW, separator=""):
    titles = {"title": [f"thing {place}" for place in range(len(codes))]}
    return Catalogue(
        Items(tuple(map(str, range(len(codes)))), titles),
        Identifiers.of(codes, new_tokens=new, separator=separator),
    )


def built(kind=TinyCausal, codes=CODES, **options):
    """A model whose weights are large enough to matter."""
    model = kind(**SHAPE, positions="item", **options).build(catalogue_of(codes), Context(seed=1))
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for value in model.network.parameters():
            value.normal_(0, 0.3, generator=generator)
    return model


def ids_of(model, *texts):
    rows = model.tokenise(list(texts))
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[model.pad_id] * (longest - len(row))] for row in rows])


def text(*items):
    return "".join("".join(CODES[item]) for item in items)


@torch.no_grad()
def test_a_position_reads_the_sum_of_an_items_codes_and_its_own_row():
    model = built()
    stack, items = model.network.model, item_positions(model.network)
    ids = ids_of(model, "x" + text(1, 3))
    states = stack(input_ids=ids).last_hidden_state[0]
    rows, own = stack.embed_tokens.weight[ids[0]], items.own
    # Own rows are in the order of identifiers, which is that of the catalogue here.
    read = torch.stack([rows[0], rows[1] + rows[2] + own[1], rows[3] + rows[4] + own[3]])
    plain = next(kind for kind in type(stack).__mro__ if kind.__name__ == "Qwen3Model")
    inner = plain.forward(stack, inputs_embeds=read[None], use_cache=False).last_hidden_state[0]
    torch.testing.assert_close(states[[0, 2, 4]], inner)
    torch.testing.assert_close(states[1], items.cascade(inner[:1], rows[1:2])[0])
    torch.testing.assert_close(states[3], items.cascade(inner[1:2], rows[3:4])[0])


@torch.no_grad()
def test_the_cascade_goes_on_through_longer_identifiers():
    model = built(codes=[("<a_0>", "<b_0>", "<c_0>"), ("<a_0>", "<b_1>", "<c_0>")])
    items, rows = item_positions(model.network), model.network.get_input_embeddings().weight
    ids = ids_of(model, "x<a_0><b_1>")
    states = model.network.model(input_ids=ids).last_hidden_state[0]
    first = items.cascade(states[:1], rows[ids[0, 1:2]])
    torch.testing.assert_close(states[1], first[0])
    torch.testing.assert_close(states[2], items.cascade(first, rows[ids[0, 2:3]])[0])


@torch.no_grad()
def test_a_state_depends_on_what_stands_before_it_alone_and_not_on_padding():
    model = built()
    ids = ids_of(model, text(0, 2, 1, 3), text(2))
    both = model.network(input_ids=ids).logits
    for length in range(1, 9):
        alone = model.network(input_ids=ids[:1, :length]).logits[0, -1]
        torch.testing.assert_close(both[0, length - 1], alone, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        both[1, :2], model.network(input_ids=ids[1:, :2]).logits[0], atol=1e-4, rtol=1e-4
    )


@torch.no_grad()
@pytest.mark.parametrize("whole", [True, False])
def test_last_states_are_those_of_the_last_tokens(whole):
    """Behind whole items, inside items at depth 1 and 2, at the beginning of a row, behind other tokens."""
    codes = [("<a_0>", "<b_0>", "<c_0>"), ("<a_0>", "<b_1>", "<c_0>")]
    model, one = built(codes=codes), "<a_0><b_1><c_0>"
    texts = [one, "x" + one + one, one + "x"]
    if not whole:
        texts += ["<a_0>", "<a_0><b_1>", one + "<a_0><b_0>", "x" + one + one + "<a_0>", "<a_0><b_2>"]
    ids = ids_of(model, *texts)
    lengths = (ids != model.pad_id).sum(dim=1)
    stack, rows = model.network.model, torch.arange(len(ids))
    states, nodes = stack.last_states(ids, lengths)
    torch.testing.assert_close(states, stack(input_ids=ids).last_hidden_state[rows, lengths - 1])
    assert nodes.tolist() == item_positions(model.network).layout(ids, model.pad_id).nodes.tolist()


@torch.no_grad()
def test_only_the_asked_positions_go_through_the_last_feed_forward_part_in_the_thread_that_asks():
    model = built()
    stack = copy.deepcopy(model.network).model
    ids = ids_of(model, text(0, 2, 1, 3), text(2, 1, 0, 3))
    lengths, seen = torch.tensor([8, 8]), []
    stack.layers[-1].mlp.gate_proj.register_forward_hook(
        lambda _, given, __: seen.append(given[0].shape[:-1])
    )
    everything = stack(input_ids=ids).last_hidden_state
    with ThreadPoolExecutor(1) as pool:
        with last_block_at(torch.tensor([3])):
            beside = pool.submit(lambda: stack(input_ids=ids).last_hidden_state).result()
        states, _ = stack.last_states(ids, lengths)
    assert [tuple(shape) for shape in seen] == [(2, 4), (2, 4), (2,)]
    torch.testing.assert_close(beside, everything)
    torch.testing.assert_close(states, everything[:, -1])


@torch.no_grad()
def test_an_item_that_came_later_is_read_by_its_codes_alone():
    model = built()
    items, ids = item_positions(model.network), ids_of(model, "<a_0><b_2><a_0><b_1>")
    layout = items.layout(ids, model.pad_id)
    assert layout.closes[0].tolist() == [False, True, False, True]
    assert layout.owners[layout.closes].tolist() == [len(items.own), 1]
    assert not items.own_rows(torch.tensor([len(items.own)])).any()


def test_a_code_that_ends_some_identifiers_may_stand_inside_others():
    codes = [*CODES[1:], ("<a_0>", "<b_0>", "<c_0>"), ("<a_0>", "<b_0>", "<c_1>")]
    model = built(codes=codes)
    items, ids = item_positions(model.network), ids_of(model, "<a_0><b_0><c_0><a_1><b_0><a_0><b_0>")
    layout = items.layout(ids, model.pad_id)
    assert layout.closes[0].tolist() == [False, False, True, False, True, False, False]
    assert layout.place[0].tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert layout.depth[0].tolist() == [1, 2, 0, 1, 0, 1, 2]
    assert layout.owners[layout.closes].tolist() == [
        3,
        1,
    ]  # shorter identifiers have the first rows
    assert support_of(model.network).way == "items"


@pytest.mark.parametrize("kind", [TinyCausal, TinySeq2Seq])
def test_a_model_is_kept_and_read_again(kind, tmp_path):
    model = built(kind)
    model.save(tmp_path)
    again = load_model(tmp_path, device="cpu")
    ids = ids_of(model, text(0, 2, 1))
    more = {} if kind is TinyCausal else {"decoder_input_ids": ids}
    assert torch.equal(
        model.network(input_ids=ids, **more).logits, again.network(input_ids=ids, **more).logits
    )
    assert item_positions(again.network) is not None
    assert support_of(again.network).way == ("items" if kind is TinyCausal else WAY_OF_T5)


@torch.no_grad()
def test_an_encoder_gives_all_tokens_of_an_item_the_state_of_its_position():
    model = built(TinySeq2Seq)
    ids = ids_of(model, text(0, 2), text(3))
    states = model.network.get_encoder()(
        input_ids=ids, attention_mask=(ids != model.pad_id).long()
    ).last_hidden_state
    assert torch.equal(states[0, 0], states[0, 1])
    assert not torch.equal(states[0, 1], states[0, 2])
    alone = model.network.get_encoder()(input_ids=ids[1:, :2]).last_hidden_state[0]
    torch.testing.assert_close(states[1, :2], alone, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_what_is_read_can_start_at_given_vectors():
    model = built()
    items, weight = item_positions(model.network), model.network.get_input_embeddings().weight
    vectors = np.zeros((4, 5), dtype=np.float32)
    vectors[1] = [1, 2, 3, 4, 5]
    rows = model.tokenise(["".join(code) for code in CODES])
    before = items.own.clone()
    items.start_from(vectors, rows, weight)
    read = weight[rows[1]].sum(dim=0) + items.own[1]
    assert read.tolist() == pytest.approx([1, 2, 3, 4, 5, *[0] * 11], abs=1e-5)
    assert torch.equal(items.own[[0, 2, 3]], before[[0, 2, 3]])


def test_identifiers_of_words_are_refused():
    words = catalogue_of([("red", "tent"), ("blue", "tent")], new=(), separator=" ")
    with pytest.raises(GenrecError, match="3 of their tokens are words: `blue`, `red`, `tent`"):
        TinyCausal(**SHAPE, positions="item").build(words, Context())


def test_identifiers_whose_end_cannot_be_seen_are_refused():
    with pytest.raises(GenrecError, match="every token inside an identifier ends another one"):
        ItemPositions.of([[5, 6], [6, 5]], 10, 4)
    with pytest.raises(GenrecError, match="is the beginning of another one"):
        ItemPositions.of([[5, 6], [5, 6, 7]], 10, 4)
