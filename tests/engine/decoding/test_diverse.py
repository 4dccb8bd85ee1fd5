"""Diverse beam search on hand-made logits, and against plain beam search."""

import pytest
import torch

from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.beam import SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.diverse import DiverseSettings, diverse_beam_search, write_diversely
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for
from genrec_core.identifiers.trie import compile_trie
from tests.engine.decoding.random_models import END, PAD, random_model


class Fixed:
    """A search state whose logits are the same after every token."""

    def __init__(self, logits):
        self.logits = torch.tensor(logits)

    def start(self, prompts, prefixes=None):
        return self.logits.expand(len(prompts), 1, -1)

    def advance(self, parents, tokens):
        return self.logits.expand(*tokens.shape, -1)


class Identity:
    """A head that takes hidden states for logits."""

    def __init__(self, size):
        self.size = size

    def logits(self, hidden):
        return hidden.clone()


def first_tokens(penalty):
    settings = DiverseSettings(beams=2, groups=2, penalty=penalty, end_id=3, max_tokens=1)
    logits = [2.0, 1.9, 0.0, -9.0]
    (texts,) = diverse_beam_search(Fixed(logits), Identity(4), [[0]], settings)
    return [text.tokens for text in texts]


def test_a_penalty_makes_the_second_group_choose_another_token():
    # IDGenRec check 8: first logits [2.0, 1.9, 0], two groups.
    assert first_tokens(0.2) == [(0,), (1,)]
    assert first_tokens(0.05) == [(0,), (0,)]


@pytest.mark.parametrize("name", ["qwen3", "t5"])
def test_one_group_without_penalty_is_plain_beam_search(name):
    model, prompt = random_model(name), [20, 21, 22]
    skip = 3 if name == "qwen3" else 1

    def ends_after_four(_, ids):
        return [END] if len(ids) == skip + 4 else list(range(80))

    settings = DiverseSettings(beams=5, end_id=END, max_tokens=4)
    state = decode_state_for(model, steps=5, width=5)
    (texts,) = diverse_beam_search(state, OutputHead(model.network), [prompt], settings)
    out = model.network.generate(
        torch.tensor([prompt]), num_beams=5, num_return_sequences=5, do_sample=False, length_penalty=0.0,
        min_new_tokens=2, max_new_tokens=5, early_stopping=False, eos_token_id=END, pad_token_id=PAD,
        return_dict_in_generate=True, output_scores=True,
        prefix_allowed_tokens_fn=ends_after_four,
    )  # fmt: skip
    rows = [row[skip:].tolist() for row in out.sequences]
    expected = [tuple(row[: row.index(END)]) for row in rows]  # behind the end is padding
    assert [text.tokens for text in texts] == expected
    assert [text.score for text in texts] == pytest.approx(out.sequences_scores.tolist(), abs=1e-4)


def test_groups_without_penalty_all_find_the_same():
    model = random_model("llama")
    settings = DiverseSettings(beams=6, groups=3, end_id=END, max_tokens=3)
    (texts,) = diverse_beam_search(
        decode_state_for(model, steps=4, width=6), OutputHead(model.network), [[20, 21]], settings
    )
    by_group = [[text.tokens for text in texts if text.group == group] for group in range(3)]
    assert by_group[0] == by_group[1] == by_group[2]


def test_texts_are_no_shorter_than_asked():
    model = random_model("qwen3")
    settings = DiverseSettings(beams=4, groups=2, penalty=0.5, end_id=END, max_tokens=5, min_tokens=3)
    rows = diverse_beam_search(
        decode_state_for(model, steps=6, width=4), OutputHead(model.network), [[20], [21, 22]], settings
    )
    assert all(3 <= len(text.tokens) <= 5 for row in rows for text in row)
    assert all(row for row in rows)


def test_groups_must_divide_beams():
    with pytest.raises(GenrecError, match="5 beams cannot be split into 2 equal groups"):
        diverse_beam_search(Fixed([0.0]), Identity(1), [[1]], DiverseSettings(beams=5, groups=2))


@pytest.mark.parametrize("name", ["qwen3", "t5"])
def test_prompts_of_any_length_are_answered_in_order_as_each_alone(name):
    model = random_model(name)
    prompts = [[20], [21, 22, 23, 24], [25, 26], [20]]
    settings = DiverseSettings(beams=4, groups=4, penalty=0.5, end_id=END, max_tokens=4)
    together = write_diversely(model, prompts, settings, batch_tokens=8)
    alone = [write_diversely(model, [prompt], settings)[0] for prompt in prompts]
    assert [[text.tokens for text in row] for row in together] == [
        [text.tokens for text in row] for row in alone
    ]
    assert together[0] == together[3]


IDENTIFIERS = [[3, 4], [3, 5], [3, 5, 6], [7], [8, 9], [8, 3], [8, 4, 4], [9, 9]]
"""Of eight items; [3, 5] is the beginning of another one."""


def constrained(name, settings, exclude=((),), only=None, terminate="always"):
    model = random_model(name)
    trie = compile_trie(IDENTIFIERS, terminator=END, terminate=terminate)
    limits = Constraint(trie, torch.device("cpu")).for_rows(exclude, only)
    state = decode_state_for(model, steps=trie.depth(), width=settings.beams)
    prompts = [[20, 21, 22], [30, 31]][: len(exclude)]
    return diverse_beam_search(state, OutputHead(model.network), prompts, settings, limits)


@pytest.mark.parametrize("name", ["qwen3", "t5"])
def test_one_constrained_group_is_constrained_beam_search(name):
    (texts,) = constrained(name, DiverseSettings(beams=4, end_id=END, max_tokens=3))
    trie = compile_trie(IDENTIFIERS, terminator=END, terminate="always")
    model = random_model(name)
    state = decode_state_for(model, steps=trie.depth(), width=4)
    limits = Constraint(trie, torch.device("cpu"))
    found = search(state, OutputHead(model.network), limits, [[20, 21, 22]], SearchSettings(4))
    assert [list(text.tokens) for text in texts] == [trie.path(node)[:-1] for node in found.nodes[0].tolist()]
    assert [text.score for text in texts] == pytest.approx(found.scores[0].tolist(), abs=1e-4)


@pytest.mark.parametrize("terminate", ["always", "ambiguous"])
@pytest.mark.parametrize("name", ["qwen3", "t5"])
def test_no_group_reaches_what_its_row_may_not_be_given(name, terminate):
    settings = DiverseSettings(beams=8, groups=2, penalty=0.7, end_id=END, max_tokens=3)
    exclude, only = [(0, 3), (4,)], [None, frozenset({1, 2, 4})]
    rows = constrained(name, settings, exclude, only, terminate)
    for texts, left in zip(rows, [{1, 2, 4, 5, 6, 7}, {1, 2}], strict=True):
        for group in (0, 1):
            written = [list(text.tokens) for text in texts if text.group == group]
            allowed = [IDENTIFIERS[item] for item in left]
            assert all(one in allowed for one in written)
            assert len(written) == len({tuple(one) for one in written}) == min(4, len(left))


def test_a_row_that_is_allowed_nothing_gets_no_texts():
    settings = DiverseSettings(beams=4, groups=2, penalty=0.5, end_id=END, max_tokens=3)
    none, some = constrained("qwen3", settings, [range(8), ()])
    assert none == []
    assert len(some) == 4
