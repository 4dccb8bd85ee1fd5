"""OneRec-Think's figure 3, scored: what a wish in the request does to recommendations.

    python -m tests.benchmarks.steering                 # three seeds of the made-up world's pipeline

The world is `onerec-think/moods`. Every test user is asked three times: without a message, with a wish for a
mood that is rare in the own history, and with a wish for the mood of the item that was really chosen next.
Counted over the first ten items: how many have the mood that was wished for, how many are in the user's two
most frequent styles, how many both, and whether the chosen item is among them. Differences are paired over
users and seeds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genrec_core.contracts.views import Example, Request
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins
from tests.benchmarks.study import PLUGINS, Row, conclusion, parser, ran, report

FILE = PLUGINS / "genrec-plugin-onerec-think" / "steering.yaml"
TOP = 10
MEASURES = ("mood", "style", "both")


def wish(mood: str) -> str:
    """A wish as a user may word it."""
    return f"something {mood}"


class World:
    """One run, asked with and without wishes."""

    def __init__(self, folder: Path) -> None:
        self.run: RunReader = open_run(folder, load_plugins()[0])
        fields = self.run.catalogue.items.fields
        self.moods, self.styles = list(fields["mood"]), list(fields["style"])
        self.examples: list[Example] = list(self.run.prepared.views.test.examples())

    def rare(self, example: Example) -> str:
        """The mood that is rarest in a history, the first by name among equals."""
        seen = Counter(self.moods[item] for item in example.history)
        return min(sorted(set(self.moods)), key=lambda mood: seen[mood])

    def answers(self, messages: Sequence[str]) -> list[list[int]]:
        """The first items for each test user."""
        requests: list[Request] = [
            replace(example.request(), message=message)
            for example, message in zip(self.examples, messages, strict=True)
        ]
        with self.run.open() as session:
            return [ranked.items[:TOP].tolist() for _, ranked in session.answers(requests)]

    def shares(self, answers: Sequence[Sequence[int]], moods: Sequence[str]) -> NDArray[np.float64]:
        """Share of recommendations of each user with a mood, in the user's styles, and both; [users, 3]."""
        rows = []
        for example, items, mood in zip(self.examples, answers, moods, strict=True):
            counted = Counter(self.styles[item] for item in example.history)
            own = {style for style, _ in counted.most_common(2)}
            right = [(self.moods[item] == mood, self.styles[item] in own) for item in items]
            rows.append([sum(a for a, _ in right), sum(b for _, b in right), sum(a and b for a, b in right)])
        return np.array(rows, dtype=np.float64) / TOP

    def hits(self, answers: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Whether each user's chosen item is among the first ones."""
        return np.array(
            [float(example.target in items) for example, items in zip(self.examples, answers, strict=True)]
        )


def main() -> None:
    """Run and report."""
    flags = parser(__doc__, "out/steering")
    flags.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = flags.parse_args()
    before: list[NDArray[np.float64]] = []
    after: list[NDArray[np.float64]] = []
    found: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []

    def rows(name: str) -> Iterator[Row]:
        seed = int(name.removeprefix("seed "))
        finished = ran(FILE, (*chosen.set, f"seed={seed}", "train.sft.precision=float32"), chosen.home)
        assert finished.folder is not None
        world = World(finished.folder)
        rare = [world.rare(example) for example in world.examples]
        plain = world.answers([""] * len(rare))
        wished = world.answers([wish(mood) for mood in rare])
        fitting = world.answers([wish(world.moods[example.target]) for example in world.examples])
        before.append(world.shares(plain, rare))
        after.append(world.shares(wished, rare))
        found.append((world.hits(plain), world.hits(fitting)))
        means = dict(zip(MEASURES, zip(before[-1].mean(0), after[-1].mean(0), strict=True), strict=True))
        line = ", ".join(f"{measure} {a:.3f} → {b:.3f}" for measure, (a, b) in means.items())
        recalls = tuple(float(hits.mean()) for hits in found[-1])
        row = {"seed": seed, "shares": {key: [float(a), float(b)] for key, (a, b) in means.items()}}
        yield row | {"recall@10": recalls}, f"{name}: {line}; recall@10 {recalls[0]:.3f} → {recalls[1]:.3f}"

    report(chosen, [f"seed {seed}" for seed in chosen.seeds], rows)
    if before:
        for place, measure in enumerate(MEASURES):
            gained = np.stack([b[:, place] - a[:, place] for a, b in zip(before, after, strict=True)])
            print(f"{measure}: {conclusion(gained, 'no wish')}")
        print(f"recall@10: {conclusion(np.stack([b - a for a, b in found]), 'no wish')}")


if __name__ == "__main__":
    main()
