"""IDGenRec's ablations: does it pay that identifiers are learnt?

    python -m tests.benchmarks.idgenrec --only shop                  # the made-up shop, three seeds
    python -m tests.benchmarks.idgenrec --only zero-shot             # its models in another shop
    python -m tests.benchmarks.idgenrec --only industrial            # a part of Amazon Industrial
    python -m tests.benchmarks.idgenrec --only movielens             # a part of MovieLens-100K
    python -m tests.benchmarks.idgenrec --only unseen --seeds 1   # trained on both, asked about Beauty

Each variant is `plugins/genrec-plugin-idgenrec/tiny.yaml` in float32, made smaller (`SIZES`), with who is
trained changed: the recommender alone on the first identifiers, the generator alone, or both in turn.
Variants of a seed share tokenizer and first models. After the last seed come the differences in Recall@10
from the recommender alone, paired over users and seeds; a conclusion is printed only where the interval
leaves out zero. `zero-shot` asks what alternate training in the made-up shop left, without any training,
about a second shop: other items and users, other words that say nothing, the same words for kinds.
`unseen beauty` asks the same about Amazon Beauty, after training on Industrial and MovieLens together.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from genrec_plugin_idgenrec.report import AFTER, BEFORE, MOVED
from numpy.typing import NDArray

from genrec_core.engine import Model
from genrec_core.evaluation.compare import load_run
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins
from tests.benchmarks.made_up_shop import share_telling, write_shop
from tests.benchmarks.study import PLUGINS, SHARED, Row, conclusion, interval, parser, ran, report, seconds

FOLDER = PLUGINS / "genrec-plugin-idgenrec"
TINY, ZERO_SHOT = FOLDER / "tiny.yaml", FOLDER / "zero_shot.yaml"
TRAINED = "train.alternate"
"""The stage that trains; a run that asks models of another one has none."""

OTHER_SHOP = 202
"""Seed of the shop that no model was trained in."""

VARIANTS = ("recommender", "generator", "alternate")

SMALL = "{use: core/tiny-seq2seq, hidden: 48, layers: 2, intermediate: 96, vocabulary: %d}"
SIZES: dict[str, dict[str, Any]] = {
    "shop": {
        "model": SMALL % 700,
        "tokenizer.generator": SMALL % 700,
        "tokenizer.fields": "[keywords]",
        "tokenizer.tag_words": "drawn",
        "tokenizer.tag_draws": 4,
        "tokenizer.tags": 2,
        "tokenizer.extensions": 9,
        "tokenizer.teach.epochs": 20,
        "tokenizer.teach.learning_rate": 0.004,
        "tokenizer.teach.batch_size": 64,
        "data.split": "{use: core/leave-one-out}",
        "data.max_history": 5,
        "train.alternate.rounds": 3,
        "train.alternate.epochs": 14,
        "train.alternate.learning_rate": 0.004,
        "train.alternate.batch_size": 32,
        "train.alternate.corpora.0.fixed": 0,
        "train.alternate.id_generator.epochs": 100,
        "train.alternate.id_generator.max_steps": 100,
        "train.alternate.id_generator.batch_size": 64,
        "train.alternate.id_generator.learning_rate": 0.001,
        "train.alternate.id_generator.newest": 3,
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


def folder(place: Path) -> str:
    """A data folder as a source."""
    return f"{{use: core/folder, path: {place}}}"


SOURCES = {
    "industrial": folder(SHARED / "amazon-industrial"),
    "movielens": folder(SHARED / "ml-100k"),
}
PARTS = ", ".join(f"{name}: {source}" for name, source in SOURCES.items())
TOGETHER = "fusion"
SOURCES[TOGETHER] = f"{{use: core/merged, users: separate, parts: {{{PARTS}}}}}"
SIZES[TOGETHER] = {**SIZES["industrial"], "data.split": "{use: core/leave-one-out}"}
ZERO_SHOTS = {"zero-shot": "shop", "unseen beauty": TOGETHER}
"""Where its models are trained."""


class Study:
    """Runs variants in one store."""

    def __init__(self, home: Path, extra: tuple[str, ...], seeds: list[int]) -> None:
        self.home, self.extra, self.seeds = home, extra, seeds
        self.hits: dict[str, dict[int, NDArray[np.float64]]] = {}
        if not (home / "shop").is_dir():
            write_shop(home / "shop")

    def run(self, data: str, variant: str, seed: int) -> tuple[Path, dict[str, Any]]:
        """The run of one variant, its folder and metrics."""
        source = SOURCES.get(data) or folder(self.home / "shop")
        own = {**SIZES[data], "data.source": source, "train.alternate.train": variant, "seed": seed}
        own |= {"evaluate.valid": "false", "evaluate.baselines": "[core/popular]", "recommend.beams": 20}
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
        moved, losses, telling = self.learnt(folder)
        found = {
            "data": data,
            "variant": variant,
            "seed": seed,
            "test": metrics["test"],
            "popular": metrics["baselines"]["core/popular"],
            "moved": moved,
            "losses": losses,
            "telling": telling,
            "seconds": seconds(metrics),
        }
        line = f"{data:12} {variant:12} seed {seed}  Recall@10 {metrics['test']['recall@10']:.4f}"
        line += f"  popular {metrics['baselines']['core/popular']['recall@10']:.4f}  moved {moved}"
        line += f"  loss on new identifiers {losses}"
        return found, line if telling is None else f"{line}  kind in identifiers {telling:.2f}"

    def zero_shot(self, name: str, seed: int) -> Row:
        """Both models that were trained elsewhere, asked about a catalogue that they never saw."""
        models = self.home / f"models of {ZERO_SHOTS[name]}, {seed}"
        trained, _ = self.run(ZERO_SHOTS[name], "alternate", seed)
        opened = open_run(trained, load_plugins()[0], None)
        for slot in ("main", "generator"):
            Model.of(opened.model(slot)).save(models / slot)
        own = {"model.path": models / "main", "tokenizer.generator.path": models / "generator", "seed": seed}
        own |= self.beauty() if name == "unseen beauty" else self.other_shop()
        finished = ran(ZERO_SHOT, [f"{path}={value}" for path, value in own.items()], self.home)
        assert finished.folder is not None
        ranks, metrics = load_run(finished.folder).ranks, finished.metrics
        assert ranks is not None
        hits = ((ranks > 0) & (ranks <= 10)).astype(np.float64).reshape(1, -1)
        low, high = interval(hits)
        popular = metrics["baselines"]["core/popular"]["recall@10"]
        bounds = metrics["intervals"]["baselines"]["core/popular"]["recall@10"]
        _, _, telling = self.learnt(finished.folder)
        found = {"seed": seed, "recall@10": float(hits.mean()), "interval": [low, high]}
        found |= {"popular": popular, "popular interval": bounds, "telling": telling}
        line = f"{name}, seed {seed}  Recall@10 {hits.mean():.4f} [{low:.4f}, {high:.4f}]"
        line += f"  popular {popular:.4f} {[round(bound, 4) for bound in bounds]}"
        line += f"  by chance {10 / metrics['identifiers']['items']:.4f}  kind in identifiers {telling}"
        return found, line

    def other_shop(self) -> dict[str, Any]:
        """The second made-up shop, read as the first."""
        other = self.home / "other-shop"
        if not other.is_dir():
            write_shop(other, seed=OTHER_SHOP)
        own = {name: SIZES["shop"][name] for name in ("data.max_history", "tokenizer.extensions")}
        return {**own, "data.source.path": other, "tokenizer.fields": "[keywords]"}

    def beauty(self) -> dict[str, Any]:
        """Amazon Beauty, read as the catalogues that were trained on."""
        own = {name: SIZES[TOGETHER][name] for name in ("tokenizer.fields", "tokenizer.text_tokens")}
        return {**own, "data.source.path": SHARED / "amazon-beauty"}

    def learnt(self, folder: Path) -> tuple[list[int], list[tuple[float, float]], float | None]:
        """How many identifiers moved in each round, the loss before and after each recommender's step, and in
        the made-up shop the share of long texts whose identifier holds the word that tells."""
        opened = open_run(folder, load_plugins()[0], None)
        curves = {}
        if any(stage["name"] == TRAINED for stage in opened.plan["stages"]):
            curves = orjson.loads((opened.artefact(TRAINED) / "curves.json").read_bytes())
        pairs = zip(curves.get(BEFORE, ()), curves.get(AFTER, ()), strict=True)
        losses = [(round(before, 3), round(after, 3)) for (_, before), (_, after) in pairs]
        items, identifiers = opened.catalogue.items, opened.catalogue.identifiers
        telling = None
        if "keywords" in items.text_fields:
            names = [identifiers.text(item) for item in range(len(items))]
            telling = share_telling([items.value(item, "keywords") for item in range(len(items))], names)
        return [int(count) for _, count in curves.get(MOVED, ())], losses, telling

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
        if name in ZERO_SHOTS:
            for seed in chosen.seeds:
                yield study.zero_shot(name, seed)
            return
        for seed in chosen.seeds:
            for variant in chosen.variants:
                yield study.row(name, variant, seed)
        yield from study.compared(name)

    report(chosen, [*(name for name in SIZES if name != TOGETHER), *ZERO_SHOTS], rows)


if __name__ == "__main__":
    main()
