"""What each choice of `examples/beauty.yaml` buys: the example changed in one place at a time.

    python -m tests.benchmarks.beauty                     # every variant, a short training each
    python -m tests.benchmarks.beauty --only codes        # variants whose name contains "codes"
    python -m tests.benchmarks.beauty --only trained      # choices of training, on three levels of 256 codes
    python -m tests.benchmarks.beauty --whole --json beauty.json

Variants train for `EPOCHS` epochs and are compared by validation Recall@10 and NDCG@10, which is what choices
may be made by; `--whole` runs the example as it is written and prints its test figures too. Stages that
variants share are computed once. Needs the data folder `amazon-beauty`.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path
from typing import Any

from genrec_core.cli.workplace import Folders, workshop
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from tests.benchmarks.measuring import machine, write

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "beauty.yaml"
DATA = ROOT.parent / "shared" / "data" / "amazon-beauty"
EPOCHS = 8
STEPS = 175
"""Steps of an epoch with one sample a user."""
CORPUS = "train.sft.corpora"

THREE = ("tokenizer.levels=3", "tokenizer.codes=256", "tokenizer.iterations=100")
IDENTIFIERS: dict[str, tuple[str, ...]] = {
    "as written": (),
    "text and behaviour": ("tokenizer.behaviour={share: 0.8, dimensions: 128}",),
    "text alone": ("tokenizer.behaviour=null",),
    "levels: 3 x 256": THREE,
    "levels: 3 x 256, constrained": (*THREE, "tokenizer.balance=constrained"),
    "levels: 3 x 256, next-nearest": (*THREE, "tokenizer.collisions=next-nearest"),
    "levels: 3 x 256, sinkhorn": (*THREE, "tokenizer.collisions=sinkhorn"),
    "levels: 3 x 256, keep": (*THREE, "tokenizer.collisions=keep"),
    "levels: 3 x 256, text alone": (*THREE, "tokenizer.behaviour=null"),
    "levels: 4 x 256": (*THREE, "tokenizer.levels=4"),
    "levels: 3 x 1024": (*THREE, "tokenizer.codes=1024"),
    "levels: 2 x 4096": (*THREE, "tokenizer.levels=2", "tokenizer.codes=4096", "tokenizer.iterations=10"),
    "codes: 256, then one an item": (
        "tokenizer.levels=2",
        "tokenizer.codes=[256, 12101]",
        "tokenizer.collisions=next-nearest",
    ),
    "codes: 8192 and ranks": ("tokenizer.codes=8192", "tokenizer.iterations=5"),
}
TRAINING: dict[str, tuple[str, ...]] = {
    "scoring: full": ("train.sft.scoring=full",),
    "initialisation: random": ("model.initialisation=random",),
    "label smoothing .1": ("train.sft.label_smoothing=0.1",),
    "dropout .2": ("model.dropout=0.2",),
    "separator": (f"{CORPUS}=[{{use: core/next-item, each: user}}]",),
    "one sample a prefix, as many steps": (
        f'{CORPUS}=[{{use: core/next-item, each: prefix, separator: ""}}]',
        "train.sft.max_steps=STEPS",
    ),
}
VARIANTS = IDENTIFIERS | {
    f"trained on 3 x 256, {name}": (*THREE, *changes) for name, changes in TRAINING.items()
}


def run(changes: tuple[str, ...], home: Path) -> dict[str, Any]:
    """The metrics of the example with some changes, and how long its training took."""
    shop = workshop(Folders(home / "store", home / "runs"), quiet=True)
    begin = time.perf_counter()
    metrics = run_pipeline(
        load_pipeline(EXAMPLE, shop.registry, (f"data.source.path={DATA}", *changes)), shop
    )
    return {"seconds": time.perf_counter() - begin, **metrics.metrics}


def main() -> None:
    """Run the study."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    options.add_argument("--whole", action="store_true", help="the example as it is written, nothing else")
    options.add_argument("--only", default="", help="regular expression in a variant's name")
    options.add_argument("--epochs", type=int, default=EPOCHS, help="epochs of a variant")
    options.add_argument("--home", type=Path, default=Path("beauty-study"), help="store and runs")
    options.add_argument("--json", type=Path, help="file for the figures")
    chosen = options.parse_args()
    print(machine())
    rows = []
    for name, changes in VARIANTS.items():
        if not re.search(chosen.only, name) or (chosen.whole and changes):
            continue
        short = (f"train.sft.epochs={chosen.epochs}", "evaluate.baselines=[]", "recommend.beams=10")
        steps = str(STEPS * chosen.epochs)
        changes = tuple(change.replace("STEPS", steps) for change in changes)
        found = run(changes if chosen.whole else (*short, *changes), chosen.home)
        valid, test, cost = found["valid"], found["test"], found["cost"]
        trained = sum(stage["seconds"] for key, stage in cost.items() if key.startswith("train"))
        rows.append({"variant": name, "valid": valid, "test": test, "train_seconds": trained})
        shown = f"valid {valid['recall@10']:.4f} {valid['ndcg@10']:.4f}, trained {trained:.0f} s"
        if chosen.whole:
            shown += f", test {test['recall@10']:.4f} {test['ndcg@10']:.4f}, in all {found['seconds']:.0f} s"
        print(f"{name:32} {shown}", flush=True)
    write(chosen.json, {}, rows)


if __name__ == "__main__":
    main()
