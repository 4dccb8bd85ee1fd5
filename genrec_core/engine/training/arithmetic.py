"""The arithmetic of training, and whether a processor has it.

A processor without bfloat16 instructions can train in bfloat16 all the same, by emulation: on an AVX2 CPU a
step of a small model then takes about fifty times as long. So pipelines that are to run anywhere say `auto`,
and the log tells what was chosen:

    auto on a CPU with AVX2 only  → float32
    auto on an H200, or a CPU with AVX512-BF16  → bfloat16
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def loop_arguments(settings: Any, seed: int, folder: Path, device: torch.device) -> dict[str, Any]:
    """What every trainer tells transformers' loop: one pass over our plan, no saving or reporting of its own.

    Args:
        settings: with `clip`, `learning_rate` and a resolved `precision`.
        seed: of the run.
        folder: where the loop may put something; ours do not.
        device: of the network.
    """
    return {
        "output_dir": str(folder),
        "num_train_epochs": 1,
        "max_grad_norm": settings.clip,
        "learning_rate": settings.learning_rate,
        "seed": seed,
        "bf16": settings.precision == "bfloat16",
        "use_cpu": device.type == "cpu",
        "logging_strategy": "no",
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_nan_inf_filter": False,
        "log_level": "error",
        "disable_tqdm": True,
        "report_to": "none",
    }
