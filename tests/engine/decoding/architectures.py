"""Tiny networks of every architecture that transformers can build small, with weights wide enough apart."""

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)

VOCABULARY = 64

_WIDTH = ("hidden_size", "n_embd", "d_model", "dim", "emb_dim", "word_embed_proj_dim", "embedding_size")
_LAYERS = (
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers",
    "num_encoder_layers", "num_decoder_layers",
)  # fmt: skip
_HEADS = (
    "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
    "decoder_attention_heads",
)  # fmt: skip
_INNER = (
    "intermediate_size", "n_inner", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "d_ff", "ffn_hidden_size"
)  # fmt: skip
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
_POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length")
SMALL = {
    **dict.fromkeys(_WIDTH, 32), **dict.fromkeys(_LAYERS, 2), **dict.fromkeys(_HEADS, 4),
    **dict.fromkeys(_INNER, 48), **dict.fromkeys(_EXPERTS, 4), **dict.fromkeys(_POSITIONS, 128),
    "vocab_size": VOCABULARY, "num_key_value_heads": 2, "multi_query_group_num": 2, "head_dim": 8, "d_kv": 8,
    "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16, "num_experts_per_tok": 2,
    "n_group": 1, "topk_group": 1, "pad_token_id": 1, "eos_token_id": 2, "bos_token_id": 0,
    "decoder_start_token_id": 0, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8, "v_head_dim": 8, "qk_head_dim": 16, "first_k_dense_replace": 1, "is_decoder": True,
    "dropout": 0.0, "rotary_dim": 4,
}  # fmt: skip

OWN = {
    "falcon": {"head_dim": None},
    "t5": {"decoder_start_token_id": 0}, "longt5": {"decoder_start_token_id": 0},
    "plbart": {"decoder_start_token_id": 0}, "switch_transformers": {"decoder_start_token_id": 0},
}  # fmt: skip
"""What an architecture needs besides."""

NOT_TINY = {
    False: {
        "bamba", "blt", "codegen", "cohere_compass_text", "cpmant", "dbrx", "deepseek_v4", "dots1",
        "dots3_note", "dots3_note_text", "emu3", "falcon_h1", "fuyu", "gemma3", "gemma3n",
        "gemma3n_text", "gemma4", "gemma4_assistant", "gemma4_text", "gemma4_unified",
        "gemma4_unified_assistant", "gemma4_unified_text", "git", "got_ocr2", "gpt_neo",
        "granitemoehybrid", "inkling2_loop_text", "inkling2_text", "kimi_linear", "lfm2_moe",
        "llama4", "mamba2", "mllama", "moss_transcribe_diarize", "musicgen", "musicgen_melody",
        "phi4_multimodal", "prophetnet", "qwen3_5", "qwen3_5_moe", "qwen4_exp", "qwen4_exp_text",
        "reformer", "roc_bert", "rwkv", "xlnet", "xlstm", "zamba", "zamba2", "zaya", "longcat_flash",
    },
    True: {
        "audioflamingo3", "encoder-decoder", "glmasr", "granite_speech", "granite_speech_plus",
        "moss_transcribe_diarize", "musicflamingo", "nemo_speechlm", "omniasr", "prophetnet",
        "qwen2_audio", "qwen3_asr", "t5gemma", "t5gemma2", "vibevoice_asr", "voxtral",
        "voxtral_realtime",
    },
}  # fmt: skip
"""Networks of pictures and sounds, and those that a handful of sizes do not make small."""


def names(encoder_decoder: bool) -> list[str]:
    """Every architecture of a family that is built here."""
    mapping = (
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES if encoder_decoder else MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    )
    return sorted(set(mapping) - NOT_TINY[encoder_decoder])


def network(name: str, encoder_decoder: bool = False, **options):
    """A network of two layers with random weights, the same every time."""
    kind = CONFIG_MAPPING[name]
    base = kind()
    given = {key: value for key, value in SMALL.items() if hasattr(base, key)}
    if "qk_rope_head_dim" in given:  # its heads are made of two parts, and it has as many keys as queries
        given = {**given, "num_key_value_heads": 4}
        given.pop("head_dim", None)
    given = {**given, **OWN.get(name, {}), **options}
    if given.get("head_dim", 0) is None:
        given.pop("head_dim")
    torch.manual_seed(0)
    auto = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
    built = auto.from_config(kind(**given)).eval()
    for weight in built.parameters():
        if weight.dim() == 2 and float(weight.detach().std()) < 0.1:
            weight.data.normal_(0, 0.15)
    return built
