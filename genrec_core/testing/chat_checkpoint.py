"""A chat model's checkpoint, tiny and random, in the files that transformers saves.

Pipelines that name a published model can be run with this in its place: the same architecture, a text
tokenizer with a chat template, safetensors, no download.

    save_chat_checkpoint(tmp_path / "qwen3", "qwen3")
    genrec run paper.yaml --set model.path=.../qwen3 --set train.sft.max_steps=2
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrec_core.contracts.items import Items

TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
)
MARKS = ["<|im_start|>", "<|im_end|>"]
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}


def save_chat_checkpoint(folder: Path, architecture: str, texts: tuple[str, ...] = ("tool number",)) -> Path:
    """Write a checkpoint and give its folder back.

    Args:
        folder: made if it is not there.
        architecture: what transformers calls the model type, such as `qwen2` or `qwen3`.
        texts: what the text tokenizer is learnt from; it can write any other text too, in bytes.

    Raises:
        ValueError: transformers knows no such model type.
    """
    # The engine is an extra: the kit must be importable without it.
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from genrec_core.engine.models.tiny import Shape, tiny_model

    items = Items(tuple(map(str, range(len(texts)))), {"title": list(texts)})
    least = Shape(hidden=16, layers=1, heads=2, vocabulary=300)
    text_tokenizer = tiny_model(items, least, device="cpu").text_tokenizer
    text_tokenizer.add_special_tokens({"additional_special_tokens": MARKS})
    text_tokenizer.chat_template = TEMPLATE
    config = AutoConfig.for_model(
        architecture,
        vocab_size=len(text_tokenizer),
        eos_token_id=text_tokenizer.eos_token_id,
        pad_token_id=text_tokenizer.pad_token_id,
        **SHAPE,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    text_tokenizer.save_pretrained(folder)
    return folder
