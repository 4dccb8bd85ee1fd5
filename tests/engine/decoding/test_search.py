"""Constrained search against exhaustive scoring and against transformers' own beam search."""

import math
import warnings
from collections import Counter
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.beam import SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint, log_probabilities
from genrec_core.engine.decoding.output_head import OutputHead, pair_products
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.identifiers.trie import compile_trie, forest
from tests.engine.decoding.random_models import END, FAMILIES, VOCABULARY, random_model
from tests.engine.decoding.reference import generated, score_one_by_one

CPU = torch.device("cpu")
prompts_of_any_length = st.lists(
    st.lists(st.integers(3, VOCABULARY - 1), min_size=1, max_size=9), min_size=1, max_size=4
)
catalogues = st.lists(
    st.lists(st.integers(3, 12), min_size=1, max_size=4), min_size=1, max_size=12, unique_by=tuple
)


@cache
def model_and_head(name):
    model = random_model(name)
    return model, OutputHead(model.network)


def run(name, trie, prompts, how, starts=None, prefixes=None):
    model, head = model_and_head(name)
    constraint = Constraint(trie, CPU)
    state = decode_state_for(model, steps=trie.depth(), width=how.beams)
    return search(state, head, constraint, prompts, how, starts, prefixes)


def found_texts(trie, found, row):
    return [tuple(trie.path(node)) for node in found.nodes[row].tolist() if node >= 0]


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=25, deadline=None)
@given(prompts=prompts_of_any_length, sequences=catalogues)
def test_with_enough_beams_the_result_is_exhaustive_scoring(name, prompts, sequences):
    trie = compile_trie(sequences, terminator=END)
    found = run(name, trie, prompts, SearchSettings(len(sequences) + 3))
    model, _ = model_and_head(name)
    for row, prompt in enumerate(prompts):
        exact = {(*s, END): sum(score_one_by_one(model, prompt, [*s, END])) for s in sequences}
        texts = found_texts(trie, found, row)
        assert set(texts) == set(exact)
        assert found.scores[row, : len(texts)].tolist() == pytest.approx([exact[t] for t in texts], abs=1e-4)
        assert found.scores[row].tolist() == sorted(found.scores[row].tolist(), reverse=True)
        assert (found.nodes[row, len(texts) :] == -1).all()


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=20, deadline=None)
@given(prompts=prompts_of_any_length, sequences=catalogues)
def test_legal_scores_are_renormalised_over_the_legal_tokens(name, prompts, sequences):
    trie = compile_trie(sequences, terminator=END)
    found = run(name, trie, prompts, SearchSettings(len(sequences), "legal"))
    # The legal tokens are all there is, so the probabilities of all identifiers sum to one.
    assert found.scores.exp().sum(1).tolist() == pytest.approx([1.0] * len(prompts), abs=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("beams", [2, 4, 10])
def test_beams_equal_those_of_generate_with_a_prefix_function(name, beams):
    rng = np.random.default_rng(beams)
    sequences = list({tuple(rng.integers(3, 30, rng.integers(1, 5)).tolist()) for _ in range(150)})
    trie = compile_trie(sequences, terminator=END)
    prompts = [rng.integers(3, VOCABULARY, size).tolist() for size in (3, 9, 1, 6)]
    found = run(name, trie, prompts, SearchSettings(beams))
    model, _ = model_and_head(name)
    for row, prompt in enumerate(prompts):
        texts, scores = generated(model, trie, prompt, beams, END)
        assert found_texts(trie, found, row) == texts
        assert found.scores[row].tolist() == pytest.approx(scores, abs=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_supplied_prefix_continues_where_it_stands(name):
    sequences = [[5, 6, 7], [5, 6, 8], [5, 9, 7], [6, 6, 6]]
    trie = compile_trie(sequences)
    prompts, prefix = [[20, 21, 22], [30]], [5, 6]
    starts = torch.full((2,), trie.descend(prefix))
    found = run(name, trie, prompts, SearchSettings(4), starts, [prefix, prefix])
    model, _ = model_and_head(name)
    for row, prompt in enumerate(prompts):
        # SINGER check 6: two leaves under the prefix, four beams → two valid answers, none fabricated.
        assert set(found_texts(trie, found, row)) == {(5, 6, 7), (5, 6, 8)}
        for node, score in zip(found.nodes[row, :2].tolist(), found.scores[row, :2].tolist(), strict=True):
            last = score_one_by_one(model, prompt, trie.path(node))[-1]
            assert score == pytest.approx(last, abs=1e-4)


def test_prefixes_of_different_lengths_share_a_batch():
    trie = compile_trie([[5, 6, 7], [5, 6, 8], [5, 9, 7], [6, 6, 6]])
    prefixes = [[5], [], [5, 6]]
    starts = torch.tensor([trie.descend(prefix) for prefix in prefixes])
    found = run("qwen3", trie, [[20, 21], [22], [23, 24, 25]], SearchSettings(4), starts, prefixes)
    counts = [len(found_texts(trie, found, row)) for row in range(3)]
    assert counts == [3, 4, 2]


def test_every_row_has_its_own_catalogue():
    ids, titles = compile_trie([[3, 4], [3, 5]]), compile_trie([[60, 61, 62], [63]], terminator=END)
    both = forest([ids, titles])
    starts = torch.tensor([both.roots[1], both.roots[0], both.roots[1]])
    found = run("qwen3", both, [[20], [21], [22]], SearchSettings(3), starts)
    texts = [set(found_texts(both, found, row)) for row in range(3)]
    assert texts == [{(60, 61, 62, END), (63, END)}, {(3, 4), (3, 5)}, {(60, 61, 62, END), (63, END)}]


def test_a_longer_identifier_is_ranked_by_its_summed_score():
    # SINGER check 7: no length normalisation.
    trie = compile_trie([[5, 6, 7], [5, 6, 8, 9]])
    found = run("llama", trie, [[20, 21]], SearchSettings(2))
    model, _ = model_and_head("llama")
    sums = {tuple(s): sum(score_one_by_one(model, [20, 21], s)) for s in ([5, 6, 7], [5, 6, 8, 9])}
    assert found_texts(trie, found, 0) == sorted(sums, key=sums.get, reverse=True)


@pytest.mark.parametrize("start", [-1, "leaf"])
def test_a_row_without_a_legal_token_raises(start):
    trie = compile_trie([[5, 6], [7, 8]])
    node = trie.descend([5, 6]) if start == "leaf" else start
    with pytest.raises(GenrecError, match=r"1 rows have no legal token to begin with \(rows `1`\)"):
        run("qwen3", trie, [[20], [21]], SearchSettings(2), torch.tensor([0, node]))


def test_nothing_invalid_in_a_hundred_thousand_generations():
    rng = np.random.default_rng(0)
    sequences = [(3 + rng.integers(0, 60, rng.integers(2, 6))).tolist() for _ in range(2000)]
    trie = compile_trie(sequences, terminator=END)
    real, seen = {(*row, END) for row in sequences}, 0
    for batch in range(20):
        prompts = [rng.integers(3, VOCABULARY, rng.integers(1, 6)).tolist() for _ in range(256)]
        noise = torch.Generator().manual_seed(batch) if batch % 2 else None
        found = run("qwen3", trie, prompts, SearchSettings(20, "legal", noise))
        nodes = found.nodes[found.nodes >= 0]
        seen += len(nodes)
        assert {tuple(trie.path(node)) for node in nodes.unique().tolist()} <= real
        assert all(len(set(row)) == len(row) for row in found.nodes.tolist())
    assert seen >= 100_000


def test_sampling_without_replacement_draws_as_the_model_does():
    trie = compile_trie([[10, 11], [10, 12], [13], [14, 15, 16]], terminator=END)
    exact = run("qwen3", trie, [[20, 21]], SearchSettings(4, "legal"))
    chance = dict(zip(exact.nodes[0].tolist(), exact.scores[0].exp().tolist(), strict=True))
    noise, draws = torch.Generator().manual_seed(3), 4000
    found = run("qwen3", trie, [[20, 21]] * draws, SearchSettings(2, "legal", noise))
    first = Counter(found.nodes[:, 0].tolist())
    for node, share in chance.items():
        assert first[node] / draws == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / draws))
    best = max(chance, key=chance.get)
    second = Counter(found.nodes[found.nodes[:, 0] == best, 1].tolist())
    for node in set(chance) - {best}:
        share = chance[node] / (1 - chance[best])
        assert second[node] / second.total() == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("scoring", ["full", "legal"])
def test_temperature_divides_logits_where_the_output_layer_has_a_bias(temperature, scoring):
    network = random_model("qwen3").network
    layer = torch.nn.Linear(32, VOCABULARY, bias=True)
    layer.weight.data.normal_(0, 1)
    layer.bias.data.normal_(0, 3)
    network.config.tie_word_embeddings = False
    network.set_output_embeddings(layer)
    constraint = Constraint(compile_trie([[3], [7], [9]]), CPU)
    hidden = torch.randn(2, 32)
    choices = constraint.choices(torch.zeros((2, 1), dtype=torch.long), torch.ones((2, 1), dtype=torch.bool))
    got = log_probabilities(OutputHead(network), hidden, choices, scoring, temperature)
    logits = layer(hidden) / temperature
    if scoring == "legal":
        logits = logits[:, [3, 7, 9]]
        expected = logits.log_softmax(1)
    else:
        expected = logits.log_softmax(1)[:, [3, 7, 9]]
    assert got.tolist() == pytest.approx(expected.reshape(-1).tolist(), abs=1e-5)


@pytest.mark.parametrize(("bias", "scale"), [(False, 1.0), (True, 1.0), (True, 0.5)])
def test_logits_of_a_few_pairs_are_those_of_the_whole_matrix(bias, scale):
    network = random_model("llama").network
    layer = torch.nn.Linear(32, VOCABULARY, bias=bias)
    network.set_output_embeddings(layer)
    head = OutputHead(network)
    head.linear, head.scale = True, scale
    hidden, counts = torch.randn(40, 32), torch.arange(40) % 3
    beams = torch.repeat_interleave(torch.arange(40), counts)
    tokens = torch.randint(VOCABULARY, (len(beams),))
    whole = torch.nn.functional.linear(hidden * scale, layer.weight, layer.bias)[beams, tokens]
    copied = head.logits_at(hidden, beams, counts, tokens)  # gradients are wanted: the whole matrix
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("error")
        pairs = head.logits_at(hidden, beams, counts, tokens)
        assert pair_products(hidden, layer.weight, counts, tokens).shape == (len(beams),)
    assert torch.allclose(copied, whole, atol=1e-5)
    assert torch.allclose(pairs, whole, atol=1e-5)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_what_one_identifier_alone_goes_on_from_is_not_read(name, seed, monkeypatch):
    """Seven of twelve identifiers are told apart by their first token, and all by their first two."""
    sequences = [(token, 20, 21, 22) for token in range(3, 10)]
    sequences += [(10, second, 20, 21) for second in range(11, 16)]
    trie = compile_trie(sequences)
    read = []
    model, head = model_and_head(name)

    def found():
        noise = None if seed is None else torch.Generator().manual_seed(seed)
        state = decode_state_for(model, steps=4, width=6)
        plain = state.advance

        def counted(parents, tokens, which=None):
            read.append(tokens.numel() if which is None else int(which.sum()))
            return plain(parents, tokens, which)

        state.advance = counted
        how = SearchSettings(6, "legal", noise=noise)
        return search(state, head, Constraint(trie, CPU), [[20, 21], [30, 31, 32]], how)

    some = found()
    assert sum(read) <= 2  # the beams that begin with 10, after their first token
    read.clear()
    monkeypatch.setattr(Constraint, "decided", lambda self, nodes: torch.zeros_like(nodes, dtype=torch.bool))
    every = found()
    assert sum(read) >= 2 * 6 * 2
    assert torch.equal(some.nodes, every.nodes)
    assert torch.allclose(some.scores, every.scores, atol=1e-6)


def test_a_model_that_bends_its_logits_is_scored_by_its_own_code():
    model = random_model("llama")
    plain = model.network.forward

    def capped(*args, **kwargs):
        out = plain(*args, **kwargs)
        out.logits = 3 * torch.tanh(out.logits / 3)
        return out

    model.network.forward = capped
    head, trie = OutputHead(model.network), compile_trie([[5, 6], [5, 7], [8, 9]])
    assert not head.linear
    state = decode_state_for(model, steps=2, width=3)
    found = search(state, head, Constraint(trie, CPU), [[20, 21]], SearchSettings(3))
    exact = {tuple(s): sum(score_one_by_one(model, [20, 21], s)) for s in ([5, 6], [5, 7], [8, 9])}
    texts = found_texts(trie, found, 0)
    assert texts == sorted(exact, key=exact.get, reverse=True)
    assert found.scores[0].tolist() == pytest.approx([exact[text] for text in texts], abs=1e-4)


def test_legal_training_of_a_model_that_bends_its_logits_is_refused():
    network = random_model("llama").network
    plain = network.forward

    def capped(*args, **kwargs):
        out = plain(*args, **kwargs)
        out.logits = torch.tanh(out.logits)
        return out

    network.forward = capped
    with pytest.raises(GenrecError, match=r"`LlamaForCausalLM` changes its logits") as refused:
        OutputHead(network).rows(torch.tensor([3]))
    assert refused.value.hint == "train it with `scoring: full`"
