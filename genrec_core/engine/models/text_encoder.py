"""Text encoder: a pretrained network whose states become one vector a text.

Texts are embedded in order of length, so that a batch holds texts of about one length and little is spent
on padding. Rows are padded at the right, so a state does not depend on what else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from genrec_core.engine.choices import Pooling, Precision
from genrec_core.engine.models.loading import from_checkpoint, unreadable
from genrec_core.engine.models.model import chosen_device, torch_dtype


@dataclass(frozen=True)
class TextEncoder:
    """A network and how it is read.

    Attributes:
        network: a transformers model that gives `last_hidden_state`.
        text_tokenizer: its text tokenizer.
        pooling: how token states become one vector.
        normalise: whether vectors get length one.
        max_length: tokens of a text that are read.
    """

    network: Any
    text_tokenizer: Any
    pooling: Pooling = "mean"
    normalise: bool = True
    max_length: int = 256

    @property
    def width(self) -> int:
        """Length of the vectors."""
        return int(self.network.config.hidden_size)

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, advance: Callable[[int], None] = lambda texts: None
    ) -> NDArray[np.float32]:
        """One vector a text, float32 [len(texts), width]; `advance` is told how many are done."""
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
            max_length=self.max_length,
            padding_side="right",
            return_tensors="pt",
        ).to(self.network.device)
        states = self.network(**batch).last_hidden_state.float()
        vectors = pooled(states, batch["attention_mask"], self.pooling)
        return torch.nn.functional.normalize(vectors, dim=1) if self.normalise else vectors


def load_network(path: str, revision: str, dtype: Precision, device: str) -> tuple[Any, Any]:
    """A network and its text tokenizer, from a folder or the hub.

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
    if text_tokenizer.pad_token is None:
        text_tokenizer.pad_token = text_tokenizer.eos_token
    return network.to(chosen_device(device)).eval(), text_tokenizer


def pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
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
