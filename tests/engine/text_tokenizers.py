"""Text tokenizers of every kind that changes what it reads, and tiny random models that use them."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from genrec_core.engine.models.pretrained import assembled

LATIN = [chr(code) for code in range(33, 127)]
WIDE = [chr(code + 0xFEE0) for code in range(33, 127)]
CYRILLIC = [chr(code) for code in range(0x410, 0x450)]
SPECIAL = ["<pad>", "</s>", "<unk>"]


def _characters(alphabet, normalizer=None):
    """A text tokenizer of single characters with `▁` for spaces, like SentencePiece's."""
    vocabulary = {token: place for place, token in enumerate([*SPECIAL, "▁", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    return tokenizer


def _unigram(alphabet):
    """A vocabulary as T5 has it: pieces with scores, unknown characters become `<unk>`."""
    pieces = [(token, 0.0) for token in SPECIAL] + [
        (piece, -2.0) for piece in ["▁", *alphabet, "tent", "red"]
    ]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.normalizer = normalizers.Replace(r" ", "▁")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="never")
    return tokenizer


def _bytes():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*SPECIAL, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


TEXT_TOKENIZERS = {
    "lower-casing": lambda: _characters(LATIN, normalizers.Lowercase()),
    "nfkc": lambda: _characters(LATIN, normalizers.NFKC()),
    "t5-like": lambda: _unigram(LATIN),
    "every-script": lambda: _characters([*LATIN, *WIDE, *CYRILLIC]),
    "byte-level": _bytes,
}


def model_with(name, family="causal"):
    text_tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=TEXT_TOKENIZERS[name](), pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    torch.manual_seed(0)
    if family == "causal":
        network = Qwen3ForCausalLM(
            Qwen3Config(
                vocab_size=len(text_tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                num_attention_heads=2, num_key_value_heads=2, head_dim=8,
            )
        )  # fmt: skip
    else:
        network = T5ForConditionalGeneration(
            T5Config(vocab_size=len(text_tokenizer), d_model=16, d_ff=16, num_layers=1, num_heads=2, d_kv=8,
                     decoder_start_token_id=0)
        )  # fmt: skip
    return assembled(network, text_tokenizer, family, "never", name)
