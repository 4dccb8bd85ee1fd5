"""What every benchmark shares: interleaved timing, the machine's description, and the JSON it writes.

On a shared machine the same work varies by a factor of several between minutes, so contestants take turns
within one run and only ratios of their medians are reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def arguments(description: str) -> argparse.Namespace:
    """The two flags of every benchmark."""
    return argument_parser(description).parse_args()


def argument_parser(description: str) -> argparse.ArgumentParser:
    """The two flags of every benchmark, to which one adds its own."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small subset, under two minutes on two cores")
    parser.add_argument("--json", type=Path, help="write machine, ratios and rows to this file")
    return parser


def medians(
    contestants: dict[str, Callable[[], Any]], repeats: int, warm_up: bool = True
) -> dict[str, float]:
    """Median seconds of each contestant; they take turns, so that noise meets all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    if warm_up:
        for run in contestants.values():
            run()
    for _ in range(repeats):
        for name, run in contestants.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in seconds.items()}


def machine() -> dict[str, Any]:
    """Enough about the machine to read a ratio by."""
    import torch
    import transformers

    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def ratio(value: float, against: str, goal: float | None = None) -> dict[str, Any]:
    """One line of the `ratios` table."""
    return {"value": round(float(value), 3), "against": against, "goal": goal}


def write(path: Path | None, ratios: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """The JSON that DESIGN §6 names, if a file was asked for."""
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), "ratios": ratios, "rows": rows}, indent=2) + "\n")
