"""What the thoughts of a run are worth: the same model and prompts with a thought, an empty one and none.

    python -m tests.benchmarks.thoughts RUN --users 10
    python -m tests.benchmarks.thoughts RUN --rows 1000 --count 8 --temperature 1.0

RUN recommends by `core/think`. Printed for some test rows: recall and NDCG of each way to answer, with paired
differences from the empty thought, and beside each its seconds and tokens a user and the share of thoughts
that were closed for the model. With `--count`, thoughts are drawn and merged by every rule that a recommender
could use. Under a line of their own stand the figures of the best of these thoughts *by the true answer*
(best-of-N): an upper bound that knows what it is asked, and no recommender. `--users` prints some thoughts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec_core.builtin.think import Think
from genrec_core.contracts.candidates import Candidates
from genrec_core.contracts.context import Context
from genrec_core.contracts.views import Example
from genrec_core.engine import Model, ThinkSettings, beams_behind_thoughts, merged
from genrec_core.engine.training.validation import SearchValidation, evenly
from genrec_core.evaluation.intervals import differences
from genrec_core.evaluation.metrics import accuracy
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins
from tests.benchmarks.measuring import machine, write

AT = (1, 5, 10)
RULES = ("max", "logsumexp", "vote", "best")


class Judged:
    """A run whose answers to some test rows are ranked."""

    def __init__(self, opened: RunReader, rows: int) -> None:
        recommender = opened.pipeline.spec.recommend
        if not isinstance(recommender, Think):
            raise SystemExit(f"`{recommender.name}` does not think: write `recommend: core/think` in the run")
        self.thinker, self.prompt = recommender, opened.pipeline.prompts["main"]
        examples = list(opened.prepared.views.test.examples())
        self.examples: list[Example] = [examples[row] for row in evenly(len(examples), rows)]
        self.catalogue, self.models = opened.catalogue, {"main": Model.of(opened.model("main"))}
        self.decoder = recommender.decoder(self.models, self.catalogue, Context())
        self.samples = [
            self.prompt.prompt(example.request(), self.catalogue, Context()) for example in self.examples
        ]
        self.judge = SearchValidation([], self.decoder)

    def ranks(self, answers: Sequence[Candidates]) -> NDArray[np.int32]:
        """The 1-based rank of each row's target, 0 where it was not found."""
        found = [
            self.judge.rank(answer.beams, replace(sample, target=example.target))
            for answer, sample, example in zip(answers, self.samples, self.examples, strict=True)
        ]
        return np.array([0 if rank is None else rank + 1 for rank in found], dtype=np.int32)

    def answered(self, **options: Any) -> tuple[list[Candidates], float]:
        """The answers of the run's recommender with options changed, and seconds a user."""
        thinker = self.thinker.with_options(**options)
        begun = time.perf_counter()
        with thinker.open(self.models, self.catalogue, {"main": self.prompt}, Context()) as session:
            answers = list(session.recommend([example.request() for example in self.examples]))
        return answers, (time.perf_counter() - begun) / len(answers)


def row(name: str, answers: Sequence[Candidates], ranks: NDArray[np.int32], seconds: float) -> dict[str, Any]:
    """The figures of one way to answer."""
    thoughts = sum(answer.phases.get("think", 0) for answer in answers)
    return {
        "way": name,
        **accuracy(ranks, AT),
        "seconds a user": seconds,
        "thought tokens a user": thoughts / len(answers),
        "thoughts cut a user": sum(answer.phases.get("cut", 0) for answer in answers) / len(answers),
    }


def line(found: dict[str, Any]) -> str:
    """A row as it is printed."""
    parts = [f"{found['way']:24}"]
    parts += [f"{name} {found[name]:.4f}" for name in ("recall@1", "recall@10", "ndcg@10")]
    parts.append(
        f"{1000 * found['seconds a user']:.1f} ms, {found['thought tokens a user']:.1f} tokens a user"
    )
    parts.append(f"{found['thoughts cut a user']:.2f} cut")
    if "against" in found:
        against = found["against"]
        low, high = against["interval"]
        parts.append(
            f"NDCG@10 {against['difference']:+.4f} [{low:+.4f}, {high:+.4f}] against the empty thought"
        )
    return "  ".join(parts)


def main() -> None:
    """Answer the rows in every way."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("run", type=Path)
    options.add_argument("--store", type=Path)
    options.add_argument("--rows", type=int, default=1000, help="test rows, evenly chosen")
    options.add_argument("--users", type=int, default=0, help="print the thoughts about so many of them")
    options.add_argument("--count", type=int, default=0, help="thoughts that are drawn a row; 0 draws none")
    options.add_argument("--temperature", type=float, default=1.0)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    judged = Judged(open_run(chosen.run, load_plugins()[0], chosen.store), chosen.rows)
    print(machine())
    rows = in_every_mode(judged, chosen.users)
    if chosen.count:
        rows += drawn(judged, chosen.count, chosen.temperature)
    write(chosen.json, {}, rows)


def in_every_mode(judged: Judged, users: int) -> list[dict[str, Any]]:
    """A greedy thought, an empty one and none, at the same input."""
    found: dict[str, tuple[list[Candidates], NDArray[np.int32], float]] = {}
    for mode in ("think", "empty", "none"):
        answers, seconds = judged.answered(mode=mode, thoughts=1, temperature=0.0)
        found[mode] = answers, judged.ranks(answers), seconds
    for answer, example in list(zip(found["think"][0], judged.examples, strict=True))[:users]:
        print(f"  {example.user}: {answer.thought!r}")
    rows = []
    for mode, (answers, ranks, seconds) in found.items():
        rows.append(row(mode, answers, ranks, seconds))
        if mode != "empty":
            rows[-1]["against"] = differences(ranks, found["empty"][1], (10,))["ndcg@10"].plain()
        print(line(rows[-1]), flush=True)
    return rows


def drawn(judged: Judged, count: int, temperature: float) -> list[dict[str, Any]]:
    """Drawn thoughts merged by every rule, and the upper bound."""
    settings = judged.thinker.with_options(mode="think", thoughts=count, temperature=temperature).settings()
    assert isinstance(settings, ThinkSettings)
    begun = time.perf_counter()
    groups = list(beams_behind_thoughts(judged.decoder, judged.samples, settings, seed=0))
    seconds = (time.perf_counter() - begun) / len(groups)
    rows = []
    most = judged.decoder.settings.beams
    for rule in RULES:
        answers = [merged(group, rule, most) for group in groups]
        rows.append(row(f"{count} thoughts, {rule}", answers, judged.ranks(answers), seconds))
        print(line(rows[-1]), flush=True)
    each = np.stack([judged.ranks([group[n].answer for group in groups]) for n in range(count)])
    first = np.where(each == 0, np.iinfo(np.int32).max, each).min(axis=0)
    bound = np.where(first == np.iinfo(np.int32).max, 0, first).astype(np.int32)
    print(f"-- upper bound, no recommender: of {count} thoughts, the one that the true answer likes best --")
    rows.append({"way": f"upper bound of {count} thoughts, chosen by the truth", **accuracy(bound, AT)})
    print("  ".join(f"{name} {rows[-1][name]:.4f}" for name in ("recall@1", "recall@10", "ndcg@10")))
    return rows


if __name__ == "__main__":
    main()
