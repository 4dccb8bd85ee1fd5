"""The leaderboard: every system on the same rows, viewed items kept and filtered, with what each costs.

    python -m tests.benchmarks.leaderboard                        # everything; hours on two cores
    python -m tests.benchmarks.leaderboard --only ml-100k         # rows whose name matches
    python -m tests.benchmarks.leaderboard --finished             # only what needs no training any more

Each file of `examples/leaderboard` is a data set with our own system, asked in seven ways: codes alone, with
counts as their prior, codes and dense head, with how rare repeats are, the dense head alone, codes or head
added to counts. Papers' `tiny.yaml` stand beside it on the data they name, as they are and with a dense head
or with counts as a prior of their beams. Runs share one store, so the command may be stopped and started
again, and costs nothing where nothing changed. The lines of `docs/leaderboard.md` that were run are written
anew; those of other systems and data sets stay as they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from genrec_core.cli.environment import StoreAndRuns, environment
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import planned
from genrec_core.pipeline.run_reader import open_run
from tests.benchmarks.study import PLUGINS, ROOT, SHARED, parser, ran

PAGE = ROOT / "docs" / "leaderboard.md"
BEGIN, END = "<!-- tables: written by `python -m tests.benchmarks.leaderboard` -->", "<!-- end of tables -->"
FOLDERS = {"beauty": "amazon-beauty", "industrial": "amazon-industrial", "ml-100k": "ml-100k"}

HEAD = "| | kept | 95 % of Recall@10 | filtered | seconds | parameters |"

WAYS = {
    "codes alone": "recommend={use: core/beam, beams: 40, dense: 0}",
    "codes and dense head": "recommend={use: core/beam, beams: 40}",
    "codes, dense head and repeats": "recommend={use: core/beam, beams: 40, prior: core/repeats}",
    "codes, counts as their prior": "recommend={use: core/beam, beams: 40, dense: 0, "
    "prior: core/transitions}",
    "dense head alone": "recommend=core/dense",
    "dense head and counts": "recommend={use: core/fused, recommenders: [core/dense], "
    "baselines: [core/transitions]}",
    "codes and counts": "",
}
PRIOR = ("recommend.prior=core/transitions",)
DENSE = ("train.sft.dense={start: co-occurrence}",)
TABLE = ("evaluate.baselines=[core/popular, core/item-knn, core/transitions]",)
PAPERS: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    "beauty": {
        "GRLM, tiny": ("grlm", ()),
        "GRLM, tiny, dense head": ("grlm", DENSE),
        "GRLM, tiny, counts as its prior": ("grlm", PRIOR),
    },
    "industrial": {
        "SINGER, tiny": ("singer", ()),
        "SINGER, tiny, by item, dense head": ("singer", (*DENSE, "model.positions=item")),
        "SINGER, tiny, counts as its prior": ("singer", PRIOR),
        "SIDReasoner, tiny": ("sidreasoner", ()),
    },
    "ml-100k": {
        "OneRec-Think, tiny": ("onerec-think", ()),
        "OneRec-Think, tiny, counts as its prior": ("onerec-think", PRIOR),
    },
}
"""Data set → name → plugin, and what of its `tiny.yaml` is changed: a paper's method as it is, and with what
the core adds to any."""


@dataclass(frozen=True)
class Entry:
    """A row of the leaderboard before it is run.

    Attributes:
        data: which data set.
        name: what stands in the table.
        file: the pipeline.
        changes: options that differ from the file.
    """

    data: str
    name: str
    file: Path
    changes: tuple[str, ...]


@dataclass(frozen=True)
class Line:
    """What is known of a system on a data set.

    Attributes:
        data, name: see `Entry`.
        kept, filtered: Recall@10 and NDCG@10 of the test rows, with the ends of the interval of the first.
        seconds: of the processor, for training (identifiers included) and for answering.
        parameters: of the model; 0 of a baseline.
        protocol: hashes, kept and filtered.
    """

    data: str
    name: str
    kept: tuple[float, float, float, float]
    filtered: tuple[float, float, float, float]
    seconds: tuple[float, float]
    parameters: int
    protocol: tuple[str, str]


def entries() -> Iterator[Entry]:
    """Every row in the order of the table."""
    for file in sorted((ROOT / "examples" / "leaderboard").glob("*.yaml")):
        data = file.stem
        place = f"data.source.path={SHARED / FOLDERS[data]}"
        for name, way in WAYS.items():
            yield Entry(data, name, file, (place, *([way] if way else [])))
        for name, (plugin, changes) in PAPERS.get(data, {}).items():
            tiny = PLUGINS / f"genrec-plugin-{plugin}" / "tiny.yaml"
            yield Entry(data, name, tiny, (place, *TABLE, *changes))


def lines(entry: Entry, home: Path) -> Iterator[Line]:
    """The system's line, and those of the baselines of its table."""
    found: list[Any] = []
    for filtered in (False, True):
        done = ran(entry.file, (*entry.changes, f"evaluate.filter_viewed={str(filtered).lower()}"), home)
        assert done.folder is not None
        found.append(done)
    kept, filtered_run = (done.metrics for done in found)
    shop = environment(StoreAndRuns(home / "store", home / "runs"), quiet=True)
    model = open_run(found[0].folder, shop.registry).model("main")
    parameters = sum(value.numel() for value in model.network.parameters())
    hashes = (kept["protocol"]["hash"], filtered_run["protocol"]["hash"])
    cost = {stage: one["cpu_seconds"] for stage, one in kept["cost"].items()}
    answering = cost.get("recommend", 0.0) + cost.get("tune", 0.0)
    fitting = sum(value for stage, value in cost.items() if re.match(r"embed|tokenize|model|train", stage))

    def figures(metrics: dict[str, Any], system: str = "") -> tuple[float, float, float, float]:
        own = metrics["baselines"][system] if system else metrics["test"]
        known = metrics["intervals"]
        ends = (known["baselines"][system] if system else known["test"])["recall@10"]
        return own["recall@10"], own["ndcg@10"], *ends

    yield Line(
        entry.data, entry.name, figures(kept), figures(filtered_run), (fitting, answering), parameters, hashes
    )
    for name in kept["baselines"]:
        short = name.rpartition("/")[2]
        spent = (cost.get(f"baseline.{short}", 0.0), cost.get(f"rank.{short}", 0.0))
        yield Line(entry.data, name, figures(kept, name), figures(filtered_run, name), spent, 0, hashes)


def finished(entry: Entry, home: Path) -> bool:
    """Whether every training of the entry is in the store."""
    shop = environment(StoreAndRuns(home / "store", home / "runs"), quiet=True)
    pipeline = load_pipeline(entry.file, shop.registry, entry.changes)
    _, plan, _ = planned(pipeline, shop, pipeline.spec.seed)
    return not any(one.runs for one in plan.entries if one.stage.name.startswith("train."))


def standing(page: str) -> dict[tuple[str, str], dict[str, str]]:
    """Rows that a page has: data set and the line about its protocols → system → row."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    data, protocols = "", ""
    for line in page.splitlines():
        if line.startswith("## "):
            data = line.removeprefix("## ")
        elif line.startswith("Protocols "):
            protocols = line
        elif line.startswith("| ") and line != HEAD:
            found.setdefault((data, protocols), {})[line.split("|")[1].strip()] = line
    return found


def tables(known: list[Line], rows: dict[tuple[str, str], dict[str, str]]) -> str:
    """Markdown, a table a data set and protocol, the best first.

    Args:
        known: lines that were run.
        rows: those of an earlier page, which they take the place of.
    """
    for line in known:
        protocols = f"Protocols {line.protocol[0]} (kept) and {line.protocol[1]} (filtered)."
        rows.setdefault((line.data, protocols), {})[line.name] = _row(line)
    parts = []
    for (data, protocols), systems in rows.items():
        best = sorted(systems.values(), key=lambda row: -float(row.split("|")[2].split("/")[0]))
        parts += [f"## {data}", "", protocols, "", HEAD, "|---|---|---|---|---|---|", *best, ""]
    return "\n".join(parts)


def _row(line: Line) -> str:
    kept, filtered = (f"{one[0]:.4f}/{one[1]:.4f}" for one in (line.kept, line.filtered))
    size = f"{line.parameters / 1e6:.2f} M" if line.parameters else "–"
    seconds = f"{line.seconds[0]:,.0f} + {line.seconds[1]:,.0f}"
    ends = f"{line.kept[2]:.4f} – {line.kept[3]:.4f}"
    return f"| {line.name} | {kept} | {ends} | {filtered} | {seconds} | {size} |"


def main() -> None:
    """Run what is asked for, and write the page."""
    options = parser(__doc__, "leaderboard")
    options.add_argument("--finished", action="store_true", help="leave out what would have to train")
    chosen = options.parse_args()
    home: Path = chosen.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    memory = home / "lines.json"
    known = [
        Line(**{**one, **{key: tuple(one[key]) for key in ("kept", "filtered", "seconds", "protocol")}})
        for one in (orjson.loads(memory.read_bytes()) if memory.exists() else [])
    ]
    for entry in entries():
        changed = Entry(entry.data, entry.name, entry.file, (*entry.changes, *chosen.set))
        if not re.search(chosen.only, f"{entry.data} {entry.name}"):
            continue
        if chosen.finished and not finished(changed, home):
            print(f"{entry.data}: {entry.name} is not trained yet", flush=True)
            continue
        new = list(lines(changed, home))
        print(entry.data, _row(new[0]), flush=True)
        names = {(line.data, line.name, line.protocol) for line in new}
        known = [line for line in known if (line.data, line.name, line.protocol) not in names] + new
        memory.write_bytes(orjson.dumps([asdict(line) for line in known]))
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    own, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{tables(known, standing(own))}\n{END}{after}")


if __name__ == "__main__":
    main()
