"""A run that is served: opened, tested, and asked by request bodies.

run = ServedRun.open(Path("runs/shop/latest"))
run.test_itself()
request = run.request(Asked(history=["i12", "Red tent"], k=5))
answer = run.answers([request])[0]
run.body(asked, request, done, "request-1")
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genrec_contrib_serve.batching import Answer, Done
from genrec_contrib_serve.bodies import Asked
from genrec_contrib_serve.item_index import ItemIndex
from genrec_core import GenrecError, How, Request
from genrec_core.contracts.candidates import Candidates, Ranked
from genrec_core.evaluation.report.facts import item_title
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins

TESTED = 3
"""Histories of the test view that a run is tried with before it is served."""
_SHORT = 12
"""Characters of a fingerprint that answers carry."""
_FIELD = 200
"""Characters of a field that answers carry."""


class ServedRun:
    """One run, open.

    Args:
        reader: the run.
    """

    def __init__(self, reader: RunReader) -> None:
        self.reader, self.catalogue = reader, reader.catalogue
        self.items = ItemIndex(self.catalogue)
        self.filters_viewed = reader.pipeline.spec.evaluate.filter_viewed
        self._session = reader.open()
        self.versions = self._versions()

    @classmethod
    def open(cls, folder: Path) -> ServedRun:
        """Load a run's models and compile what it decodes with.

        Raises:
            GenrecError: there is no run, or it cannot be opened.
        """
        return cls(open_run(folder, load_plugins()[0]))

    def _versions(self) -> dict[str, str]:
        reader = self.reader
        stages = {stage["name"]: stage["fingerprint"] for stage in reader.plan["stages"]}
        models = reader.pipeline.wiring.last.models
        read = [stages[models[slot].stage][:_SHORT] for slot in type(reader.pipeline.spec.recommend).slots]
        return {
            "run": reader.folder.resolve().name,
            "model": "+".join(read),
            "identifiers": self.catalogue.identifiers.digest[:_SHORT],
        }

    def test_itself(self) -> None:
        """Answer a few requests, as after a start and before a reload.

        Raises:
            GenrecError: the answers are none that may be served.
        """
        view = self.reader.prepared.views.test
        requests = [request for request, _ in zip(view.requests(), range(TESTED), strict=False)]
        for candidates, ranked in self.answers([*requests, Request("", ())]):
            if not all(math.isfinite(beam.score) for beam in candidates.beams):
                raise GenrecError("the run gives scores that are no numbers", hint="train it again")
            if not len(ranked.items):
                raise GenrecError(
                    "the run recommends nothing", hint="`genrec recommend RUN` shows what it does"
                )

    def request(self, asked: Asked, user: str = "") -> Request:
        """What a body asks for, in items of this run.

        Raises:
            GenrecError: it names what the run does not know.
        """
        history = self.items.all_named(asked.history or (), "history")
        exclude = set(self.items.all_named(asked.exclude, "exclude"))
        if self.filters_viewed if asked.exclude_viewed is None else asked.exclude_viewed:
            exclude.update(history)
        return Request(user, history, message=asked.message, exclude=tuple(sorted(exclude)))

    def answers(self, requests: Sequence[Request]) -> list[Answer]:
        """One answer a request; by one thread at a time."""
        return list(self._session.answers(requests))

    def close(self) -> None:
        """Let go of the session."""
        self._session.close()

    def named(self, item: int) -> dict[str, str]:
        """An item as answers name it."""
        return {"item": self.catalogue.items.ids[item], "title": item_title(self.catalogue, item)}

    def fields(self, item: int) -> dict[str, Any]:
        """The fields of an item, long texts cut."""
        values = {name: column[item] for name, column in self.catalogue.items.fields.items()}
        return {name: _shown(value) for name, value in values.items() if value is not None}

    def body(self, asked: Asked, request: Request, done: Done, request_id: str) -> dict[str, Any]:
        """The answer to a request as JSON values."""
        candidates, ranked = done.answer
        count = min(asked.k, len(ranked.items))
        body: dict[str, Any] = {
            "request_id": request_id,
            "made_by": "plain" if request.history or request.message else "cold",
            "items": [self._entry(ranked, place) for place in range(count)],
            "note": "" if count == asked.k else f"only {count} of {asked.k}: the model reached no more items",
            "history": [self.named(item) for item in request.history],
            "thought": candidates.thought,
            "versions": self.versions,
            "ms": {
                "queued": round(1000 * done.queued, 2),
                "model": round(1000 * done.seconds, 2),
                "batch": done.batch,
            },
        }
        if asked.explain:
            body["beams"] = self._beams(candidates)
        return body

    def _entry(self, ranked: Ranked, place: int) -> dict[str, Any]:
        item = int(ranked.items[place])
        return {
            **self.named(item),
            "score": float(ranked.scores[place]),
            "how": How(int(ranked.how[place])).name.lower(),
            "identifier": self.catalogue.identifiers.text(item),
            "fields": self.fields(item),
        }

    def _beams(self, candidates: Candidates) -> list[dict[str, Any]]:
        ids = self.catalogue.items.ids
        return [
            {
                "tokens": list(beam.tokens) or [beam.text],
                "score": beam.score,
                "items": [ids[item] for item in self.catalogue.meant(beam).tolist()],
            }
            for beam in candidates.beams
        ]


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _FIELD else value[: _FIELD - 1] + "…"
    if isinstance(value, (list, tuple)):
        return [_shown(part) for part in value[:20]]
    if isinstance(value, Mapping):
        return {str(name): _shown(part) for name, part in list(value.items())[:20]}
    return value
