"""Runs in Python: a pipeline is run, or a finished run opened, and then asked as often as one likes.

    run = genrec.run("pipeline.yaml", set={"train.sft.epochs": 3})
    run = genrec.open("runs/my/latest")
    run.metrics["test"]["recall@10"]
    run.recommend([["1001", "1007"]], k=5, exclude_viewed=True, only={"brand": "Zorg"})

What asking needs (weights, catalogue, compiled tries) is read at the first question and stays open until
`close`. Any thread may ask: each question is answered by a session of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

import numpy as np
import orjson

from genrec_core.api.answering import Answering, RankedAnswer
from genrec_core.api.batch import BATCH, Job, Written, write_for_users
from genrec_core.api.explaining import Explainer
from genrec_core.api.notebook import watching
from genrec_core.api.recommendations import Recommendations, chosen_fields
from genrec_core.api.rules import RuleArguments
from genrec_core.api.table import Table
from genrec_core.api.user_rows import UnknownItems, UserTable, user_rows
from genrec_core.contracts.errors import GenrecError
from genrec_core.contracts.items import Items
from genrec_core.contracts.views import Request
from genrec_core.evaluation.evaluate import METRICS
from genrec_core.evaluation.metrics_file import read_metrics
from genrec_core.pipeline.load import load_pipeline, pipeline_of
from genrec_core.pipeline.numbers import MOST_ITEMS
from genrec_core.pipeline.run import run_pipeline, run_seeds
from genrec_core.pipeline.run_folder import REPORT
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.registry.problems import shown
from genrec_core.store.store import Store


class Run:
    """A finished run that can be asked; close it, or use it in a `with` block.

    Args:
        reader: its artefacts.
        folder: the folder it was opened by; of a run over several seeds this holds the means.
    """

    def __init__(self, reader: RunReader, folder: Path) -> None:
        self.reader, self.folder = reader, folder
        self._answering = Answering(reader)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`; of a run over several seeds the means, with their spread."""
        file = self.folder / METRICS
        return read_metrics(file) if file.is_file() else self.reader.metrics

    @property
    def items(self) -> Items:
        """The catalogue."""
        return self.reader.catalogue.items

    @property
    def users(self) -> tuple[str, ...]:
        """The users of the run's data."""
        self._answering.prepare()
        return tuple(self._answering.histories)

    def recommend(
        self,
        histories: Sequence[Iterable[Any]] | None = None,
        k: int = 10,
        *,
        users: Sequence[str] | None = None,
        message: str | Sequence[str] = "",
        domain: str = "",
        fields: Sequence[str] | None = None,
        unknown_items: UnknownItems = "refuse",
        **rules: Unpack[RuleArguments],
    ) -> Recommendations:
        """The k best items after each history; wherever k are allowed, k come back.

        Args:
            histories: ids of items, oldest first, one list a request; one list of ids is one request. Left
                out, each user's whole history in the run's data.
            k: how many items. More than the recommender has beams are searched with k beams.
            users: who the requests are for, one a history; their attributes in the run's data are used.
            message: what the user says, for prompts that show it; one for all, or one a request.
            domain: of the next item, in data of several domains.
            fields: item fields to show; all by default.
            unknown_items: `drop` leaves ids out of histories that no item has, and notes it.
            **rules: `only`, `exclude`, `exclude_viewed`; see `RuleArguments`.

        Returns:
            A table, one row a recommendation: `request` (its number), `user`, `rank`, `item`, `score`, `how`
            it was reached (`direct`, `structural`, or `popular` for a request without history or message),
            and the item's fields.

        Raises:
            GenrecError: a user, an item of a history, or a field or value of a rule is unknown.
        """
        _refuse_counts(k=k)
        notes = [self.reader.limit_note] if self.reader.limit_note else []
        ruled = self._answering.ruled(**rules, notes=notes)
        rows = self._rows(histories, users, notes, unknown_items)
        messages = [message] * len(rows) if isinstance(message, str) else list(message)
        if len(messages) != len(rows):
            raise GenrecError(f"{len(messages):,} messages were given for {len(rows):,} requests")
        known = self._answering.histories
        requests = [
            ruled.request(user, history, message=said, domain=domain, attributes=known.attributes(user))
            for (user, history), said in zip(rows, messages, strict=True)
        ]
        answers = self.answers(requests, k)
        shown = chosen_fields(fields, self.items.fields)
        return Recommendations(answers, self.items, shown, [*notes, *noted(answers, k)])

    def recommend_users(
        self,
        source: Any = None,
        k: int = 10,
        *,
        out: str | Path | None = None,
        fields: Sequence[str] = (),
        table: UserTable = UserTable(),  # noqa: B008 - never changes
        batch: int = BATCH,
        overwrite: bool = False,
        **rules: Unpack[RuleArguments],
    ) -> Written | Recommendations:
        """Recommend to many users, batch by batch, into a file.

        Args:
            source: None for all users of the run's data (with everything that is known of each, held-out
                items too); ids of such users; or a file or data frame: `user_id`, or `user_id` and
                `item_ids`, or interactions as `user_id`, `item_id` and perhaps `timestamp`.
            k: how many items.
            out: a .jsonl, .csv or .parquet file. An interrupted call goes on when it is made again. None
                gives a table, which is held in memory.
            fields: item fields to write beside the ids.
            table: how `source` is read: names of columns, what becomes of unknown items.
            batch: users that are asked for together; changes speed and memory.
            overwrite: whether `out` may be there already.
            **rules: as for `recommend`.

        Raises:
            GenrecError: users or items that are not known, with counts; `out` is there already.
        """
        _refuse_counts(k=k, batch=batch)
        notes = [self.reader.limit_note] if self.reader.limit_note else []
        answering = self._answering
        ruled = answering.ruled(**rules, notes=notes)
        rows = user_rows(source, table, answering.histories, answering.rules.known)
        job = Job(k, ruled, chosen_fields(fields, self.items.fields), batch)
        progress = watching().progress
        if out is not None:
            written = write_for_users(answering, rows, job, Path(out), progress, overwrite=overwrite)
            return replace(written, notes=(*notes, *written.notes))
        answers: list[RankedAnswer] = []
        with progress("users", len(rows)) as advance:
            for start in range(0, len(rows), batch):
                some = list(rows.between(start, start + batch))
                asked = [ruled.request(user, history, attributes=known) for user, history, known in some]
                answers += self.answers(asked, k)
                advance(len(some))
        said = [*notes, *rows.notes, *noted(answers, k)]
        return Recommendations(answers, self.items, job.fields, said)

    @cached_property
    def explainer(self) -> Explainer:
        """Says why items were recommended; `explain` makes a table of it."""
        return Explainer(self.reader.catalogue, self.reader.prepared.views.train)

    def explain(self, found: Recommendations) -> Table:
        """Why each row of `found` was recommended: the beam, and the nearest items of the history."""
        return self.explainer.table(found.answers)

    def answers(self, requests: Sequence[Request], k: int) -> list[RankedAnswer]:
        """The k best items for each request of item indices, for programs; see `recommend`."""
        return self._answering.answers(requests, k)

    def _rows(
        self,
        histories: Sequence[Iterable[Any]] | None,
        users: Sequence[str] | None,
        notes: list[str],
        unknown_items: UnknownItems,
    ) -> list[tuple[str, tuple[int, ...]]]:
        """(user, history) of each request."""
        answering = self._answering
        if isinstance(users, str):
            users = [users]
        if histories is None:
            if users is None:
                raise GenrecError("nothing was asked", hint="give histories, or users of the run's data")
            return [(str(user), answering.histories.of(str(user))) for user in users]
        if histories and all(isinstance(one, (str, int)) for one in histories):
            histories = [histories]
        names = [str(user) for user in users] if users is not None else None
        if names is not None and len(names) != len(histories):
            raise GenrecError(f"{len(names):,} users were given for {len(histories):,} histories")
        drop = unknown_items == "drop"
        return [
            (
                names[row] if names else f"request-{row}",
                answering.history(history, f"history {row}", notes, drop=drop),
            )
            for row, history in enumerate(histories)
        ]

    def close(self) -> None:
        """Let go of the open sessions; the run cannot be asked afterwards."""
        self._answering.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<run {self.reader.pipeline.spec.name} in {self.folder}>"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / REPORT


def _refuse_counts(**asked: int) -> None:
    """Raise unless every number asked for is one of `1 … MOST_ITEMS`, as on the command line."""
    for name, count in asked.items():
        whole = isinstance(count, (int, np.integer)) and not isinstance(count, bool)
        if not whole or not 1 <= count <= MOST_ITEMS:
            what = f"a whole number from 1 to {MOST_ITEMS:,}"
            raise GenrecError(f"`{name}` is {shown(count)}, but must be {what}")


def noted(answers: Sequence[RankedAnswer], k: int) -> list[str]:
    """What is to be said about answers: who got popular items, and who fewer than k."""
    popular = sum(answer.popular for answer in answers)
    short = sum(len(answer.ranked.items) < k for answer in answers)
    notes = []
    if popular:
        notes.append(
            f"{popular:,} of {len(answers):,} requests have no history: they get the most popular items"
        )
    if short:
        notes.append(f"{short:,} of {len(answers):,} requests got fewer than {k} items: no more were reached")
    return notes


def open_finished(run: str | Path, store: str | Path | None = None) -> Run:
    """Open a run: its folder, a pipeline's folder in `runs` (the latest run), or a run over several seeds.

    Args:
        run: the folder.
        store: where its artefacts are; by default where the run says.

    Raises:
        GenrecError: there is no run, or a plugin it needs is gone.
    """
    folder = Path(run)
    reader = open_run(folder, load_plugins()[0], None if store is None else Path(store))
    latest = folder if (folder / METRICS).is_file() else reader.folder
    return Run(reader, latest.resolve())


def run_and_open(
    pipeline: str | Path | Mapping[str, Any],
    set: Mapping[str, Any] | None = None,
    *,
    seeds: Sequence[int] = (),
    store: str | Path = "store",
    runs: str | Path = "runs",
    quiet: bool = False,
) -> Run:
    """Run a pipeline and open the run; stages whose inputs are unchanged are taken from the store.

    Args:
        pipeline: a YAML file, or what one would say as a dictionary (paths from the current folder).
        set: option path → value, over the pipeline's own: `{"train.sft.epochs": 3}`.
        seeds: run once with each; `metrics` then holds means and spread, and the first seed answers.
        store: folder of artefacts.
        runs: folder of run folders.
        quiet: show no progress.

    Raises:
        GenrecError: every mistake in the pipeline; or a stage failed.
    """
    registry, reports = load_plugins()
    versions = {report.distribution: report.version for report in reports if not report.error}
    environment = RunEnvironment(registry, Store(Path(store)), Path(runs), versions, watching(quiet=quiet))
    changes = [f"{path}={orjson.dumps(value, default=str).decode()}" for path, value in (set or {}).items()]
    if isinstance(pipeline, Mapping):
        loaded = pipeline_of(pipeline, registry, changes)
    else:
        loaded = load_pipeline(Path(pipeline), registry, changes)
    several = tuple(seeds) or loaded.spec.seeds
    finished = run_seeds(loaded, environment, several) if several else run_pipeline(loaded, environment)
    assert finished.folder is not None, "every stage was wanted"
    return Run(open_run(finished.folder, registry), finished.folder.resolve())
