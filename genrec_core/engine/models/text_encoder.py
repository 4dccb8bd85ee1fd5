"""Text encoder: a pretrained network whose states become one vector a text.

Texts are embedded in order of length, so that a batch holds texts of about one length and little is spent
on padding. Rows are padded at the right, so a state does not depend on what else is in the batch. A text
without a single token (an empty one, where the text tokenizer adds nothing) gets zeros.

Three kinds of networks work: encoders (BERT), encoders of encoder-decoder models (Sentence-T5: the decoder is
left out), and decoders whose last token stands for the text (`pooling: last`). Where a checkpoint says in
`modules.json` that linear layers follow the pooling, as Sentence-T5's does, they are applied; a step that is
unknown here is refused, because without it the vectors would be others.

    Sentence-T5:   texts → T5's encoder → mean → 2_Dense (768 → 768) → length one
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import torch
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.options import expanded
from genrec_core.engine.choices import Pooling, Precision
from genrec_core.engine.models.loading import KNOWN_STEPS, from_checkpoint, is_folder, unreadable
from genrec_core.engine.models.model import chosen_device, torch_dtype

LENGTH = 256
"""Tokens of a text that are read, unless something else is asked for."""


class DenseLayer(nn.Module):
    """A linear layer behind the pooling, with what sentence-transformers calls its activation function."""

    def __init__(self, weights: dict[str, Tensor], activation: nn.Module) -> None:
        super().__init__()
        weight, bias = weights["linear.weight"].float(), weights.get("linear.bias")
        self.linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        self.linear.load_state_dict(
            {name.removeprefix("linear."): one.float() for name, one in weights.items()}
        )
        self.activation = activation

    def forward(self, vectors: Tensor) -> Tensor:
        """Vectors [B, d] to [B, d']."""
        found: Tensor = self.activation(self.linear(vectors))
        return found


@dataclass(frozen=True)
class TextEncoder:
    """A network and how it is read.

    Attributes:
        network: a transformers model that gives `last_hidden_state`.
        text_tokenizer: its text tokenizer.
        pooling: how token states become one vector.
        normalise: whether vectors get length one.
        max_length: tokens of a text that are read; None is `LENGTH`, or fewer where the network cannot read
            so many.
        dense: layers behind the pooling.

    Raises:
        GenrecError: `max_length` is more than the network has positions for.
    """

    network: Any
    text_tokenizer: Any
    pooling: Pooling = "mean"
    normalise: bool = True
    max_length: int | None = None
    dense: tuple[DenseLayer, ...] = ()

    def __post_init__(self) -> None:
        positions = _positions(self.network)
        if self.max_length is not None and positions is not None and self.max_length > positions:
            raise GenrecError(
                f"`max_length: {self.max_length}` is more than the sentence encoder can read: it has "
                f"positions for {positions:,} tokens",
                hint=f"write `max_length: {positions}` or less, or leave it out",
            )

    @property
    def length(self) -> int:
        """Tokens of a text that are read."""
        positions = _positions(self.network)
        return self.max_length or (LENGTH if positions is None else min(LENGTH, positions))

    @property
    def width(self) -> int:
        """Length of the vectors."""
        hidden = int(self.network.config.hidden_size)
        return int(self.dense[-1].linear.out_features) if self.dense else hidden

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, advance: Callable[[int], None] = lambda texts: None
    ) -> NDArray[np.float32]:
        """One vector a text, float32 [len(texts), width]; `advance` is called with how many are done."""
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for places in _by_length(texts, batch_size):
            vectors[places] = self._batch([texts[place] for place in places]).cpu().numpy()
            advance(len(places))
        return vectors

    @torch.inference_mode()
    def _batch(self, texts: list[str]) -> Tensor:
        batch = self.text_tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self.length,
            padding_side="right",
            return_tensors="pt",
        ).to(self.network.device)
        written = batch["attention_mask"].any(dim=1)
        vectors = torch.zeros((len(texts), self.width), device=self.network.device)
        if bool(written.any()):
            ids, mask = batch["input_ids"][written].long(), batch["attention_mask"][written]
            states = self.network(input_ids=ids, attention_mask=mask).last_hidden_state.float()
            found = _pooled(states, mask, self.pooling)
            for layer in self.dense:
                found = layer(found)
            vectors[written] = found
        return torch.nn.functional.normalize(vectors, dim=1) if self.normalise else vectors


def load_network(path: str, revision: str, dtype: Precision, device: str) -> tuple[Any, Any]:
    """A network and its text tokenizer, from a folder or the hub; of an encoder-decoder only the encoder.

    Raises:
        GenrecError: they cannot be found or read.
    """
    try:
        text_tokenizer = from_checkpoint(AutoTokenizer, path, revision=revision)
        network = from_checkpoint(
            AutoModel, path, revision=revision, use_safetensors=True, dtype=torch_dtype(dtype)
        )
    except (OSError, ValueError, KeyError) as error:
        raise unreadable("sentence encoder", path, error) from error
    # By its parts: a saved encoder of T5 says in its config that it is no encoder-decoder, and loads as one.
    if hasattr(network, "encoder") and hasattr(network, "decoder"):
        network = network.get_encoder()
    if text_tokenizer.pad_token is None:
        text_tokenizer.pad_token = text_tokenizer.eos_token
    return network.to(chosen_device(device)).eval(), text_tokenizer


_ACTIVATIONS = {"Identity": nn.Identity, "Tanh": nn.Tanh, "ReLU": nn.ReLU, "GELU": nn.GELU}


def load_dense(path: str, revision: str, device: str) -> tuple[DenseLayer, ...]:
    """The linear layers that a checkpoint puts behind the pooling; none for most.

    Raises:
        GenrecError: a checkpoint has a step that is not known here, or a layer that cannot be read.
    """
    steps_file = _file(path, revision, "modules.json")
    if steps_file is None:
        return ()
    layers = []
    try:
        for step in orjson.loads(steps_file.read_bytes()):
            kind = str(step["type"]).rpartition(".")[2]
            if kind not in KNOWN_STEPS:
                raise GenrecError(
                    f"the sentence encoder `{path}` has a step `{kind}`, which core/sentence does not know",
                    hint="embed the items elsewhere and use core/vectors",
                )
            if kind != "Dense":
                continue
            config = _file(path, revision, f"{step['path']}/config.json")
            weights = _file(path, revision, f"{step['path']}/model.safetensors")
            if config is None or weights is None:
                raise FileNotFoundError(f"{step['path']} has no config.json or no model.safetensors")
            name = str(orjson.loads(config.read_bytes())["activation_function"]).rpartition(".")[2]
            layers.append(DenseLayer(load_file(weights), _ACTIVATIONS[name]()))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise unreadable("sentence encoder", path, error) from error
    return tuple(layer.to(chosen_device(device)).eval() for layer in layers)


def _file(path: str, revision: str, name: str) -> Path | None:
    """A file of a checkpoint, None where it has none."""
    if is_folder(path):
        file = expanded(path) / name
        return file if file.is_file() else None
    try:
        return Path(hf_hub_download(path, name, revision=revision))
    except EntryNotFoundError:  # also without a network, where the cache does not have it
        return None


def _positions(network: Any) -> int | None:
    """How many tokens a network can read; None where its positions are relative and without an end."""
    positions = getattr(network.config, "max_position_embeddings", None)
    if positions is None:
        return None
    # RoBERTa and its kin begin to count behind the pad token's row.
    tables = (
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Embedding) and name.endswith("position_embeddings")
    )
    skipped = max((table.padding_idx + 1 for table in tables if table.padding_idx is not None), default=0)
    return int(positions) - skipped


def _pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Token states [B, T, d] to vectors [B, d]; `mask` [B, T] is 1 where a text has a token."""
    if pooling == "mean":
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    if pooling == "cls":
        return states[:, 0]
    last = (mask.sum(dim=1) - 1).clamp(min=0)
    return states[torch.arange(len(states), device=states.device), last]


def _by_length(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Places of the texts in batches, shortest texts first."""
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(order), size):
        yield order[start : start + size]
