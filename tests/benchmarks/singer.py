"""SINGER's ablations: what reinforcement learning does to the fine-tuned model it starts from.

    python -m tests.benchmarks.singer                       # every variant, five seeds, in float32
    python -m tests.benchmarks.singer --only "as written" --seeds 1 2 3

Each variant is `plugins/genrec-plugin-singer/tiny.yaml` with an option or two changed, judged on the test
rows of its own fine-tuned start, so differences are paired. Printed beside them, over `PROMPTS` training
prompts: of those that the start's beams missed (hard prompts) the share that the trained policy's beams hit,
and the share of the start's hits that it lost. Stages that variants share are computed once. After the last
seed of a variant comes its gain over all seeds, the share of all `PROMPTS` that were hard and are hits now,
and how both differ from the whole method's, paired over users (or prompts) and seeds; a conclusion is printed
only where the interval leaves out zero.
Needs the data folder `amazon-industrial`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from genrec_core.engine.training.validation import evenly
from genrec_core.evaluation.compare import load_run
from genrec_core.evaluation.intervals import differences
from genrec_core.evaluation.metrics import worth
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins
from tests.benchmarks.study import PLUGINS, SHARED, Row, conclusion, interval, parser, ran, report, seconds

TINY = PLUGINS / "genrec-plugin-singer" / "tiny.yaml"
DATA = SHARED / "amazon-industrial"
PROMPTS, BEAMS = 1000, 16
FLOAT = "train.sft.precision=float32"
"""`auto` gives other results on processors that multiply in bfloat16; reinforcement is in float32 anyway."""
CORPUS, RL = "train.sft.corpora.0", "train.rl"

UNDER = ("train.sft.max_steps=300",)
BARE = (*UNDER, f"{CORPUS}.align=none")
VARIANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "as written": ((), ()),
    "under-trained": (UNDER, UNDER),
    "under-trained, accuracy alone": (UNDER, (*UNDER, f"{RL}.reward.reward=acc", f"{RL}.sampling=beam")),
    "under-trained, reward acc": (UNDER, (*UNDER, f"{RL}.reward.reward=acc")),
    "under-trained, reward acc+rank": (UNDER, (*UNDER, f"{RL}.reward.reward=acc+rank")),
    "under-trained, reward sid-all": (UNDER, (*UNDER, f"{RL}.reward.reward=sid-all")),
    "under-trained, sampling common": (UNDER, (*UNDER, f"{RL}.sampling=common")),
    "under-trained, sampling dynamic": (UNDER, (*UNDER, f"{RL}.sampling=dynamic")),
    "under-trained, sampling beam": (UNDER, (*UNDER, f"{RL}.sampling=beam")),
    "under-trained, align none": (BARE, (*BARE, f"{RL}.corpora.0.align=none")),
    "under-trained, align sft": (UNDER, (*UNDER, f"{RL}.corpora.0.align=sft")),
    "under-trained, align rl": (BARE, BARE),
}
"""Name → what is changed in the start, and in the whole pipeline."""
WHOLE = "under-trained"
"""The variant that the others are compared with."""


class Study:
    """Runs variants, each start once."""

    def __init__(self, home: Path, extra: tuple[str, ...]) -> None:
        self.home, self.registry = home, load_plugins()[0]
        self.extra = (
            f"data.source.path={DATA}",
            "evaluate.baselines=[]",
            "evaluate.valid=false",
            FLOAT,
            *extra,
        )
        start = yaml.safe_load(TINY.read_text())
        del start["train"]["rl"]
        self.start_file = home / "start.yaml"
        self.start_file.parent.mkdir(parents=True, exist_ok=True)
        self.start_file.write_text(yaml.safe_dump(start, sort_keys=False))
        self.ran = cache(self._ran)
        self.gains: dict[str, dict[int, NDArray[np.float64]]] = {}
        self.solved_now: dict[str, dict[int, NDArray[np.float64]]] = {}

    def _ran(self, file: Path, changes: tuple[str, ...], seed: int) -> tuple[Path, dict[str, Any]]:
        every = (*self.extra, *changes, f"seed={seed}")
        fitting = [change for change in every if file == TINY or not change.startswith(RL)]
        finished = ran(file, fitting, self.home)
        assert finished.folder is not None
        return finished.folder, dict(finished.metrics)

    @cache  # noqa: B019  one study a process
    def solved(self, folder: Path) -> NDArray[np.bool_]:
        """Whether a run's first beams hit, for an even choice of training examples, bool [PROMPTS]."""
        opened = open_run(folder, self.registry)
        examples = list(opened.prepared.views.train.examples())
        chosen = [examples[row] for row in evenly(len(examples), PROMPTS)]
        with opened.open() as session:
            ranked = session.recommend([example.history for example in chosen])
        hits = [
            example.target in list(answer.items)[:BEAMS]
            for example, answer in zip(chosen, ranked, strict=True)
        ]
        return np.array(hits)

    def row(self, name: str, seed: int) -> dict[str, Any]:
        """The figures of a variant."""
        at_start, changes = VARIANTS[name]
        start, before = self.ran(self.start_file, at_start, seed)
        end, after = self.ran(TINY, changes, seed)
        ranks = [load_run(folder).ranks[0] for folder in (end, start)]
        assert ranks[0] is not None
        assert ranks[1] is not None
        gain = differences(ranks[0], ranks[1], (10,))
        value = worth((10,))["ndcg@10"]
        after_users, before_users = (value[np.where(one > 10, 0, one)] for one in ranks)
        self.gains.setdefault(name, {})[seed] = after_users - before_users
        hard = ~self.solved(start)
        now = self.solved(end)
        self.solved_now.setdefault(name, {})[seed] = (now & hard).astype(np.float64)
        return {
            "variant": name,
            "seed": seed,
            "start": before["test"],
            "end": after["test"],
            "gain": {metric: difference.plain() for metric, difference in gain.items()},
            "hard prompts": int(hard.sum()),
            "hard turned into hits": float(now[hard].mean()),
            "hits lost": float((~now[~hard]).mean()),
            "seconds": seconds(after),
        }


def over_seeds(study: Study, name: str, whole: str = WHOLE) -> Row:
    """A variant's gain over all seeds, how it differs from the whole method's, and the same of hard prompts.

    Hard prompts are compared where the start is the whole method's, so that the same ones are hard.
    """
    gains = np.stack(list(study.gains[name].values()))
    solved = np.stack(list(study.solved_now[name].values()))
    found = {"variant": name, "seeds": list(study.gains[name]), "gain": float(gains.mean())}
    found["interval"] = interval(gains)
    found["prompts newly solved"] = float(solved.mean()), interval(solved)
    parts = [conclusion(gains, "the start"), f"newly solved {solved.mean():.4f} of all prompts"]
    other = study.gains.get(whole, {})
    if name != whole and VARIANTS[name][0] and list(other) == list(study.gains[name]):
        found["against the whole method"] = conclusion(gains - np.stack(list(other.values())), whole)
        parts.append(str(found["against the whole method"]))
        if VARIANTS[name][0] == VARIANTS[whole][0]:
            difference = solved - np.stack(list(study.solved_now[whole].values()))
            found["newly solved, against the whole method"] = conclusion(difference, whole)
            parts.append("newly solved " + str(found["newly solved, against the whole method"]))
    return found, f"{name:42} {len(gains)} seeds  " + "; ".join(parts)


def shown(row: dict[str, Any]) -> str:
    """A row as a line."""
    gain = row["gain"]["ndcg@10"]
    low, high = gain["interval"]
    start, end = row["start"]["ndcg@10"], row["end"]["ndcg@10"]
    hard, turned, lost = (row[key] for key in ("hard prompts", "hard turned into hits", "hits lost"))
    return (
        f"{row['variant']:42} seed {row['seed']}  NDCG@10 {start:.4f} -> {end:.4f} "
        f"({gain['difference']:+.4f} [{low:+.4f}, {high:+.4f}] p {gain['p']:.3f})  "
        f"R@10 {row['start']['recall@10']:.4f} -> {row['end']['recall@10']:.4f}  "
        f"of {hard} hard solved {turned:.3f}, lost {lost:.3f}"
    )


def main() -> None:
    """Run the study."""
    options = parser(__doc__, "singer-study")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    chosen = options.parse_args()
    study = Study(chosen.home, tuple(chosen.set))

    def rows(name: str) -> Iterator[Row]:
        for seed in chosen.seeds:
            found = study.row(name, seed)
            yield found, shown(found)
        yield over_seeds(study, name)

    report(chosen, VARIANTS, rows)


if __name__ == "__main__":
    main()
