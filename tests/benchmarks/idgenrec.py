"""IDGenRec's ablations: does it pay that identifiers are learnt?

    python -m tests.benchmarks.idgenrec --only shop                  # the made-up shop, three seeds
    python -m tests.benchmarks.idgenrec --only industrial            # a part of Amazon Industrial
    python -m tests.benchmarks.idgenrec --only movielens             # a part of MovieLens-100K

Each variant is `plugins/genrec-plugin-idgenrec/tiny.yaml` in float32, made smaller (`SIZES`), with who is
trained changed: the recommender alone on the first identifiers, the generator alone, or both in turn.
Variants of a seed share tokenizer and first models. After the last seed come the differences in Recall@10
from the recommender alone, paired over users and seeds; a conclusion is printed only where the interval
leaves out zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from genrec_plugin_idgenrec.report import AFTER, BEFORE, MOVED
from numpy.typing import NDArray

from genrec_core.evaluation.compare import load_run
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins
from tests.benchmarks.made_up_shop import write_shop
from tests.benchmarks.study import PLUGINS, SHARED, Row, conclusion, interval, parser, ran, report, seconds

FOLDER = PLUGINS / "genrec-plugin-idgenrec"
TINY = FOLDER / "tiny.yaml"
VARIANTS = ("recommender", "generator", "alternate")

SMALL = "{use: core/tiny-seq2seq, hidden: 48, layers: 2, intermediate: 96, vocabulary: %d}"
SIZES: dict[str, dict[str, Any]] = {
    "shop": {
        "model": SMALL % 600,
        "tokenizer.generator": SMALL % 600,
        "tokenizer.fields": "[title, description]",
        "tokenizer.tag_fields": "[title]",
        "tokenizer.tags": 2,
        "tokenizer.teach.epochs": 16,
        "tokenizer.teach.learning_rate": 0.005,
        "data.split": "{use: core/leave-one-out}",
        "data.max_history": 5,
        "train.alternate.rounds": 2,
        "train.alternate.epochs": 5,
        "train.alternate.learning_rate": 0.004,
        "train.alternate.batch_size": 32,
        "train.alternate.corpora.0.fixed": 0,
        "tokenizer.extensions": 9,
        "train.alternate.id_generator.batch_size": 32,
        "train.alternate.id_generator.learning_rate": 0.0005,
        "train.alternate.id_generator.newest": 2,
    },
    "industrial": {
        "model": SMALL % 1500,
        "tokenizer.generator": SMALL % 1500,
        "tokenizer.fields": "[title]",
        "tokenizer.text_tokens": 40,
        "tokenizer.teach.epochs": 6,
        "train.alternate.epochs": 1,
        "train.alternate.corpora.0.max_per_user": 2,
        "train.alternate.id_generator.max_steps": 60,
    },
}
SIZES["movielens"] = {
    **SIZES["industrial"],
    "data.split": "{use: core/leave-one-out}",
    "tokenizer.fields": "[title, genres]",
    "train.alternate.corpora.0.max_per_user": 6,
}
PLACES = {"industrial": SHARED / "amazon-industrial", "movielens": SHARED / "ml-100k"}


class Study:
    """Runs variants in one store."""

    def __init__(self, home: Path, extra: tuple[str, ...], seeds: list[int]) -> None:
        self.home, self.extra, self.seeds = home, extra, seeds
        self.hits: dict[str, dict[int, NDArray[np.float64]]] = {}
        if not (home / "shop").is_dir():
            write_shop(home / "shop")

    def run(self, data: str, variant: str, seed: int) -> tuple[Path, dict[str, Any]]:
        """The run of one variant, its folder and metrics."""
        place = PLACES.get(data, self.home / "shop")
        own = {**SIZES[data], "data.source.path": place, "train.alternate.train": variant, "seed": seed}
        own |= {"evaluate.valid": "false", "evaluate.baselines": "[core/popular]", "recommend.beams": 10}
        changes = [f"{path}={value}" for path, value in own.items()]
        finished = ran(TINY, [*changes, *self.extra], self.home)
        assert finished.folder is not None
        return finished.folder, dict(finished.metrics)

    def row(self, data: str, variant: str, seed: int) -> Row:
        """Figures of one run, and its line."""
        folder, metrics = self.run(data, variant, seed)
        ranks = load_run(folder).ranks
        assert ranks is not None
        self.hits.setdefault(variant, {})[seed] = ((ranks > 0) & (ranks <= 10)).astype(np.float64).reshape(-1)
        moved, losses = self.learnt(folder)
        found = {
            "data": data,
            "variant": variant,
            "seed": seed,
            "test": metrics["test"],
            "popular": metrics["baselines"]["core/popular"],
            "moved": moved,
            "losses": losses,
            "seconds": seconds(metrics),
        }
        line = f"{data:12} {variant:12} seed {seed}  Recall@10 {metrics['test']['recall@10']:.4f}"
        line += f"  popular {metrics['baselines']['core/popular']['recall@10']:.4f}  moved {moved}"
        return found, f"{line}  loss on new identifiers {losses}"

    def learnt(self, folder: Path) -> tuple[list[int], list[tuple[float, float]]]:
        """How many identifiers moved in each round, and the loss before and after each recommender's step."""
        opened = open_run(folder, load_plugins()[0], None)
        curves = orjson.loads((opened.artefact("train.alternate") / "curves.json").read_bytes())
        pairs = zip(curves.get(BEFORE, ()), curves.get(AFTER, ()), strict=True)
        losses = [(round(before, 3), round(after, 3)) for (_, before), (_, after) in pairs]
        return [int(count) for _, count in curves.get(MOVED, ())], losses

    def compared(self, data: str) -> Iterator[Row]:
        """Every variant's difference from the recommender alone, over seeds and users."""
        alone = np.stack([self.hits["recommender"][seed] for seed in self.seeds])
        for variant, found in self.hits.items():
            own = np.stack([found[seed] for seed in self.seeds])
            low, high = interval(own)
            line = f"{data:12} {variant:12} {own.mean():.4f} [{low:.4f}, {high:.4f}]"
            row = {"data": data, "variant": variant, "mean": float(own.mean()), "interval": [low, high]}
            if variant != "recommender":
                row["difference"] = conclusion(own - alone, "the recommender alone")
                line += f"  {row['difference']}"
            yield row, line


def main() -> None:
    """Every chosen study."""
    options = parser(__doc__, "/tmp/genrec-idgenrec")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--variants", nargs="+", default=["recommender", "alternate"], choices=VARIANTS)
    chosen = options.parse_args()

    def rows(name: str) -> Iterator[Row]:
        study = Study(chosen.home, tuple(chosen.set), chosen.seeds)
        for seed in chosen.seeds:
            for variant in chosen.variants:
                yield study.row(name, variant, seed)
        yield from study.compared(name)

    report(chosen, SIZES, rows)


if __name__ == "__main__":
    main()
