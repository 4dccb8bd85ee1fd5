"""SIDReasoner's reinforcement on one of two domains, and what it does to the other (the paper's figure 3).

    python -m tests.benchmarks.domains --seeds 1 2 3
    python -m tests.benchmarks.domains --seeds 1 --set data.limit=8000

`plugins/genrec-plugin-sidreasoner/unified.yaml`, one SID space over Amazon Industrial and Amazon Beauty, once
as it stands and once without the step `reinforce`, which draws rollouts for histories of Industrial alone.
Both are judged on the same test rows, so the difference is paired; alignment has `EQUAL` steps, since the
two epochs of the file take hours on one core. Needs the data folders `amazon-industrial` and `amazon-beauty`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genrec_core.api.runs import open_finished
from tests.benchmarks.sidreasoner import EQUAL, FLOAT, REINFORCE, STATES, before_reinforcement, row_worths
from tests.benchmarks.study import PLUGINS, SHARED, Row, conclusion, parser, ran, report

UNIFIED = PLUGINS / "genrec-plugin-sidreasoner" / "unified.yaml"
DOMAINS = ("industrial", "beauty")


def main() -> None:
    """Run the study."""
    options = parser(__doc__, "sidreasoner-domains")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = options.parse_args()
    parts = [f"data.source.parts.{name}.path={(SHARED / f'amazon-{name}').resolve()}" for name in DOMAINS]
    found: dict[str, list[NDArray[np.float64]]] = {state: [] for state in STATES}
    labels: dict[str, NDArray[np.bool_]] = {}

    def both(seed: int) -> None:
        changes = [*parts, "evaluate.valid=false", *FLOAT, *EQUAL, *chosen.set, f"seed={seed}"]
        files = (before_reinforcement(chosen.home, pipeline=UNIFIED), UNIFIED)
        for state, file in zip(STATES, files, strict=True):
            kept = [one for one in changes if state == "after" or not one.startswith(REINFORCE)]
            finished = ran(file, kept, chosen.home)
            assert finished.folder is not None
            found[state].append(row_worths(finished))
            with open_finished(finished.folder) as run:
                of = np.array(run.reader.prepared.views.test.domains, dtype=np.str_)
            labels.update({name: of == name for name in DOMAINS})

    def rows(name: str) -> Iterator[Row]:
        for seed in chosen.seeds[len(found["before"]) :]:
            both(seed)
        before, after = (np.stack(found[state])[:, labels[name]] for state in STATES)
        told = conclusion(after - before, "its start")
        figures = f"NDCG@10 {before.mean():.4f} -> {after.mean():.4f}"
        row = {"domain": name, "seeds": chosen.seeds, "rows": before.shape[1], "told": told}
        yield row, f"{name:10} {before.shape[1]:,} rows  {figures}  {told}"

    report(chosen, DOMAINS, rows)


if __name__ == "__main__":
    main()
