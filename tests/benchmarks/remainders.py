"""A made-up world in which a thought must pay: with and without thoughts, activation and reinforcement.

    python -m tests.benchmarks.remainders --seeds 1 2 3

The world is `plugins/genrec-plugin-sidreasoner/world.yaml`: the next item follows from the remainder of a sum
over the history, so an oracle's Recall@1 is 1. All variants share data and size of the model:

    at once                     the next item without a thought, for more steps and tokens than all others
    reinforced, not activated   thoughts that nobody has shown, behind three epochs of answering at once
    activated                   thoughts shown, not reinforced
    activated and reinforced    `world.yaml` as it stands

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
    "reinforced, not activated": ("align", "reinforce"),
    "activated": ("activate",),
    "activated and reinforced": ("activate", "reinforce"),
}
"""Name → the training steps that are made: of `world.yaml`, and `ALIGN`."""
ALIGN = {
    "use": "sidreasoner/align",
    "rung": "multi-task",
    "corpora": [
        {
            "use": "sidreasoner/tasks",
            "tasks": ["sids-to-sid"],
            "max_per_user": 1,
            "wordings": {"sids-to-sid": ["{history}\n"]},
        }
    ],
    "epochs": 3,
    "patience": None,
    "learning_rate": 0.002,
}
"""Answers at once. An epoch is 125 steps and 144,000 tokens."""
LONG = ("train.align.epochs=36", "recommend={use: core/beam, beams: 10}")
"""What makes `at once`: it reads 5.2 million tokens, against the 4.2 million of activation and the
0.4 million of rollouts, which are written and learnt."""
Hits = NDArray[np.float64]


def pipeline(name: str, home: Path) -> Path:
    """The pipeline file of a variant."""
    whole = yaml.safe_load(WORLD.read_text())
    steps = {"align": ALIGN, **whole["train"]}
    whole["train"] = {step: steps[step] for step in STEPS[name]}
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
