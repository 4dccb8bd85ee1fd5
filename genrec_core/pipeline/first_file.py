"""A first file: a pipeline that fits a data folder and this machine, with reasons beside the choices.

    figures   what the folder holds: users, items, lengths, which split it allows, whether people come back
    sizes     what follows from that: codes and levels, the model, histories, batches
    trial     the same pipeline on a few hundred users for one epoch: that it runs, and what each stage takes
    text      the file, with epochs that fit into the time one has, and the time that everything will take

Sizes are rules of thumb from the pipelines in `examples/`, whose results docs/accuracy.md measures. A trial's
seconds are multiplied by how much more there is of what a stage works on.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genrec_core.contracts.dataset import Dataset
from genrec_core.contracts.errors import DataError, GenrecError
from genrec_core.contracts.split import Split
from genrec_core.contracts.views import View
from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.registry import Registry
from genrec_core.store.store import Store

_SPLITS = ("core/rows", "core/leave-one-out", "core/temporal")
_TRIAL_USERS = 200
_LEAST_EPOCHS = 3


@dataclass(frozen=True)
class DataFigures:
    """What a data folder holds.

    Attributes:
        users, items, interactions: how many.
        typical, long: median length of a sequence, and the one that 90 % stay below.
        split: the split that fits.
        test_rows: how many test rows it makes.
        repeats: share of test targets that stand in the user's own history.
        times: whether interactions have times.
        fields: text fields of items.
    """

    users: int
    items: int
    interactions: int
    typical: int
    long: int
    split: str
    test_rows: int
    repeats: float
    times: bool
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """What there is to compute with: processor cores, gigabytes of memory (0: unknown), a GPU."""

    cores: int
    memory: float
    gpu: bool

    @classmethod
    def here(cls) -> Machine:
        """This one; looked at without torch, which may not be installed."""
        try:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        except (ValueError, OSError, AttributeError):
            memory = 0.0
        return cls(os.cpu_count() or 1, memory, Path("/dev/nvidia0").exists())

    def __str__(self) -> str:
        memory = f", {self.memory:.0f} GB of memory" if self.memory else ""
        return f"{self.cores} processor cores{memory}, {'a GPU' if self.gpu else 'no GPU'}"


@dataclass(frozen=True)
class Sizes:
    """What follows from the data and the machine; names are those of the options."""

    max_history: int
    levels: int
    codes: int | None
    behaviour: bool
    hidden: int
    layers: int
    dropout: float
    batch_size: int
    learning_rate: float
    epochs: int
    filter_viewed: bool
    baselines: tuple[str, ...]


@dataclass(frozen=True)
class TrialTimes:
    """What a trial took and what the whole will take, in seconds.

    Attributes:
        users: that were tried.
        stages: stage → seconds on all data, one epoch of training.
    """

    users: int
    stages: Mapping[str, float]

    @property
    def epoch(self) -> float:
        """Seconds of one epoch."""
        return sum(seconds for name, seconds in self.stages.items() if name.startswith("train."))

    def total(self, epochs: int) -> float:
        """Seconds of everything."""
        return sum(self.stages.values()) + (epochs - 1) * self.epoch


def figures_of(dataset: Dataset, registry: Registry) -> DataFigures:
    """The figures of a data set.

    Raises:
        DataError: no split makes test rows from it.
    """
    lengths = dataset.sequences.lengths
    longest = int(np.quantile(lengths, 0.9)) if len(lengths) else 0
    split, test = _split(dataset, registry, max(longest, 1))
    targets = test.targets if test.targets is not None else np.zeros(0, dtype=np.int32)
    again = [bool((test.rows.row(row) == target).any()) for row, target in enumerate(targets.tolist())]
    return DataFigures(
        users=len(dataset.users),
        items=len(dataset.items),
        interactions=len(dataset.sequences.values),
        typical=int(np.median(lengths)) if len(lengths) else 0,
        long=longest,
        split=split,
        test_rows=len(test),
        repeats=float(np.mean(again)) if again else 0.0,
        times=dataset.times is not None,
        fields=dataset.items.text_fields,
    )


def _split(dataset: Dataset, registry: Registry, max_history: int) -> tuple[str, View]:
    """The first split that makes test rows: rows that the folder brings, else the last item of each user."""
    refused = []
    for name in _SPLITS:
        split = registry.build("split", name)
        assert isinstance(split, Split)
        try:
            test = split.split(dataset, max_history).test
        except DataError as error:
            refused.append(f"`{name}`: {error.message}")
            continue
        if len(test):
            return name, test
        refused.append(f"`{name}` makes no test row")
    raise DataError(
        f"no split makes test rows from this data: {'; '.join(refused)}",
        hint="users with three interactions or more are needed; `genrec data check FOLDER` says more",
    )


def sizes_for(figures: DataFigures, machine: Machine) -> Sizes:
    """Sizes that fit."""
    small, large = figures.interactions <= 20_000, figures.interactions > 1_000_000
    levels, codes = next(
        (levels, codes)
        for most, levels, codes in ((1_000, 2, None), (4_000, 2, 64), (100_000, 3, 256), (10**12, 4, 256))
        if figures.items <= most
    )
    hidden, layers = (64, 2) if small else (256, 6) if large and machine.gpu else (128, 3)
    sparse = figures.interactions < 20 * figures.items
    return Sizes(
        max_history=next((cut for cut in (10, 20, 50) if figures.long <= cut), 50),
        levels=levels,
        codes=codes,
        behaviour=figures.items > 4_000,
        hidden=hidden,
        layers=layers,
        dropout=0.1 if small else 0.4 if sparse and figures.items > 4_000 else 0.2,
        batch_size=16 if figures.users <= 500 else 32 if figures.users <= 5_000 else 128,
        learning_rate=0.003 if small else 0.002,
        epochs=15 if small else 24 if sparse else 15,
        filter_viewed=figures.repeats == 0,
        baselines=(
            "core/popular",
            *(("core/item-knn",) if figures.items <= 200_000 else ()),
            "core/transitions",
        ),
    )


def write_first_file(
    folder: Path,
    dataset: Dataset,
    environment: RunEnvironment,
    out: Path,
    *,
    minutes: float = 20.0,
    trial: bool = True,
) -> float | None:
    """Write a pipeline for a data folder to `out`; gives the seconds that it will take, None without a trial.

    Args:
        folder: the data.
        dataset: what is in it.
        environment: components; the trial has a store of its own, which is deleted.
        out: the file.
        minutes: how long training may take; epochs are cut to it, three at least.
        trial: run the pipeline on a few users first.

    Raises:
        GenrecError: the file is there already, a plugin is not installed, or the trial fails.
    """
    if out.exists():
        raise GenrecError(f"`{out}` is there already", hint="name another with --out")
    environment.registry.resolve("tokenizer", "sid/rq-kmeans")
    figures, machine = figures_of(dataset, environment.registry), Machine.here()
    sizes, name = sizes_for(figures, machine), pipeline_name_for(folder)
    tried = None
    if trial:
        text = first_file(name, folder.resolve(), figures, sizes, machine, None)
        tried = _tried(text, figures, sizes, environment)
        epochs = int(60 * minutes / tried.epoch) if tried.epoch else sizes.epochs
        sizes = replace(sizes, epochs=max(_LEAST_EPOCHS, min(sizes.epochs, epochs)))
    place = Path(os.path.relpath(folder.resolve(), out.absolute().parent.resolve()))
    out.write_text(first_file(name, place, figures, sizes, machine, tried), encoding="utf-8")
    return tried.total(sizes.epochs) if tried else None


def pipeline_name_for(folder: Path) -> str:
    """The folder's name, as far as it can be a pipeline's."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:40].strip("-._")
    return name or "my-data"


def _tried(text: str, figures: DataFigures, sizes: Sizes, environment: RunEnvironment) -> TrialTimes:
    """One epoch on a few users, in a folder that is deleted afterwards."""
    users = min(_TRIAL_USERS, figures.users)
    with tempfile.TemporaryDirectory(prefix="genrec-trial-") as home:
        file = Path(home) / "pipeline.yaml"
        file.write_text(text, encoding="utf-8")
        pipeline = load_pipeline(file, environment.registry, [f"data.limit={users}", "train.sft.epochs=1"])
        place = replace(environment, store=Store(Path(home) / "store"), runs=Path(home) / "runs")
        metrics = run_pipeline(pipeline, place).metrics
    return TrialTimes(users, _scaled(metrics, users, figures, sizes))


def _scaled(metrics: Mapping[str, Any], users: int, figures: DataFigures, sizes: Sizes) -> dict[str, float]:
    """Stage → seconds on all data: as much more as there is of what it works on."""
    by_users = figures.users / users
    by_items = figures.items / metrics["protocol"]["items"]
    naming = max(by_items, by_users) if sizes.behaviour else by_items
    ratios = {"embed": by_items, "tokenize": naming, "model": 1.0}
    return {
        stage: float(cost["seconds"]) * ratios.get(stage.partition(".")[0], by_users)
        for stage, cost in metrics["cost"].items()
    }


def first_file(
    name: str, data: Path, figures: DataFigures, sizes: Sizes, machine: Machine, tried: TrialTimes | None
) -> str:
    """The text of the file.

    Args:
        name: of the pipeline.
        data: the folder, as it stands in the file.
        figures: of the data.
        sizes: that fit.
        machine: that it was fitted to.
        tried: a trial; None leaves the time out.
    """
    baselines = ", ".join(sizes.baselines)
    lines = [
        f"# Made by `genrec new pipeline` for {figures.users:,} users, {figures.items:,} items and "
        f"{figures.interactions:,} interactions,",
        f"# on a machine with {machine}. Everything below may be changed; `genrec show NAME`",
        "# has the options of a component, `genrec check` says what is wrong.",
        *_time(sizes, tried),
        "genrec: 1",
        f"name: {name}",
        "seed: 1  # seeds: [1, 2, 3] runs once with each and reports mean and spread",
        "data:",
        f"  source: {{use: core/folder, path: {_yaml(data.as_posix())}}}",
        f"  {_split_line(figures)}",
        f"  max_history: {sizes.max_history}  # 90 % of users have at most {figures.long} interactions",
        "# A small language model that starts from nothing. For a pretrained one:",
        "# {use: core/pretrained, path: HuggingFaceTB/SmolLM2-135M-Instruct}",
        f"model: {{use: core/tiny-causal, hidden: {sizes.hidden}, layers: {sizes.layers}, "
        f"dropout: {sizes.dropout}}}",
        *_tokenizer(figures, sizes),
        "train:",
        "  sft:",
        "    use: core/sft",
        "    corpora: [{use: core/next-item, each: user}]  # every item of a user is learnt in one sequence",
        "    scoring: legal  # only tokens that some item's identifier can go on with compete",
        f"    epochs: {sizes.epochs}",
        f"    batch_size: {sizes.batch_size}",
        f"    learning_rate: {sizes.learning_rate}",
        "recommend: {use: core/beam, beams: 20}  # twenty candidates a user, every one of them an item",
        "evaluate:",
        "  at: [5, 10]",
        f"  filter_viewed: {'true' if sizes.filter_viewed else 'false'}  # {_repeats(figures)}",
        "  # core/sasrec is a strong neural baseline; it takes about as long as the model.",
        f"  baselines: [{baselines}]",
    ]
    return "\n".join(lines) + "\n"


def _time(sizes: Sizes, tried: TrialTimes | None) -> list[str]:
    if tried is None:
        return ["# How long it takes was not tried; `genrec run FILE --limit 200` is a trial."]
    train = sizes.epochs * tried.epoch
    answering = sum(
        seconds for name, seconds in tried.stages.items() if name.startswith(("recommend", "ground"))
    )
    rest = tried.total(sizes.epochs) - train - answering
    return [
        f"# It will take about {about(tried.total(sizes.epochs))}: {about(train)} of training, "
        f"{about(answering)} of recommending, {about(rest)} for the rest,",
        f"# judged from one epoch on {tried.users} users just now, with the machine as busy as it was.",
    ]


def about(seconds: float) -> str:
    """A time that was only judged, without digits that nobody knows."""
    if seconds < 60:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _split_line(figures: DataFigures) -> str:
    said = {
        "core/rows": f"the folder's own {figures.test_rows:,} test rows",
        "core/leave-one-out": f"each user's last item is for the test: {figures.test_rows:,} rows",
        "core/temporal": f"the newest interactions are for the test: {figures.test_rows:,} rows",
    }[figures.split]
    other = "; core/temporal would cut in time" if figures.times and figures.split == _SPLITS[1] else ""
    return f"split: {{use: {figures.split}}}  # {said}{other}"


def _tokenizer(figures: DataFigures, sizes: Sizes) -> list[str]:
    codes = "  # codes: as many as the texts of so few items allow"
    if sizes.codes is not None:
        room = float(sizes.codes) ** sizes.levels
        codes = f"  codes: {sizes.codes}  # room for {room:,.0f} names, {figures.items:,} are needed"
    lines = [
        "# Items are named by codes: like texts get like codes. A text encoder on disk would read better:",
        "# {use: core/sentence, path: all-MiniLM-L6-v2}",
        "tokenizer:",
        "  use: sid/rq-kmeans",
        f"  encoder: {{use: core/ngrams}}  # reads {', '.join(figures.fields[:4]) or 'no field'}",
        f"  levels: {sizes.levels}",
        codes,
    ]
    if sizes.behaviour:
        lines += [
            "  behaviour: {share: 0.5}  # what users chose together counts as much as the text",
            "  collisions: next-nearest",
        ]
    return lines


def _repeats(figures: DataFigures) -> str:
    if not figures.repeats:
        return "nobody came back to an item, so seen ones are not recommended"
    return f"{figures.repeats:.1%} of the test items had been chosen before by the same user"


def _yaml(text: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9._/-]+", text)
    return text if plain else "'" + text.replace("'", "''") + "'"
