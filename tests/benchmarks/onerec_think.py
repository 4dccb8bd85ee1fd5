"""OneRec-Think's ablation (table 2), what alignment does to captions, and what rewards find signal in.

    python -m tests.benchmarks.onerec_think                        # MovieLens 100K, three seeds, in float32
    python -m tests.benchmarks.onerec_think --data beauty --seeds 1 --only "Base|rewards"

Rungs of `plugins/genrec-plugin-onerec-think/tiny.yaml` (or `tiny_beauty.yaml`), stages that they share
computed once:

    Base            next items alone, without thinking
    Base+IA         token warm-up and multi-task integration before that
    …+R             rationales and reinforcement of thoughts; a greedy thought before each answer
    …+R, empty      the same model at the same prompts with an empty thought
    …+R, 5 max      five drawn thoughts, merged by the best probability, or by the mean (logsumexp)
    reward NAME     reinforcement with another reward

Each rung stands beside the one it is compared with: the difference of NDCG@10, paired over users and seeds,
with what one answer cost in tokens. Captions are written greedily for every item by the model without and
with alignment: exact ones, and the mean F1 of their words.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from genrec_plugin_onerec_think.captions import Captions
from numpy.typing import NDArray

from genrec_core import Context
from genrec_core.engine import FreeDecoder, FreeDecoderSettings, Model
from genrec_core.evaluation.compare import load_run
from genrec_core.evaluation.metrics import worth
from genrec_core.pipeline.artifacts import CURVES
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins
from tests.benchmarks.study import PLUGINS, SHARED, Row, conclusion, parser, ran, report, seconds

HOME = PLUGINS / "genrec-plugin-onerec-think"
DATA = {"movielens": ("tiny.yaml", "ml-100k"), "beauty": ("tiny_beauty.yaml", "amazon-beauty")}
EMPTY = {"mode": "empty"}
FIVE = {"thoughts": 5, "temperature": 1.0}
ALIGNED, TRAINED = ("warm-up", "align"), ("warm-up", "align", "activate", "enhance")

RUNGS: dict[str, tuple[tuple[str, ...], dict[str, Any], str, str]] = {
    "Base": (("align",), EMPTY, "", ""),
    "Base+IA": (ALIGNED, EMPTY, "", "Base"),
    "Base+IA+activation": (TRAINED[:3], {}, "", "Base+IA"),
    "Base+IA+R": (TRAINED, {}, "rollout-beam", "Base+IA"),
    "Base+IA+R, empty thought": (TRAINED, EMPTY, "rollout-beam", "Base+IA+R"),
    "Base+IA+R, 5 thoughts, max": (TRAINED, {**FIVE, "merge": "max"}, "rollout-beam", "Base+IA+R"),
    "Base+IA+R, 5 thoughts, logsumexp": (
        TRAINED,
        {**FIVE, "merge": "logsumexp"},
        "rollout-beam",
        "Base+IA+R",
    ),
    "reward sparse": (TRAINED, {}, "sparse", "Base+IA+R"),
    "reward hierarchical": (TRAINED, {}, "hierarchical", "Base+IA+R"),
}
"""Name → steps, options of the recommender, reward, and the rung it is compared with."""


class Study:
    """Runs rungs."""

    def __init__(self, home: Path, data: str, extra: tuple[str, ...]) -> None:
        self.home, self.extra = home, extra
        file, folder = DATA[data]
        self.pipeline = yaml.safe_load((HOME / file).read_text())
        self.pipeline["data"]["source"]["path"] = str(SHARED / folder)
        self.pipeline["evaluate"].update({"baselines": [], "valid": False})
        for corpus in self.pipeline["train"]["align"]["corpora"]:
            if "path" in corpus:
                corpus["path"] = str((HOME / corpus["path"]).resolve())
        self.run = cache(self._run)

    def _run(self, name: str, seed: int) -> RunReader:
        steps, thinking, reward, _ = RUNGS[name]
        pipeline = copy.deepcopy(self.pipeline)
        pipeline["train"] = {step: pipeline["train"][step] for step in steps}
        if name == "Base":
            pipeline["train"]["align"]["corpora"] = pipeline["train"]["align"]["corpora"][:1]
        if reward:
            pipeline["train"]["enhance"]["reward"] = {"use": f"onerec-think/{reward}"}
        if reward == "hierarchical":  # what it scores is written by the answer's tokens
            pipeline["train"]["enhance"]["think_learn"] = "all"
        pipeline["recommend"].update(thinking)
        if thinking == EMPTY and "enhance" not in steps:
            # The prompt of alignment has the empty block already; with `none` it stands there once.
            pipeline["recommend"]["mode"] = "none"
        self.home.mkdir(parents=True, exist_ok=True)
        file = self.home / "rung.yaml"
        file.write_text(yaml.safe_dump(pipeline, sort_keys=False))
        absent = tuple(f"train.{step}." for step in self.pipeline["train"] if step not in steps)
        changes = [change for change in self.extra if not change.startswith(absent)]
        finished = ran(file, (*changes, f"seed={seed}"), self.home)
        assert finished.folder is not None
        return open_run(finished.folder, load_plugins()[0])

    def worth(self, name: str, seed: int) -> NDArray[np.float64]:
        """NDCG@10 of every test user."""
        ranks = load_run(self.run(name, seed).folder).ranks
        assert ranks is not None
        return worth((10,))["ndcg@10"][np.where(ranks[0] > 10, 0, ranks[0])]

    def row(self, name: str, seed: int) -> dict[str, Any]:
        """The figures of a rung."""
        opened = self.run(name, seed)
        spent = opened.metrics["cost"]["recommend"]  # of a stage that was reused too
        requests = len(opened.prepared.views.test)
        row = {
            "rung": name,
            "seed": seed,
            "test": opened.metrics["test"],
            "tokens": {
                key: spent[key] / requests for key in ("think_tokens", "finish_tokens") if key in spent
            },
            "seconds": seconds(dict(opened.metrics)),
        }
        if RUNGS[name][2]:
            curves = json.loads((opened.artefact("train.enhance") / CURVES).read_bytes())
            row["groups with signal"] = 1 - float(
                np.mean([value for _, value in curves["zero-signal groups"]])
            )
        return row

    def captions(self, seed: int) -> dict[str, tuple[float, float]]:
        """Exact captions and token-F1, by rung."""
        options = self.pipeline["train"]["align"]["corpora"][1]
        corpus = Captions(**{key: value for key, value in options.items() if key != "use"})
        return {name: told(self.run(name, seed), corpus) for name in ("Base", "Base+IA")}


def told(opened: RunReader, corpus: Captions) -> tuple[float, float]:
    """How many captions a model writes exactly, and the mean F1 of their words."""
    catalogue = opened.catalogue
    samples = list(corpus.samples(opened.prepared.views.train, catalogue, Context()))
    asked = [replace(one, segments=corpus.question(one.target or 0), answer_form="title") for one in samples]
    decoder = FreeDecoder(Model.of(opened.model("main")), catalogue, FreeDecoderSettings(1, 48))
    exact, shares = [], []
    for sample, answer in zip(samples, decoder.candidates(asked), strict=True):
        written, right = answer.beams[0].text, corpus.caption(sample.target or 0, catalogue)
        exact.append(float(written == right))
        shares.append(f1(written, right))
    return float(np.mean(exact)), float(np.mean(shares))


def f1(written: str, right: str) -> float:
    """Twice the words in common over the words of both, lower-cased.

    >>> f1("a red tent", "a blue tent")
    0.6666666666666666
    """
    ours, theirs = Counter(written.lower().split()), Counter(right.lower().split())
    return 2 * (ours & theirs).total() / max(1, ours.total() + theirs.total())


def shown(row: dict[str, Any]) -> str:
    """A row as a line."""
    tokens = ", ".join(f"{count:.1f} {key.removesuffix('_tokens')}" for key, count in row["tokens"].items())
    signal = f", groups with signal {row['groups with signal']:.2f}" if "groups with signal" in row else ""
    test = row["test"]
    return (
        f"{row['rung']:34} seed {row['seed']}  R@10 {test['recall@10']:.4f}  NDCG@10 {test['ndcg@10']:.4f}  "
        f"tokens an answer: {tokens}{signal}"
    )


def main() -> None:
    """Run the study."""
    options = parser(__doc__, "out/onerec-think")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--data", choices=list(DATA), default="movielens")
    chosen = options.parse_args()
    study = Study(chosen.home, chosen.data, tuple(chosen.set))

    def rows(name: str) -> Iterator[Row]:
        if name == "captions":
            for seed in chosen.seeds:
                found = study.captions(seed)
                line = "; ".join(f"{rung} exact {a:.3f}, F1 {b:.3f}" for rung, (a, b) in found.items())
                yield {"captions": found, "seed": seed}, f"captions seed {seed}: {line}"
            return
        for seed in chosen.seeds:
            row = study.row(name, seed)
            yield row, shown(row)
        other = RUNGS[name][3]
        if other:
            gained = np.stack([study.worth(name, seed) - study.worth(other, seed) for seed in chosen.seeds])
            said = conclusion(gained, other)
            yield {"rung": name, "against": other, "ndcg@10": said}, f"{name:34} NDCG@10 {said}"

    report(chosen, [*RUNGS, "captions"], rows)


if __name__ == "__main__":
    main()
