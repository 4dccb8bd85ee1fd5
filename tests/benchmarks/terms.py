"""Terms without a model, judged: what the extractor is worth, and what context buys it.

    python -m tests.benchmarks.terms --quick
    python -m tests.benchmarks.terms --json terms.json

Needs the data sets in `../shared/data`. `grlm/terms` with the extractive teacher names every item twice,
with its neighbours and by itself; on Beauty the terms that GRLM's authors published (from Qwen3-4B with
context) are judged beside them. They were made from full titles and descriptions, ours from the short
titles in this data set.

    shared        % of items that have all their terms in common with another item
    vocabulary    different terms; `once` is the % of them that a single item has
    near          terms that an item has in common with its 5 nearest neighbours, mean; neighbours by n-grams,
                  which is also what the extractor was shown
    bought        the same with the 5 items that the same users chose most, which no contestant has seen
    anyone        the same with 5 items drawn at random: what `near` and `bought` are to be compared with
    published     % of terms that are, or are part of, one of the item's published terms
    by chance     the same with the published terms of another item, drawn at random
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
from genrec_plugin_grlm.extractive import Extractive
from genrec_plugin_grlm.neighbours import nearest_items
from genrec_plugin_grlm.terms import TermIDs
from numpy.typing import NDArray
from scipy import sparse

from genrec_core import Context, Items, Sequences, View
from genrec_core.builtin.folder import Folder
from genrec_core.builtin.ngrams import NGrams
from genrec_core.contracts.context import Embedded
from tests.benchmarks.measuring import arguments, ratio, write
from tests.benchmarks.study import SHARED

FIELDS = {"amazon-beauty": ("title",), "amazon-industrial": ("title", "description", "brand")}
NEIGHBOURS, QUICK = 5, 2000
NOBODY = View("train", (), Sequences.of([]), None, 1)
Rows = list[tuple[str, ...]]


def main() -> None:
    """Name the items of both data sets, print a table of each."""
    given = arguments("Extracted terms, with and without context, beside published ones.")
    rows: list[dict[str, Any]] = []
    for name in FIELDS:
        rows += _judged(name, QUICK if given.quick else None)
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    by = {(row["data"], row["terms"]): row for row in rows}
    ratios = {
        f"{name}: {what}": ratio(
            by[name, "with context"][what] / by[name, "without"][what], f"{what} without context"
        )
        for name in FIELDS
        for what in ("near", "bought", "vocabulary")
    }
    write(given.json, ratios, rows)


def _judged(name: str, limit: int | None) -> list[dict[str, Any]]:
    dataset = Folder(path=SHARED / name).load(Context())
    items = dataset.items.subset(range(limit)) if limit else dataset.items
    vectors = Context().embed(NGrams(fields=FIELDS[name]), items)
    near = nearest_items(vectors, NEIGHBOURS, len(items) + 1, Context()).nearest
    bought = _chosen_together(dataset.sequences, len(dataset.items))[: len(items)]
    contestants = {
        "with context": _extracted(items, FIELDS[name], vectors, context=True),
        "without": _extracted(items, FIELDS[name], vectors, context=False),
    }
    published: Rows | None = None
    if "terms" in items.fields:
        published = [tuple(terms or ()) for terms in items.fields["terms"]]
        contestants["published"] = published
    return [
        {"data": name, "terms": who, **_measures(terms, near, bought, published)}
        for who, terms in contestants.items()
    ]


def _extracted(items: Items, fields: tuple[str, ...], vectors: NDArray[np.float32], *, context: bool) -> Rows:
    tokenizer = TermIDs(encoder=NGrams(), teacher=Extractive(), fields=fields, context=context)
    lend = Context(embedder=lambda *_: Embedded(vectors, {}), log=lambda event, **v: print(" ", event, v))
    ids = tokenizer.fit(items, NOBODY, lend)
    return [ids.tokens(item) for item in range(len(ids))]


def _chosen_together(sequences: Sequences, items: int) -> NDArray[np.int32]:
    """The items that the same users chose most, by cosine, int32 [items, NEIGHBOURS]; -1 for none.

    The last two of every sequence, which evaluation keeps for itself, are left out.
    """
    users = np.repeat(np.arange(len(sequences)), sequences.lengths)
    from_end = np.repeat(sequences.offsets[1:], sequences.lengths) - np.arange(len(sequences.values))
    kept = from_end > 2
    ones = np.ones(int(kept.sum()), dtype=np.float32)
    chosen = sparse.csr_matrix((ones, (users[kept], sequences.values[kept])), shape=(len(sequences), items))
    chosen.data[:] = 1.0
    counts = np.asarray(chosen.sum(axis=0)).ravel()
    together = (chosen.T @ chosen).tocsr()
    found = np.full((items, NEIGHBOURS), -1, dtype=np.int32)
    for item in range(items):
        inside = slice(together.indptr[item], together.indptr[item + 1])
        others, often = together.indices[inside], together.data[inside]
        cosine = np.where(others == item, -1.0, often / np.sqrt(counts[others] * max(counts[item], 1)))
        best = np.lexsort((others, -cosine))[:NEIGHBOURS]
        best = best[cosine[best] > 0]
        found[item, : len(best)] = others[best]
    return found


def _measures(
    terms: Rows, near: NDArray[np.int32], bought: NDArray[np.int32], published: Rows | None
) -> dict[str, Any]:
    drawn = np.random.default_rng(1).integers(len(terms), size=(len(terms), NEIGHBOURS), dtype=np.int32)
    owners, users = Counter(terms), Counter(term for row in terms for term in set(row))
    shared = sum(count for row, count in owners.items() if count > 1 and row)
    measures: dict[str, Any] = {
        "items": len(terms),
        "shared": round(100 * shared / len(terms), 2),
        "largest": max(count for row, count in owners.items() if row),
        "vocabulary": len(users),
        "once": round(100 * sum(count == 1 for count in users.values()) / len(users), 1),
        "near": round(_in_common(terms, near), 3),
        "bought": round(_in_common(terms, bought), 3),
        "anyone": round(_in_common(terms, drawn), 3),
    }
    if published is not None and published is not terms:
        other = np.random.default_rng(0).permutation(len(terms))
        measures["published"] = round(_inside(terms, published), 1)
        measures["by chance"] = round(_inside(terms, [published[item] for item in other]), 1)
    return measures


def _in_common(terms: Rows, others: NDArray[np.int32]) -> float:
    """Mean number of terms that an item and one of its others both have."""
    sets = [set(row) for row in terms]
    pairs = [
        (item, other) for item, row in enumerate(others.tolist()) for other in row if 0 <= other < len(sets)
    ]
    return float(np.mean([len(sets[item] & sets[other]) for item, other in pairs]))


def _inside(terms: Rows, published: Rows) -> float:
    """Percent of terms that are a published term of the same item, or a part of one between hyphens."""
    hits, total = 0, 0
    for row, other in zip(terms, published, strict=True):
        words = {*other, *(part for term in other for part in term.split("-"))}
        hits += sum(term in words for term in row)
        total += len(row) if other else 0
    return 100 * hits / total


if __name__ == "__main__":
    main()
