"""Trees with gradients give what one completion at a time gives, in every mixture."""

import dataclasses

import numpy as np
import pytest
import torch

from genrec_core.contracts.reward import Rollout
from genrec_core.engine.decoding.support import Support
from genrec_core.engine.rl import log_probabilities as module
from genrec_core.engine.rl import trees as trees_module
from genrec_core.engine.rl.log_probabilities import TreeScorer
from genrec_core.engine.rl.rollouts import Completion, PromptRollouts
from genrec_core.engine.rl.trees import pack_trees
from tests.engine.rl import by_hand

FORMS = ("identifier", "title")


@pytest.fixture
def groups(policy, samples):
    """Beams of unequal groups in two catalogues, one behind a prefix, one group with thoughts."""
    writer = policy()
    asked = [writer.prompt_of(sample) for sample in samples]
    asked[0] = writer.prompt_of(samples[0], prefix_length=1)
    made = []
    for place, one in enumerate(asked):
        (found,) = writer.search([one], width=2 + place)
        made.append(PromptRollouts(one, tuple(found)))
    thoughts = []
    for place, found in enumerate(made[1].completions):
        thought = (5, 6, 7 + place)
        learn = (False, True, place > 0, *found.learn)
        thoughts.append(Completion((*thought, *found.ids), learn, 3, Rollout((), "", 0.0)))
    made[1] = dataclasses.replace(made[1], completions=tuple(thoughts))
    first, *others = made[4].completions
    unbound = dataclasses.replace(first, answer=len(first.ids))  # written freely from its first token on
    made[4] = dataclasses.replace(made[4], completions=(unbound, *others))
    return made


def plainly(model, groups, tries):
    rows = [
        (torch.tensor(one.learn), *by_hand.log_probabilities(model.network, group.prompt.ids, one, trie))
        for group in groups
        for trie in [tries and tries[group.prompt.sample.answer_form]]
        for one in group.completions
    ]
    size = (len(rows), max(len(learn) for learn, *_ in rows))
    scores, entropies = torch.zeros(size), torch.zeros(size)
    for row, (learn, score, entropy) in enumerate(rows):
        scores[row, : len(learn)] = score * learn
        entropies[row, : len(learn)] = entropy * learn
    return scores, entropies


@pytest.mark.parametrize("scoring", ["legal", "full"])
@pytest.mark.parametrize("room", [512, 4], ids=["one row a group", "split groups"])
@pytest.mark.parametrize(
    ("tokens", "way"),
    [(32768, "tree"), (60, "tree"), (32768, "tree-added"), (60, "plain")],
    ids=["at once", "in trees", "an added mask", "path by path"],
)
def test_scores_entropies_and_gradients_are_those_of_one_completion_at_a_time(
    policy, groups, scoring, room, tokens, way, monkeypatch
):
    monkeypatch.setattr(trees_module, "ROOM", room)
    monkeypatch.setattr(module, "support_of", lambda network: Support(way))
    writer = policy(scoring, batch_tokens=tokens)
    model = writer.model
    constraints = [writer.decoder.constraint(form) for form in FORMS]
    tries = {form: c.trie for form, c in zip(FORMS, constraints, strict=True)} if scoring == "legal" else None
    trees = pack_trees(groups, writer, FORMS)
    assert (len(trees) > 1) == (tokens == 60)
    expected, surprise = plainly(model, groups, tries)
    scores, entropies = TreeScorer(model.network, constraints, scoring, 1.0).score(trees, expected.shape)
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(entropies, surprise, atol=1e-4, rtol=1e-4)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=expected.shape)).float()
    gradients = []
    for total in ((expected * noise).sum(), (scores * noise).sum()):
        model.network.zero_grad()
        total.backward()
        gradients.append([p.grad.clone() for p in model.network.parameters()])
    for plain, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, atol=1e-4, rtol=1e-4)


def test_a_vocabulary_that_does_not_fit_is_taken_in_pieces(policy, groups, monkeypatch):
    writer = policy("full")
    scorer = TreeScorer(
        writer.model.network, [writer.decoder.constraint(form) for form in FORMS], "full", 1.0
    )
    trees = pack_trees(groups, writer, FORMS)
    shape = (sum(len(group.completions) for group in groups), 40)
    whole = scorer.score(trees, shape)
    monkeypatch.setattr(module, "LOGITS", 3 * 500)
    parts = scorer.score(trees, shape)
    for first, second in zip(whole, parts, strict=True):
        torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-6)
    (whole[0].sum() - parts[0].sum()).backward()
    largest = max(float(p.grad.abs().max()) for p in writer.model.network.parameters())
    assert largest < 1e-4


def test_a_prompt_and_shared_beginnings_are_read_once(policy, samples):
    writer = policy()
    asked = writer.prompt_of(samples[0])
    (found,) = writer.search([asked], width=16)
    (tree,) = pack_trees([PromptRollouts(asked, tuple(found))], writer, FORMS)
    first = {completion.ids[:1] for completion in found}
    second = {completion.ids[:2] for completion in found}
    assert tree.ids.shape == (1, len(asked.ids) + len(first) + len(second))
    assert len(tree.positions) == 1 + len(first) + len(second)
    assert len(tree.tokens) == 16 * 3


def test_temperature_divides_logits(policy, groups):
    writer = policy(temperature=0.5)
    constraints = [writer.decoder.constraint(form) for form in FORMS]
    trees = pack_trees(groups[:1], writer, FORMS)
    group = groups[0]
    scores, _ = TreeScorer(writer.model.network, constraints, "legal", 0.5).score(
        trees, (len(group.completions), 3)
    )
    for row, completion in enumerate(group.completions):
        plain, _ = by_hand.log_probabilities(
            writer.model.network, group.prompt.ids, completion, constraints[0].trie, 0.5
        )
        torch.testing.assert_close(scores[row], plain * torch.tensor(completion.learn), atol=1e-5, rtol=1e-5)


def test_dropout_is_off_while_scoring_and_on_again_afterwards(policy, build, samples):
    writer = policy(model=build(dropout=0.5))
    asked = writer.prompt_of(samples[0])
    (found,) = writer.search([asked], width=4)
    trees = pack_trees([PromptRollouts(asked, tuple(found))], writer, FORMS)
    scorer = TreeScorer(
        writer.model.network, [writer.decoder.constraint(form) for form in FORMS], "legal", 1.0
    )
    writer.model.network.train()
    first, second = (scorer.score(trees, (4, 3))[0] for _ in range(2))
    assert torch.equal(first, second)
    assert writer.model.network.training
