"""Residual dropout for networks whose architecture has none.

Qwen3, like most recent decoders, drops only attention weights. A small model trained for many epochs on a
small catalogue needs more, so each block's attention and feed-forward outputs, and the embeddings, are
dropped by hooks. The rate lives in the network's config, so that a saved model keeps it; at evaluation
time and at rate 0 nothing happens.
"""

from __future__ import annotations

from typing import Any

import torch

from genrec_core.engine.models.byte_dropout import dropped

RATE = "residual_dropout"


def install_dropout(network: Any) -> None:
    """Hook dropout into a network whose config carries a `residual_dropout` above 0."""
    rate = float(getattr(network.config, RATE, 0.0) or 0.0)
    if rate == 0.0:
        return

    def drop(module: torch.nn.Module, inputs: Any, output: Any) -> Any:
        if not module.training:
            return output
        if isinstance(output, tuple):
            return (dropped(output[0], rate), *output[1:])
        return dropped(output, rate)

    network.get_input_embeddings().register_forward_hook(drop)
    for layer in network.get_decoder().layers:
        layer.self_attn.register_forward_hook(drop)
        layer.mlp.register_forward_hook(drop)
