"""Every architecture is decoded as plain forward passes score it, or refused by name before it is trained."""

import itertools

import pytest
import torch
import transformers
from packaging.version import Version

from genrec_core import Items
from genrec_core.contracts.errors import GenrecError
from genrec_core.engine.decoding.beam import SearchSettings, search
from genrec_core.engine.decoding.constraint import Constraint
from genrec_core.engine.decoding.encoder_decoder import EncoderDecoderState
from genrec_core.engine.decoding.output_head import OutputHead
from genrec_core.engine.decoding.support import decode_state_for, support_of
from genrec_core.engine.models.pretrained import pretrained_model
from genrec_core.engine.models.tiny import Shape, tiny_model
from genrec_core.identifiers.trie import compile_trie
from tests.engine.decoding.architectures import WAY_OF_T5, names, network
from tests.engine.decoding.random_models import Bare

ANSWERS = [[5, 6, 7], [5, 6, 8], [5, 9, 7], [10, 6, 7], [11, 12, 13], [11, 12, 14]]
PROMPTS = [[20, 21, 22], [30, 31, 32, 33, 34, 35, 36], [40, 41, 42]]

REFUSED = {
    "llama4_text": "a few tokens cannot be read with it",
    "modernbert-decoder": "a few tokens cannot be read with it",
    "cpmant": "a token's state depends on what stands behind it",
    "xlm": "a token's state depends on what stands behind it",
    "xmod": "Input language unknown",
    "fsmt": "a few tokens cannot be read with it",
}

REFUSED_BEFORE = dict.fromkeys(
    ("big_bird", "doge", "glm_moe_dsa", "megatron-bert", "rembert", "roformer"),
    ("5.24", "a token's state depends on what stands behind it"),
)
"""Refused with an older transformers, whose code lets a token see what stands behind it."""

VARIATIONS = {
    "mistral, a window of 4": ("mistral", {"sliding_window": 4}),
    "mixtral, a window of 4": ("mixtral", {"sliding_window": 4}),
    "phi3, a window of 4": ("phi3", {"sliding_window": 4}),
    "starcoder2, a window of 4": ("starcoder2", {"sliding_window": 4}),
    "qwen3_moe, a window of 4": ("qwen3_moe", {"sliding_window": 4, "use_sliding_window": True}),
    "qwen2, a window of 4": (
        "qwen2", {"sliding_window": 4, "use_sliding_window": True, "max_window_layers": 1}
    ),
    "gemma3, a window of 4": ("gemma3_text", {"sliding_window": 4}),
    "gemma2, low caps": (
        "gemma2", {"final_logit_softcapping": 2.0, "attn_logit_softcapping": 0.5, "sliding_window": 5}
    ),
    "cohere, a large scale": ("cohere", {"logit_scale": 5.0}),
    "granite, a scale": ("granite", {"logits_scaling": 4.0}),
    "falcon, ALiBi": ("falcon", {"alibi": True, "new_decoder_architecture": False}),
    "falcon, rotary": ("falcon", {"alibi": False}),
    "mpt, without ALiBi": ("mpt", {"attn_config": {"alibi": False}}),
    "llama, eager": ("llama", {"attn_implementation": "eager"}),
    "gpt2, eager": ("gpt2", {"attn_implementation": "eager"}),
    "llama, biases": ("llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
}  # fmt: skip


def exact(net, prompt):
    """Summed log-probability of each answer by one plain forward pass over whole rows."""
    if net.config.is_encoder_decoder:
        begun = torch.tensor([[net.config.decoder_start_token_id, *answer] for answer in ANSWERS])
        logits = net(input_ids=torch.tensor([prompt] * len(ANSWERS)), decoder_input_ids=begun).logits[:, :-1]
    else:
        rows = torch.tensor([[*prompt, *answer] for answer in ANSWERS])
        logits = net(input_ids=rows, use_cache=False).logits[:, len(prompt) - 1 : -1]
    logs = logits.float().log_softmax(-1)
    return logs.gather(2, torch.tensor(ANSWERS)[..., None]).sum((1, 2)).tolist()


def step_by_step(net, prompt):
    """The same, each token by a pass over what stands before it alone, as whoever writes has to read it."""
    scores = []
    for answer in ANSWERS:
        before = [torch.tensor([[*prompt, *answer[:place]]]) for place in range(len(answer))]
        logs = [net(input_ids=ids, use_cache=False).logits[0, -1].log_softmax(-1) for ids in before]
        scores.append(sum(float(log[token]) for log, token in zip(logs, answer, strict=True)))
    return scores


def beams_equal_brute_force(net, family, prompts=PROMPTS, scored=exact):
    trie = compile_trie(ANSWERS)
    state = decode_state_for(Bare(net, family), steps=3, width=4)
    found = search(state, OutputHead(net), Constraint(trie, torch.device("cpu")), prompts, SearchSettings(6))
    with torch.inference_mode():
        for row, prompt in enumerate(prompts):
            best = sorted(zip(scored(net, prompt), ANSWERS, strict=True), reverse=True)
            assert [trie.path(node) for node in found.nodes[row].tolist()] == [answer for _, answer in best]
            assert found.scores[row].tolist() == pytest.approx([score for score, _ in best], abs=2e-3)


@pytest.mark.parametrize(
    ("name", "encoder_decoder"),
    [
        *itertools.product(names(encoder_decoder=False), [False]),
        *itertools.product(names(encoder_decoder=True), [True]),
    ],
    ids=lambda value: value if isinstance(value, str) else ("seq2seq" if value else "causal"),
)
def test_an_architecture_is_decoded_as_plain_forward_passes_score_it_or_refused(name, encoder_decoder):
    net = network(name, encoder_decoder)
    newer, reason = REFUSED_BEFORE.get(name, ("0", ""))
    reason = REFUSED.get(name, reason if Version(transformers.__version__) < Version(newer) else "")
    if reason:
        with pytest.raises(GenrecError, match=f"`{type(net).__name__}` cannot be .*{reason}"):
            support_of(net)
    else:
        beams_equal_brute_force(net, "seq2seq" if encoder_decoder else "causal")


def test_what_cannot_be_decoded_is_refused_when_it_is_loaded(tmp_path):
    tiny = tiny_model(Items(("a",), {"title": ["red tent"]}), Shape(16, 1, 2, 16, 300), device="cpu")
    network("xlm", vocab_size=300).save_pretrained(tmp_path)
    tiny.text_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        GenrecError, match="`XLMWithLMHeadModel` cannot be trained or decoded here"
    ) as refused:
        pretrained_model(str(tmp_path))
    assert "use another architecture" in refused.value.hint


def test_an_encoder_decoder_that_names_no_first_token_is_refused():
    with pytest.raises(GenrecError, match="its config names no `decoder_start_token_id`"):
        support_of(network("mbart", encoder_decoder=True, decoder_start_token_id=None))


def test_a_network_is_measured_once():
    net, read = network("llama"), []
    net.get_decoder().register_forward_hook(lambda *_: read.append(1))
    support_of(net)
    measured = len(read)
    support_of(net)
    OutputHead(net)
    assert len(read) == measured <= 40


@pytest.mark.parametrize("name", ["mistral", "gemma3_text"])
def test_a_prompt_within_the_window_keeps_the_tree_and_a_longer_one_takes_copies(name):
    support = support_of(network(name, sliding_window=8))
    assert (support.way_for(8), support.way_for(9)) == ("tree", "copies")


@pytest.mark.parametrize(
    ("name", "way", "scale"),
    [("llama", "tree", 1.0), ("qwen3", "tree", 1.0), ("cohere", "tree", 0.0625), ("mpt", "copies", 1.0)],
)
def test_rounding_in_bfloat16_is_not_taken_for_a_difference(name, way, scale):
    support = support_of(network(name).to(torch.bfloat16))
    assert (support.way, support.linear) == (way, True)
    assert support.scale == pytest.approx(scale, rel=2e-3)


def test_soft_caps_show_in_bfloat16_too():
    assert not support_of(network("gemma2").to(torch.bfloat16)).linear


@pytest.mark.parametrize("label", VARIATIONS)
def test_windows_scales_caps_and_biases_change_no_score(label):
    name, options = VARIATIONS[label]
    beams_equal_brute_force(network(name, **options), "causal")


LONGROPE = {
    "max_position_embeddings": 64,
    "rope_parameters": {
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 8,
        "short_factor": [1.0] * 4, "long_factor": [4.0] * 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("lengths", [(3, 7, 3), (3, 14, 7), (7, 7, 7), (20, 20, 3)])
@pytest.mark.parametrize("name", ["phi3", "llama"])
def test_positions_that_count_otherwise_from_a_length_on_change_no_neighbours_score(name, lengths):
    """Rows before the turn (8 tokens with the answer), behind it, and answers that cross it, in one batch."""
    net = network(name, original_max_position_embeddings=8, **LONGROPE)
    assert (support_of(net).way_for(8), support_of(net).way_for(9)) == ("tree", "plain")
    draws = torch.Generator().manual_seed(1)
    prompts = [torch.randint(20, 60, (length,), generator=draws).tolist() for length in lengths]
    beams_equal_brute_force(net, "causal", prompts, step_by_step)


def test_a_turn_too_far_to_be_measured_is_never_read_from_a_cache():
    parameters = LONGROPE["rope_parameters"] | {"original_max_position_embeddings": 4096}
    net = network("llama", max_position_embeddings=8192, rope_parameters=parameters)
    assert (support_of(net).way_for(4096), support_of(net).way_for(4097)) == ("tree", "plain")


def test_positions_that_depend_on_the_batch_before_are_refused():
    parameters = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    with pytest.raises(GenrecError, match="`rope_type: dynamic` positions depend on how long the rows"):
        support_of(network("llama", max_position_embeddings=64, rope_parameters=parameters))


@pytest.mark.parametrize("name", ["t5", "mt5", "bart", "mbart", "marian", "pegasus", "m2m_100"])
def test_beams_of_an_encoder_decoder_share_the_encoders_keys(name):
    net = network(name, encoder_decoder=True)
    way = WAY_OF_T5 if name in ("t5", "mt5") else "shared"
    assert support_of(net).way == way
    if way == "copies":
        return
    state = decode_state_for(Bare(net, "seq2seq"), steps=3, width=4)
    copied = EncoderDecoderState(net, 0)
    assert torch.equal(state.start(PROMPTS), copied.start(PROMPTS))
    parents, tokens = torch.zeros((3, 4), dtype=torch.long), torch.tensor([[5, 6, 7, 8]] * 3)
    for _ in range(2):
        assert torch.allclose(state.advance(parents, tokens), copied.advance(parents, tokens), atol=1e-5)
        parents = torch.tensor([[3, 1, 1, 0], [2, 2, 2, 2], [0, 1, 2, 3]])
    assert {len(layer.keys) for layer in state._cache.cross_attention_cache.layers} == {3}
    assert {len(layer.keys) for layer in copied._cache.cross_attention_cache.layers} == {12}


def test_an_encoder_decoder_with_attention_of_its_own_keeps_it_and_repeats_keys():
    net = network("bart", encoder_decoder=True, attn_implementation="eager")
    assert support_of(net).way == "copies"
    assert net.get_decoder().config._attn_implementation == "eager"
    with pytest.raises(GenrecError, match="decoder of `BartForConditionalGeneration` has its own attention"):
        EncoderDecoderState(net, 0, shared=True)
    beams_equal_brute_force(net, "seq2seq")


def test_what_is_saved_of_a_network_names_no_attention_function_of_ours(tmp_path):
    net = network("bart", encoder_decoder=True)
    assert support_of(net).way == "shared"
    net.save_pretrained(tmp_path)
    assert "genrec" not in (tmp_path / "config.json").read_text()
