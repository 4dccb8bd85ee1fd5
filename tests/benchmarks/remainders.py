"""A made-up world in which a thought must pay: with and without thoughts, activation and reinforcement.

    python -m tests.benchmarks.remainders --seeds 1 2 3

The world is `plugins/genrec-plugin-sidreasoner/world.yaml`: the next item follows from the remainder of a sum
over the history, so an oracle's Recall@1 is 1. All variants share data, size of the model and alignment:

    at once                     the next item without a thought, for as many optimiser steps as all others
    activated                   thoughts shown, not reinforced
    reinforced, not activated   thoughts that nobody has shown
    activated and reinforced    the whole method

After the last seed of a variant comes its mean with an interval over seeds and users.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from genrec_core.evaluation.compare import load_run
from tests.benchmarks.study import PLUGINS, Row, interval, parser, ran, report, seconds

WORLD = PLUGINS / "genrec-plugin-sidreasoner" / "world.yaml"
STEPS = {
    "at once": ("align",),
    "activated": ("align", "activate"),
    "reinforced, not activated": ("align", "reinforce"),
    "activated and reinforced": ("align", "activate", "reinforce"),
}
"""Name → the training steps of `world.yaml` that are made."""
Hits = NDArray[np.float64]

LONG = ("train.align.max_steps=1655", "train.align.epochs=20", "recommend={use: core/beam, beams: 10}")
"""What `at once` trains on instead of activation and reinforcement, and how it answers."""


def pipeline(name: str, home: Path) -> Path:
    """The pipeline file of a variant."""
    whole = yaml.safe_load(WORLD.read_text())
    whole["train"] = {step: whole["train"][step] for step in STEPS[name]}
    file = home / f"{name.replace(', ', '-').replace(' ', '-')}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(whole, sort_keys=False))
    return file


def row(name: str, seed: int, home: Path, extra: tuple[str, ...]) -> tuple[dict[str, Any], Hits]:
    """The figures of a variant, and whether each test row was hit at once."""
    changes = [*extra, *(LONG if name == "at once" else ()), f"seed={seed}"]
    made = [one for one in changes if not one.startswith("train.") or one.split(".")[1] in STEPS[name]]
    finished = ran(pipeline(name, home), made, home)
    assert finished.folder is not None
    ranks = load_run(finished.folder).ranks
    assert ranks is not None
    figures = {metric: finished.metrics["test"][metric] for metric in ("recall@1", "recall@10")}
    found = {"variant": name, "seed": seed, **figures, "seconds": seconds(dict(finished.metrics))}
    return found, (ranks.reshape(-1) == 1).astype(np.float64)


def main() -> None:
    """Run the study."""
    options = parser(__doc__, "remainders-study")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = options.parse_args()

    def rows(name: str) -> Iterator[Row]:
        hits = []
        for seed in chosen.seeds:
            found, hit = row(name, seed, chosen.home, tuple(chosen.set))
            hits.append(hit)
            yield found, f"{name:28} seed {seed}  Recall@1 {found['recall@1']:.4f}"
        every = np.stack(hits)
        low, high = interval(every)
        summary = {"variant": name, "seeds": chosen.seeds, "recall@1": every.mean(), "interval": (low, high)}
        yield summary, f"{name:28} {len(every)} seeds  Recall@1 {every.mean():.4f} [{low:.4f}, {high:.4f}]"

    report(chosen, STEPS, rows)


if __name__ == "__main__":
    main()
