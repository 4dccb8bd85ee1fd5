"""Sentence embeddings: texts through a pretrained encoder, with transformers alone.

Texts are embedded in order of length, so that a batch holds texts of about one length and little is spent
on padding. `mean` pooling averages the hidden states of the text's own tokens, `cls` takes the first,
`last` the last (for decoder models used as encoders). The results equal those of sentence-transformers for
models whose only steps after the network are pooling and normalising.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from genrec_core.contracts.context import Context
from genrec_core.engine.models.model import Precision, chosen_device, quiet, torch_dtype
from genrec_core.engine.models.pretrained import is_folder, unreadable

Pooling = Literal["mean", "cls", "last"]


@dataclass(frozen=True)
class SentenceEncoder:
    """A pretrained encoder.

    Attributes:
        network: gives hidden states.
        text_tokenizer: its text tokenizer, with a pad token.
    """

    network: Any
    text_tokenizer: Any

    @classmethod
    def loaded(cls, path: str, revision: str, dtype: Precision, device: str) -> SentenceEncoder:
        """From a local folder or the hub.

        Raises:
            GenrecError: it cannot be found or read.
        """
        local = is_folder(path)
        where: dict[str, Any] = {"local_files_only": True} if local else {"revision": revision}
        where |= {"trust_remote_code": False}
        name = str(Path(path).expanduser()) if local else path
        try:
            with quiet():
                text_tokenizer = AutoTokenizer.from_pretrained(name, **where)
                network = AutoModel.from_pretrained(
                    name, use_safetensors=True, dtype=torch_dtype(dtype), **where
                )
        except (OSError, ValueError, KeyError) as error:
            raise unreadable("sentence encoder", path, error) from error
        if text_tokenizer.pad_token is None:
            text_tokenizer.pad_token = text_tokenizer.eos_token
        return cls(network.to(chosen_device(device)).eval(), text_tokenizer)

    @torch.inference_mode()
    def embed(
        self, texts: Sequence[str], pooling: Pooling, max_length: int, batch_size: int, context: Context
    ) -> NDArray[np.float32]:
        """One vector a text, float32 [len(texts), width], not normalised.

        Args:
            texts: what to embed.
            pooling: how token states become one vector.
            max_length: tokens of a text that are read.
            batch_size: texts of a batch.
            context: shows progress.
        """
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        vectors = np.zeros((len(texts), self.network.config.hidden_size), dtype=np.float32)
        with context.progress("embedding", total=len(texts)) as advance:
            for start in range(0, len(order), batch_size):
                places = order[start : start + batch_size]
                batch = self.text_tokenizer(
                    [texts[place] for place in places],
                    padding=True,
                    truncation=True,
                    max_length=max_length,
                    padding_side="right",
                    return_tensors="pt",
                ).to(self.network.device)
                states = self.network(**batch).last_hidden_state.float()
                vectors[places] = pooled(states, batch["attention_mask"], pooling).cpu().numpy()
                advance(len(places))
        return vectors


def pooled(states: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Token states [B, T, d], padded on the right, to vectors [B, d]."""
    if pooling == "mean":
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    if pooling == "cls":
        return states[:, 0]
    last = (mask.sum(dim=1) - 1).clamp(min=0)
    return states[torch.arange(len(states), device=states.device), last]
