"""The arithmetic of training, and whether a processor has it.

A processor without bfloat16 instructions can train in bfloat16 all the same, by emulation: on an AVX2 CPU a
step of a small model then takes about fifty times as long. So pipelines that are to run anywhere say `auto`,
and the log tells what was chosen:

    auto on a CPU with AVX2 only  → float32
    auto on an H200, or a CPU with AVX512-BF16  → bfloat16
"""

from __future__ import annotations

import torch

from genrec_core.contracts.context import Context
from genrec_core.engine.choices import Arithmetic, Precision


def chosen_precision(asked: Arithmetic, device: torch.device, context: Context) -> Precision:
    """What to compute in; the log's line `arithmetic` says so, and whether the processor has bfloat16."""
    native = has_bfloat16(device)
    by_itself: Precision = "bfloat16" if native else "float32"
    precision = by_itself if asked == "auto" else asked
    emulated = precision == "bfloat16" and not native
    context.log("arithmetic", precision=precision, device=device.type, emulated=emulated)
    return precision


def has_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are instructions of this device and not emulated."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    features = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return bool(features.get("avx512_bf16") or features.get("amx_bf16") or features.get("arm_bf16"))
