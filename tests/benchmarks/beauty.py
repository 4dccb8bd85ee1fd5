"""What each choice of `examples/beauty.yaml` buys: the example changed in one place at a time.

    python -m tests.benchmarks.beauty                     # every variant, a short training each
    python -m tests.benchmarks.beauty --only codes        # variants whose name contains "codes"
    python -m tests.benchmarks.beauty --only trained      # choices of training, on three levels of 256 codes
    python -m tests.benchmarks.beauty --whole --json beauty.json    # the example itself
    python -m tests.benchmarks.beauty --whole --only "then one"     # a variant, as long as the example

All variants read histories by token, have no dense head and 256 codes a level (unless they say otherwise), as
the example had when they were measured (docs/semantic-ids-measured.md); what reading by item and more codes
add is in docs/accuracy.md.
Variants train for `EPOCHS` epochs and are compared by validation Recall@10 and NDCG@10, which is what choices
may be made by; `--whole` trains for as long as the example says and prints test figures too. Needs the data
folder `amazon-beauty`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.benchmarks.study import ROOT, SHARED, Row, parser, ran, report

EXAMPLE = ROOT / "examples" / "beauty.yaml"
DATA = SHARED / "amazon-beauty"
EPOCHS, WHOLE = 8, 24
"""Of a variant, and of the example."""
STEPS = 175
"""Steps of an epoch with one sample a user."""
CORPUS = "train.sft.corpora"

COUNTS = "tokenizer.behaviour.epochs=0"
"""Vectors from co-occurrence, without the recommender that starts from them."""
THREE = (COUNTS, "tokenizer.balance=none", "tokenizer.collisions=suffix")
ONE = (*THREE, "tokenizer.levels=1", "tokenizer.codes=12101", "tokenizer.iterations=1")
IDENTIFIERS: dict[str, tuple[str, ...]] = {
    "as written": (),
    "co-occurrence alone": (COUNTS,),
    "levels: 3 x 256": THREE,
    "levels: 3 x 256, constrained": (*THREE, "tokenizer.balance=constrained"),
    "levels: 3 x 256, next-nearest": (*THREE, "tokenizer.collisions=next-nearest"),
    "levels: 3 x 256, sequences": (*THREE, "tokenizer.behaviour.epochs=20"),
    "levels: 3 x 256, sinkhorn": (*THREE, "tokenizer.collisions=sinkhorn"),
    "levels: 3 x 256, keep": (*THREE, "tokenizer.collisions=keep"),
    "levels: 3 x 256, text alone": (*THREE, "tokenizer.behaviour=null"),
    "levels: 4 x 256": (*THREE, "tokenizer.levels=4"),
    "levels: 3 x 1024": (*THREE, "tokenizer.codes=1024"),
    "levels: 2 x 4096": (*THREE, "tokenizer.levels=2", "tokenizer.codes=4096", "tokenizer.iterations=10"),
    "codes: 256, then one an item": (
        *ONE,
        "tokenizer.levels=2",
        "tokenizer.codes=[256, 12101]",
        "tokenizer.collisions=next-nearest",
    ),
    "codes: 8192 and ranks": (*ONE, "tokenizer.codes=8192", "tokenizer.iterations=5"),
    "one token an item": ONE,
    "one token an item, text too": (*ONE, "tokenizer.behaviour={share: 0.8, dimensions: 128}"),
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
BY_TOKEN = (
    "model={use: core/tiny-causal, hidden: 128, layers: 3, dropout: 0.4, attention_dropout: 0, "
    "initialisation: vectors}",
    "train.sft.dense=null",
    f"train.sft.epochs={WHOLE}",
    "train.sft.valid_samples=4096",
    "train.sft.precision=auto",
    "recommend.beams=20",
    "tokenizer.codes=256",
)
"""The example as it was when this study was made: histories read by token, no dense head, codes of 256."""
VARIANTS = IDENTIFIERS | {
    f"trained on 3 x 256, {name}": (*THREE, *changes) for name, changes in TRAINING.items()
}


AS_WRITTEN = next(iter(VARIANTS))


def row(name: str, epochs: int | None, extra: tuple[str, ...], home: Path) -> Row:
    """A variant's figures and how long its training took, for some epochs or for those of the example."""
    steps = str(STEPS * (epochs or WHOLE))
    own = (change.replace("STEPS", steps) for change in VARIANTS[name])
    changes = [f"data.source.path={DATA}", *BY_TOKEN, *own]
    if epochs:
        changes += [f"train.sft.epochs={epochs}", "evaluate.baselines=[]", "recommend.beams=10"]
    begin = time.perf_counter()
    metrics = ran(EXAMPLE, (*changes, *extra), home).metrics
    valid, test = metrics["valid"], metrics["test"]
    trained = sum(cost["seconds"] for stage, cost in metrics["cost"].items() if stage.startswith("train"))
    line = f"{name:32} valid {valid['recall@10']:.4f} {valid['ndcg@10']:.4f}, trained {trained:.0f} s"
    found: dict[str, Any] = {"variant": name, "valid": valid, "test": test, "train_seconds": trained}
    if epochs is None:
        found |= {
            "intervals": metrics.get("intervals", {}),
            "baselines": metrics.get("baselines", {}),
            "seconds": time.perf_counter() - begin,
        }
        line += f", test {test['recall@10']:.4f} {test['ndcg@10']:.4f}, in all {found['seconds']:.0f} s"
    return found, line


def main() -> None:
    """Run the study."""
    options = parser(__doc__, "beauty-study")
    options.add_argument("--whole", action="store_true", help="as long as the example, and its test figures")
    options.add_argument("--epochs", type=int, default=EPOCHS, help="epochs of a variant")
    chosen = options.parse_args()
    epochs = None if chosen.whole else chosen.epochs
    if chosen.whole:
        chosen.only = chosen.only or AS_WRITTEN

    def rows(name: str) -> list[Row]:
        return [row(name, epochs, tuple(chosen.set), chosen.home)]

    report(chosen, VARIANTS, rows)


if __name__ == "__main__":
    main()
