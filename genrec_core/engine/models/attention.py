"""Attention in float32 while everything else computes in bfloat16, for CPUs.

On processors with bfloat16 instructions matrix products run several times faster in it, but PyTorch's fused
attention does not: its backward pass on a CPU is about five times slower in bfloat16 than in float32, which
eats the gain. So under autocast on a CPU attention, a small share of the work, stays in float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "genrec_float32"


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Scaled dot-product attention of query, key, value [B, heads, T, d], in float32; [B, T, heads, d]."""
    if attention_mask is not None and attention_mask.is_floating_point():
        attention_mask = attention_mask.float()
    with torch.autocast(query.device.type, enabled=False):
        output, _ = sdpa_attention_forward(
            module, query.float(), key.float(), value.float(), attention_mask, **options
        )
    return output.to(query.dtype), None


AttentionInterface.register(NAME, _attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


@contextmanager
def float32_attention(network: Any) -> Iterator[None]:
    """Compute attention in float32 meanwhile, in networks that use PyTorch's fused attention."""
    before = network.config._attn_implementation
    if before != "sdpa":
        yield
        return
    network.set_attn_implementation(NAME)
    try:
        yield
    finally:
        network.set_attn_implementation(before)
