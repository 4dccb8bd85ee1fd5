"""core/sentence: any sentence encoder of Hugging Face format, run with transformers alone.

Texts are embedded in order of length, so that a batch holds texts of about one length and little is spent
on padding. `mean` pooling averages the hidden states of the text's own tokens, `cls` takes the first,
`last` the last (for decoder models used as encoders). The results equal those of sentence-transformers for
models whose only steps after the network are pooling and normalising.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from genrec_core.contracts.context import Context
from genrec_core.contracts.encoder import Encoder
from genrec_core.contracts.options import operational
from genrec_core.engine.models.model import Precision, chosen_device, quiet, torch_dtype
from genrec_core.engine.models.pretrained import is_folder, unreadable


class Sentence(Encoder):
    """Embeds texts with a pretrained encoder."""

    seeded: ClassVar[bool] = False

    class Options(Encoder.Options):
        """Which model, and how its states become one vector."""

        path: str = Field(min_length=1)
        """A local folder, or a name on the hub such as `sentence-transformers/all-MiniLM-L6-v2`."""
        revision: str = "main"
        """Branch, tag or commit on the hub; name a commit to make a run repeatable."""
        pooling: Literal["mean", "cls", "last"] = "mean"
        """How token states become one vector."""
        normalise: bool = True
        """Whether vectors get length one."""
        prefix: str = ""
        """Written before each text, for models trained with one (`query: `)."""
        max_length: int = Field(256, gt=1)
        """Tokens of a text that are read; the rest is not."""
        dtype: Precision = "float32"
        """Precision of the weights; bfloat16 is slower on most CPUs."""
        batch_size: int = operational(64, "Texts of a batch.")
        device: str = operational("auto", "`auto` (a GPU when there is one), `cpu`, `cuda:1` …")

    options: Options

    def inputs(self) -> tuple[Path, ...]:
        """The local folder, so that another checkpoint there is noticed."""
        return (Path(self.options.path).expanduser(),) if is_folder(self.options.path) else ()

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], context: Context) -> NDArray[np.float32]:
        """One vector a text, float32 [len(texts), width of the model].

        Raises:
            GenrecError: the model cannot be found or read.
        """
        network, text_tokenizer = self._loaded()
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        vectors = np.zeros((len(texts), network.config.hidden_size), dtype=np.float32)
        with context.progress("embedding", total=len(texts)) as advance:
            for start in range(0, len(order), self.options.batch_size):
                places = order[start : start + self.options.batch_size]
                batch = text_tokenizer(
                    [self.options.prefix + texts[place] for place in places],
                    padding=True,
                    truncation=True,
                    max_length=self.options.max_length,
                    padding_side="right",
                    return_tensors="pt",
                ).to(network.device)
                states = network(**batch).last_hidden_state.float()
                vectors[places] = self._pooled(states, batch["attention_mask"]).cpu().numpy()
                advance(len(places))
        return vectors

    def _loaded(self) -> tuple[Any, Any]:
        path = self.options.path
        local = is_folder(path)
        where: dict[str, Any] = {"local_files_only": True} if local else {"revision": self.options.revision}
        name = str(Path(path).expanduser()) if local else path
        try:
            with quiet():
                text_tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False, **where)
                network = AutoModel.from_pretrained(
                    name,
                    trust_remote_code=False,
                    use_safetensors=True,
                    dtype=torch_dtype(self.options.dtype),
                    **where,
                )
        except (OSError, ValueError, KeyError) as error:
            raise unreadable("sentence encoder", path, error) from error
        if text_tokenizer.pad_token is None:
            text_tokenizer.pad_token = text_tokenizer.eos_token
        return network.to(chosen_device(self.options.device)).eval(), text_tokenizer

    def _pooled(self, states: Tensor, mask: Tensor) -> Tensor:
        """Token states [B, T, d] to vectors [B, d]."""
        if self.options.pooling == "mean":
            weights = mask.unsqueeze(-1).to(states.dtype)
            vectors = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
        elif self.options.pooling == "cls":
            vectors = states[:, 0]
        else:
            last = (mask.sum(dim=1) - 1).clamp(min=0)
            vectors = states[torch.arange(len(states), device=states.device), last]
        return torch.nn.functional.normalize(vectors, dim=1) if self.options.normalise else vectors
