"""The output matrix, asked only for what is needed.

A vocabulary has 150,000 columns and a constraint leaves a few hundred of them legal. So scores of legal
tokens come from those columns alone, and when log-probabilities under the whole vocabulary are wanted,
the one number they need, the normaliser, is summed block by block without keeping any logits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from genrec_core.contracts.errors import GenrecError

_BLOCK = 4096
"""Columns of one block: with a few hundred beams its logits stay in the cache."""


class OutputHead:
    """The linear map from the last hidden state to logits.

    Args:
        network: a transformers causal or encoder-decoder language model.

    Raises:
        GenrecError: the network does more to its logits than this map (soft-capping, say), so scores from
            single columns would be wrong.
    """

    def __init__(self, network: Any) -> None:
        layer = network.get_output_embeddings()
        self.weight: Tensor = layer.weight
        self.bias: Tensor | None = getattr(layer, "bias", None)
        scaled = bool(getattr(network.config, "scale_decoder_outputs", False))
        self.scale = float(network.config.d_model) ** -0.5 if scaled else 1.0
        self._check(network)

    @property
    def size(self) -> int:
        """Number of columns: the vocabulary, padding rows included."""
        return self.weight.shape[0]

    def logits(self, hidden: Tensor, tokens: Tensor | slice = slice(None)) -> Tensor:
        """Logits float32 [R, U] of `tokens` (all columns by default) for hidden states [R, H]."""
        logits = (hidden * self.scale if self.scale != 1.0 else hidden) @ self.weight[tokens].T
        return (logits if self.bias is None else logits + self.bias[tokens]).float()

    def rows(self, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """Weights [U, H] and biases [U] of some columns: hidden @ weights.T + biases are their logits."""
        weight = self.weight[tokens] * self.scale if self.scale != 1.0 else self.weight[tokens]
        return weight, None if self.bias is None else self.bias[tokens]

    def normaliser(self, hidden: Tensor, temperature: float = 1.0) -> Tensor:
        """Log of the sum of exp(logit / temperature) over the whole vocabulary, float32 [R]."""
        blocks = (slice(start, start + _BLOCK) for start in range(0, self.size, _BLOCK))
        return torch.stack(
            [(self.logits(hidden, block) / temperature).logsumexp(dim=1) for block in blocks]
        ).logsumexp(dim=0)

    def _check(self, network: Any) -> None:
        with torch.inference_mode():
            ids = torch.zeros((1, 2), dtype=torch.long, device=self.weight.device)
            extra = {"decoder_input_ids": ids} if network.config.is_encoder_decoder else {}
            out = network(input_ids=ids, output_hidden_states=True, use_cache=False, **extra)
            states = out.decoder_hidden_states if network.config.is_encoder_decoder else out.hidden_states
            ours = self.logits(states[-1][0])
        if not torch.allclose(ours, out.logits[0].float(), atol=1e-3, rtol=1e-3):
            raise GenrecError(
                f"`{type(network).__name__}` changes its logits after the output matrix, "
                "so constrained decoding cannot score single tokens",
                hint="use a model whose logits are a plain linear map (Qwen, Llama, SmolLM, T5, Mistral …)",
            )
