"""Layers computed otherwise than torch computes them: several times faster on CPUs, or in less memory.

*Dropout* is drawn one random byte a value, and hooked into networks whose architecture has none. Drawing is
what dropout costs on a CPU: in a small transformer, a fifth of a training step with torch's own (13 ns a
value on one core, against 3.5 ns here). Eight bytes come from one 64-bit draw, so the rate is rounded to a
multiple of 1/256; the kept values are scaled by the rounded rate, and the expectation is exact.

    rate 0.3 → 77 of 256 byte values drop → 0.3008 dropped, the others times 256 / 179

Qwen3, like most recent decoders, drops only attention weights. A small model trained for many epochs on a
small catalogue needs more, so each block's attention and feed-forward outputs, and the embeddings, are
dropped by hooks (`install_dropout`). The rate lives in the network's config, so that a saved model keeps it;
at evaluation time and at rate 0 nothing happens.

*Attention* stays in float32 while everything else computes in bfloat16 (`float32_attention`). On processors
with bfloat16 instructions matrix products run several times faster in it, but the backward pass of PyTorch's
fused attention on a CPU is about five times slower in bfloat16 than in float32, which eats the gain.

*Blocks* keep for the backward pass what they were given and are computed again in it (`recomputed_blocks`,
gradient checkpointing), with the same random numbers and so to the same bits.

*The normaliser of a softmax* is summed where its logits stand (`log_sum_exp_`). torch's `logsumexp` writes
three more matrices of their size; with a few hundred beams and a thousand columns that is megabytes of fresh
memory at every step, which takes longer than the matrix product itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from genrec_core.contracts.errors import GenrecError

RATE = "residual_dropout"

_ATTENTION = "genrec_float32"
_VALUES = 256
_LEAST = -(2**63)


def dropped(states: Tensor, rate: float) -> Tensor:
    """States of any shape with a share of about `rate` set to 0, drawn from torch's global generator."""
    below = round(rate * _VALUES)
    if not below:
        return states
    count = states.numel()
    words = torch.empty((count + 7) // 8, dtype=torch.int64, device=states.device).random_(_LEAST, None)
    drawn = words.view(torch.uint8)[:count].view(states.shape)
    return states * ((drawn >= below).to(states.dtype) * (_VALUES / (_VALUES - below)))


def log_sum_exp_(logits: Tensor) -> Tensor:
    """Log of the sum of exp(logits [R, C]) along the columns, float [R]; overwrites `logits`.

    >>> log_sum_exp_(torch.tensor([[0.0, 0.0]])).exp().round().tolist()
    [2.0]
    """
    highest = logits.amax(dim=1, keepdim=True)
    return logits.sub_(highest).exp_().sum(dim=1).log_().add_(highest[:, 0])


class ByteDropout(nn.Module):
    """`dropped` while training, nothing otherwise.

    Args:
        rate: share to drop, below 1.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, states: Tensor) -> Tensor:
        """States of any shape to the same shape."""
        return dropped(states, self.rate) if self.training else states


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


@contextmanager
def float32_attention(network: Any) -> Iterator[None]:
    """Compute attention in float32 meanwhile, in networks that use PyTorch's fused attention."""
    before = network.config._attn_implementation
    if before != "sdpa":
        yield
        return
    _register_attention()
    network.set_attn_implementation(_ATTENTION)
    try:
        yield
    finally:
        network.set_attn_implementation(before)


@contextmanager
def recomputed_blocks(network: Any) -> Iterator[None]:
    """Gradient checkpointing meanwhile, block by block, in training mode.

    Raises:
        GenrecError: the architecture has no such blocks.
    """
    if not network.supports_gradient_checkpointing:
        raise GenrecError(
            f"`{type(network).__name__}` has no gradient checkpointing",
            hint="leave `gradient_checkpointing` out; a smaller `tokens_per_batch` with `accumulation` saves "
            "memory too",
        )
    # transformers gave it another name and warns of the old one; the lowest that we support has only that.
    name = "activation" if hasattr(network, "activation_checkpointing_enable") else "gradient"
    getattr(network, f"{name}_checkpointing_enable")({"use_reentrant": False})
    try:
        yield
    finally:
        getattr(network, f"{name}_checkpointing_disable")()


def _register_attention() -> None:
    """Let transformers know our attention; imported only here, since dropout is used without transformers."""
    from transformers import AttentionInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    def attention(
        module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
    ) -> tuple[Tensor, None]:
        """Attention in float32 of query, key, value [B, heads, T, d]; gives [B, T, heads, d]."""
        if attention_mask is not None and attention_mask.is_floating_point():
            attention_mask = attention_mask.float()
        with torch.autocast(query.device.type, enabled=False):
            output, _ = sdpa_attention_forward(
                module, query.float(), key.float(), value.float(), attention_mask, **options
            )
        return output.to(query.dtype), None

    AttentionInterface.register(_ATTENTION, attention)
    AttentionMaskInterface.register(_ATTENTION, sdpa_mask)


def rows_of(values: Tensor, places: Tensor) -> Tensor:
    """Rows [B, W, H] at `places` int64 [B, W] of values [B, P, H].

    Whole rows are picked: `gather` and indices of several axes go number by number, ten times slower.
    """
    lines = torch.arange(len(values), device=values.device)[:, None] * values.shape[1] + places
    return nn.functional.embedding(lines, values.reshape(-1, values.shape[-1]))
