"""Tiny models: a small Qwen3 or T5 network and a byte-level BPE text tokenizer, both made here.

The network is built from a config and a seed; the text tokenizer is trained on the catalogue's own texts.
Nothing is downloaded. The same items, shape and seed give the same bits.

    causal     Qwen3: one stack reads history and identifier in a row
    seq2seq    T5: an encoder reads the prompt, closed by the end token, and a decoder writes the answer
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.engine.choices import Precision, impossible_heads
from genrec_core.engine.models.layers import RATE, install_dropout
from genrec_core.engine.models.model import Family, Model, chosen_device, torch_dtype

END, PAD = "<|end|>", "<|pad|>"

TRAINING_TEXTS = 100_000
"""The text tokenizer learns from at most so many items, evenly chosen: more change nothing but the time."""


@dataclass(frozen=True)
class Shape:
    """How large a tiny model is.

    Attributes:
        hidden: width of the residual stream; a multiple of `heads`.
        layers, heads: number of blocks (of an encoder-decoder model in either part), and of attention heads
            in each.
        intermediate: width inside the feed-forward part.
        vocabulary: most entries of the text tokenizer (at least 258: the bytes, end and pad).
        tie: whether the output matrix is the embedding matrix, as T5's always is.
        dropout: of attention weights, embeddings and block outputs.
        attention_dropout: of attention weights, where it differs; T5 has one rate for all.
        context: most tokens a sample may take.
    """

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    intermediate: int = 256
    vocabulary: int = 2000
    tie: bool = True
    dropout: float = 0.0
    attention_dropout: float | None = None
    context: int = 512


def tiny_model(
    items: Items,
    shape: Shape,
    *,
    family: Family = "causal",
    seed: int = 0,
    dtype: Precision = "float32",
    device: str = "auto",
) -> Model:
    """A freshly initialised model that reads the catalogue's texts; new tokens are added by `extend`.

    Raises:
        GenrecError: the shape is impossible.
    """
    if wrong := impossible_heads(shape.hidden, shape.heads):
        raise GenrecError(wrong, hint="choose hidden as heads × an even number, such as 128 and 4")
    text_tokenizer = trained_text_tokenizer(items, shape.vocabulary)
    if family == "seq2seq":  # an encoder must be able to see where its text ends
        text_tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", special_tokens=[(END, text_tokenizer.eos_token_id)]
        )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = (_qwen3 if family == "causal" else _t5)(shape, text_tokenizer)
    install_dropout(network)
    return Model(
        network=network.to(device=chosen_device(device), dtype=torch_dtype(dtype)).eval(),
        text_tokenizer=text_tokenizer,
        family=family,
        end_id=text_tokenizer.eos_token_id,
        pad_id=text_tokenizer.pad_token_id,
        max_length=shape.context,
    )


def _qwen3(shape: Shape, text_tokenizer: Any) -> Any:
    config = Qwen3Config(
        vocab_size=len(text_tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.hidden // shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=shape.tie,
        attention_dropout=shape.dropout if shape.attention_dropout is None else shape.attention_dropout,
        bos_token_id=None,
        eos_token_id=text_tokenizer.eos_token_id,
        pad_token_id=text_tokenizer.pad_token_id,
        **{RATE: shape.dropout},
    )
    return Qwen3ForCausalLM(config)


def _t5(shape: Shape, text_tokenizer: Any) -> Any:
    config = T5Config(
        vocab_size=len(text_tokenizer),
        d_model=shape.hidden,
        d_kv=shape.hidden // shape.heads,
        d_ff=shape.intermediate,
        num_layers=shape.layers,
        num_heads=shape.heads,
        dropout_rate=shape.dropout,
        decoder_start_token_id=text_tokenizer.pad_token_id,
        eos_token_id=text_tokenizer.eos_token_id,
        pad_token_id=text_tokenizer.pad_token_id,
    )
    return T5ForConditionalGeneration(config)


def trained_text_tokenizer(items: Items, vocabulary: int) -> Any:
    """A byte-level BPE text tokenizer (a `PreTrainedTokenizerFast`) trained on every text field."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    step = max(1, -(-len(items) // TRAINING_TEXTS))
    tokenizer.train_from_iterator((items.text(item) for item in range(0, len(items), step)), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
