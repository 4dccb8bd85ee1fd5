"""Tiny networks of every architecture that transformers can build small, with weights wide enough apart."""

import torch
import transformers
from packaging.version import Version
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

_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8}
OWN = {
    "falcon": {"head_dim": None}, "dots1": {"n_shared_experts": 1}, "bamba": _MAMBA,
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"]},
    "nemotron_h": {"mamba_num_heads": 8, "mamba_head_dim": 8, "n_groups": 1, "ssm_state_size": 8},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1, "state_size": 8},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]}, "rwkv": {"attention_hidden_size": 32},
    "gpt_neo": {
        "num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": 4, "hidden_size": 32
    },
    "t5": {"decoder_start_token_id": 0}, "longt5": {"decoder_start_token_id": 0},
    "plbart": {"decoder_start_token_id": 0}, "switch_transformers": {"decoder_start_token_id": 0},
}  # fmt: skip
"""What an architecture needs besides."""

NOT_TINY = {
    False: {
        "pictures or sounds are read beside the text, by encoders with sizes of their own": {
            "blt", "emu3", "fuyu", "gemma3", "gemma3n", "gemma4", "gemma4_assistant", "gemma4_unified",
            "gemma4_unified_assistant", "git", "got_ocr2", "llama4", "mllama", "moss_transcribe_diarize",
            "musicgen", "musicgen_melody", "phi4_multimodal", "dots3_note", "qwen3_5", "qwen3_5_moe",
            "qwen4_exp",
        },
        "sizes differ by layer, or are lists that must fit each other": {
            "cohere_compass_text", "dbrx", "dots3_note_text", "gemma3n_text", "gemma4_text",
            "gemma4_unified_text", "qwen4_exp_text", "reformer", "xlstm", "zamba", "zamba2", "zaya",
            "longcat_flash",
        },
        "more than three million weights, or half a minute, however small the sizes": {
            "deepseek_v4", "falcon_h1", "inkling2_loop_text", "inkling2_text", "kimi_linear",
        },
        "its config gives no number of layers or no longest text to set": {"prophetnet", "xlnet"},
    },
    True: {
        "sounds are read, by encoders with sizes of their own": {
            "audioflamingo3", "glmasr", "granite_speech", "granite_speech_plus", "moss_transcribe_diarize",
            "musicflamingo", "nemo_speechlm", "omniasr", "qwen2_audio", "qwen3_asr", "vibevoice_asr",
            "voxtral", "voxtral_realtime",
        },
        "its config is made of those of two other networks": {"encoder-decoder", "t5gemma", "t5gemma2"},
        "its config gives no number of layers to set": {"prophetnet"},
    },
}  # fmt: skip
"""Architectures that are not built here, by the reason."""


def names(encoder_decoder: bool) -> list[str]:
    """Every architecture of a family that is built here."""
    mapping = (
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES if encoder_decoder else MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    )
    return sorted(set(mapping).difference(*NOT_TINY[encoder_decoder].values()))


WAY_OF_T5 = "copies" if Version(transformers.__version__) < Version("5.24") else "shared"
"""How beams of T5 and mT5 are read: in an older transformers they have an attention function of their own."""


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
