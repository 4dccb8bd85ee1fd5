"""A baseline as a teacher: soft targets over the trie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from genrec_core import History, ItemRef, Sample, Text
from genrec_core.builtin.next_item import NextItem
from genrec_core.builtin.sft import SFT
from genrec_core.builtin.transitions import Transitions
from genrec_core.contracts.baseline import BaselineSession
from genrec_core.contracts.context import Context
from genrec_core.engine.decoding.constraint import AnswerTries
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.rendering.renderer import Renderer
from genrec_core.engine.training.batch_plan import Collator
from genrec_core.engine.training.loss import LegalLoss, learnt_losses
from genrec_core.engine.training.sample_table import rendered_table
from genrec_core.engine.training.teaching import TrieTeacher, expected_items
from genrec_core.identifiers.trie import compile_trie, forest

ITEMS = np.array([[0, 1, 2]], dtype=np.int32)
SHARES = np.array([[0.2, 0.3, 0.5]], dtype=np.float32)
PATHS = [[5, 7], [5, 8], [6, 7]]


def by_child(teacher, node, asked=0):
    children, shares = teacher.targets(torch.tensor([node]), torch.tensor([asked]))
    found: dict[int, float] = {}
    for child, share in zip(children[0].tolist(), shares[0].tolist(), strict=True):
        found[child] = found.get(child, 0.0) + share
    return {child: share for child, share in found.items() if share}


def test_shares_are_summed_over_the_items_below_each_child():
    teacher = TrieTeacher(compile_trie(PATHS), ITEMS, SHARES, 0.5)
    assert by_child(teacher, 1) == pytest.approx({1: 0.5, 2: 0.5})
    assert by_child(teacher, 3) == pytest.approx({3: 0.4, 4: 0.6})
    assert by_child(teacher, 5) == pytest.approx({5: 1.0})


def test_nothing_is_expected_where_the_teacher_was_not_asked_or_knows_no_item():
    assert by_child(TrieTeacher(compile_trie(PATHS), ITEMS, SHARES, 0.5), 1, asked=-1) == {}
    elsewhere = TrieTeacher(compile_trie(PATHS), ITEMS[:, :2], SHARES[:, :2], 0.5)
    assert by_child(elsewhere, 5) == {}


def test_each_catalogue_of_a_forest_has_its_own_nodes():
    trie = forest([compile_trie(PATHS), compile_trie([[9, 7], [9, 8], [9, 9]])])
    teacher = TrieTeacher(trie, ITEMS, SHARES, 0.5)
    second = int(trie.first[trie.roots[1]])
    assert by_child(teacher, second) == pytest.approx({second: 1.0})
    leaf = int(trie.first[second])
    assert by_child(teacher, leaf + 1) == pytest.approx({leaf: 0.2, leaf + 1: 0.3, leaf + 2: 0.5})


def test_identifiers_of_different_lengths_are_told_apart_by_their_end():
    trie = compile_trie([[5], [5, 7], [6]], terminator=2, terminate="ambiguous")
    teacher = TrieTeacher(trie, ITEMS, SHARES, 0.5)
    ends = trie.descend([5, 2])
    assert by_child(teacher, ends) == pytest.approx({ends: 0.4, trie.descend([5, 7]): 0.6})
    assert by_child(teacher, trie.descend([6])) == pytest.approx(
        {trie.descend([5]): 0.5, trie.descend([6]): 0.5}
    )


def test_the_loss_mixes_what_was_chosen_with_what_was_expected(build):
    trie, weight = compile_trie(PATHS), 0.3
    head = OutputHead(build().network)
    hidden = torch.randn(4, 64, generator=torch.Generator().manual_seed(0))
    nodes, asked = torch.tensor([1, 3, 4, 2]), torch.tensor([0, 0, -1, 0])
    found = LegalLoss(trie, head, TrieTeacher(trie, ITEMS, SHARES, weight))(hidden, nodes, asked=asked)
    logits = head.logits(hidden)
    above, below = logits[:, [5, 6]].log_softmax(-1), logits[:, [7, 8]].log_softmax(-1)
    soft = torch.tensor([0.5, 0.5]), torch.tensor([0.4, 0.6])
    wanted = torch.stack([
        -(1 - weight) * above[0, 0] - weight * (soft[0] * above[0]).sum(),
        -(1 - weight) * below[1, 0] - weight * (soft[1] * below[1]).sum(),
        -below[2, 1],
        -(1 - weight) * above[3, 1] - weight * (soft[0] * above[3]).sum(),
    ])  # fmt: skip
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


class Fixed(BaselineSession):
    """The same logits whatever was before."""

    def scores(self, requests):
        return np.tile(np.array([0.0, 2.0, 1.0], dtype=np.float32), (len(requests), 1))


def test_a_teacher_gives_its_best_items_and_their_shares():
    items, shares = expected_items(Fixed(3), [(0,), (1, 2)], 2, 0.5, Context())
    order = np.argsort(-shares, axis=1)
    assert np.take_along_axis(items, order, axis=1).tolist() == [[1, 2], [1, 2]]
    wanted = 1 / (1 + np.exp(-2))
    assert np.take_along_axis(shares, order, axis=1)[1].tolist() == pytest.approx([wanted, 1 - wanted])


def test_every_learnt_identifier_behind_a_history_is_asked_about(build, catalogue):
    renderer = Renderer(build(), catalogue)
    samples = [
        Sample((Text("x "), History((3, 1, 2), learn=True))),
        Sample((Text("x "), ItemRef(4, learn=True))),
        Sample((History((5, 0)), ItemRef(2, learn=True))),
    ]
    questions: list[tuple[int, ...]] = []
    table = rendered_table(samples, renderer, Context(), "x", AnswerTries(renderer), questions)
    assert questions == [(3,), (3, 1), (5, 0)]
    learnt = table.asked[table.nodes >= 0]
    width = len(renderer.answer_ids()[0])
    assert learnt.tolist() == [*[0] * width, *[1] * width, *[-1] * width, *[2] * width]


def test_a_model_that_is_taught_learns_what_the_teacher_expects(build, catalogue, training):
    counts = Transitions(repeats="counted")

    def shares(**options):
        trainer = SFT(
            corpora=[NextItem()], scoring="legal", max_steps=120, learning_rate=0.005, keep="last", **options
        )
        model = trainer.train({"main": build()}, catalogue, training, Context()).model
        renderer = Renderer(model, catalogue)
        tries, questions = AnswerTries(renderer), []
        samples = NextItem().samples(training.train, catalogue, Context())
        table = rendered_table(samples, renderer, Context(), "x", tries, questions)
        session = counts.open(counts.fit(catalogue.items, training, Context()), catalogue.items, Context())
        items, expected = expected_items(session, questions, 50, 0.5, Context())
        teacher = TrieTeacher(tries.trie, items, expected, 1.0)
        batch = Collator(table, "causal", model.pad_id).batch(np.arange(len(table)))
        legal = LegalLoss(tries.trie, OutputHead(model.network), teacher)
        with torch.no_grad():
            losses, _ = learnt_losses(model.network, batch, legal=legal)
        return float(losses.mean())

    assert shares(teacher=counts, teacher_weight=0.9) < shares() - 0.02


def test_a_teacher_needs_a_loss_over_legal_tokens():
    with pytest.raises(ValidationError, match="write `scoring: legal` with it"):
        SFT(corpora=[NextItem()], teacher=Transitions())
