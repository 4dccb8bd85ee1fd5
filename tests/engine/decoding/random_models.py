"""Tiny models with random weights, wide enough apart that ranks are not ties."""

from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

VOCABULARY, END, PAD = 80, 2, 1
FAMILIES = ("qwen3", "llama", "t5")


@dataclass
class Bare:
    """What a state needs of a model."""

    network: Any
    family: str
    pad_id: int = PAD


def random_model(name: str, seed: int = 0) -> Bare:
    """A two-layer model of a family with random weights."""
    torch.manual_seed(seed)
    shape = {
        "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3,
    }  # fmt: skip
    if name == "qwen3":
        return Bare(
            Qwen3ForCausalLM(Qwen3Config(head_dim=8, tie_word_embeddings=True, **shape)).eval(), "causal"
        )
    if name == "llama":
        return Bare(LlamaForCausalLM(LlamaConfig(tie_word_embeddings=False, **shape)).eval(), "causal")
    config = T5Config(
        vocab_size=VOCABULARY,
        d_model=32,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        d_kv=8,
        decoder_start_token_id=0,
    )
    network = T5ForConditionalGeneration(config).eval()
    for weight in network.parameters():
        weight.data.normal_(0, 0.3)
    return Bare(network, "seq2seq")
