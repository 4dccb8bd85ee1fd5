"""A run that is served: opened, tested, and asked by request bodies.

    run = ServedRun.open(Path("runs/shop/latest"))
    run.test_itself()
    asked = RecommendRequest(history=["i12", "Red tent"], k=5)
    question = run.question(asked)
    answer = run.answers([question])[0]
    run.body(question, done, "request-1")

Rules, users' histories and popular items come from `genrec_core.api`, so the server answers what
`genrec recommend` and Python answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from genrec_contrib_serve.batching import BatchedAnswer, ExplainedAnswer, TopKRequest
from genrec_contrib_serve.bodies import RecommendRequest
from genrec_contrib_serve.item_index import ItemIndex
from genrec_core import Candidates, Catalogue, GenrecError, Request
from genrec_core.api.answering import Answering, RankedAnswer
from genrec_core.api.explaining import Explainer
from genrec_core.evaluation.report.facts import item_title
from genrec_core.pipeline.run_reader import RunReader, open_run
from genrec_core.registry.discovery import load_plugins

TESTED = 3
"""Histories of the test view that a run is tried with before it is served."""
_SHORT = 12
"""Characters of a fingerprint that answers carry."""
_FIELD = 200
"""Characters of a field that answers carry."""
_DESCRIBED = 16_384
"""Items whose description is kept, those that were asked for last."""


class ServedRun:
    """One run, open.

    Args:
        reader: the run.
    """

    def __init__(self, reader: RunReader) -> None:
        self.reader, self.catalogue = reader, reader.catalogue
        self.items = ItemIndex(self.catalogue)
        self.versions = _versions(reader)
        self._answering = Answering(reader)
        self._answering.prepare()
        self._explainer = Explainer(self.catalogue, reader.prepared.views.train)
        self._described = lru_cache(_DESCRIBED)(partial(_described, self.catalogue))
        """What answers say of an item whoever it is recommended to."""

    @classmethod
    def open(cls, folder: Path, store: Path | None = None) -> ServedRun:
        """Read a run's catalogue and users; its models are loaded by the first question.

        Raises:
            GenrecError: there is no run, or it cannot be opened.
        """
        return cls(open_run(folder, load_plugins()[0], store))

    def test_itself(self) -> None:
        """Answer a few requests, as after a start and before a reload.

        Raises:
            GenrecError: the answers are none that may be served.
        """
        view = self.reader.prepared.views.test
        requests = [request for request, _ in zip(view.requests(), range(TESTED), strict=False)]
        for answer in self.answers([TopKRequest(request, 10) for request in requests]):
            scores = [beam.score for beam in answer.written.beams] if answer.written else []
            if not all(math.isfinite(score) for score in scores):
                raise GenrecError("the run gives scores that are no numbers", hint="train it again")
            if not len(answer.ranked.items):
                raise GenrecError(
                    "the run recommends nothing", hint="`genrec recommend RUN` shows what it does"
                )

    def question(self, asked: RecommendRequest) -> TopKRequest:
        """What a body asks for, in items of this run.

        Raises:
            GenrecError: it names what the run does not know.
        """
        answering, user = self._answering, asked.user or ""
        if asked.domain and not self.reader.pipeline.spec.evaluate.domain_field:
            raise GenrecError("this run does not know which items are of which domain", where="domain")
        if asked.history is None and asked.user is not None:
            history = answering.histories.of(asked.user)
        else:
            history = self.items.all_named(asked.history or (), "history")
        ruled = answering.ruled(asked.only or None, (), asked.exclude_viewed)
        only = ruled.only
        if asked.only_items is not None:
            these = frozenset(self.items.all_named(asked.only_items, "only_items"))
            only = these if only is None else only & these
        exclude = tuple(sorted(set(self.items.all_named(asked.exclude, "exclude"))))
        attributes = answering.histories.attributes(user)
        more = {"message": asked.message, "domain": asked.domain, "attributes": attributes}
        request = replace(ruled, exclude=exclude, only=only).request(user, history, **more)
        return TopKRequest(request, asked.k, asked.why, asked.explain)

    def answers(self, questions: Sequence[TopKRequest]) -> list[ExplainedAnswer]:
        """One answer a question. Those that one session can answer are answered together."""
        most = self.reader.pipeline.spec.recommend.most_candidates()
        groups: dict[int, list[int]] = {}
        for row, question in enumerate(questions):
            groups.setdefault(0 if most is None or question.k <= most else question.k, []).append(row)
        found: dict[int, RankedAnswer] = {}
        for rows in groups.values():
            requests = [questions[row].request for row in rows]
            answers = self._answering.answers(requests, max(questions[row].k for row in rows))
            found.update(zip(rows, answers, strict=True))
        return self._explained(questions, [found[row] for row in range(len(questions))])

    def _explained(
        self, questions: Sequence[TopKRequest], answers: Sequence[RankedAnswer]
    ) -> list[ExplainedAnswer]:
        rows = [
            row
            for row, (question, answer) in enumerate(zip(questions, answers, strict=True))
            if question.explain or (question.why and not _thought(answer))
        ]
        asked = [
            (answers[row].ranked.items[: questions[row].k].tolist(), answers[row].request.history)
            for row in rows
        ]
        near = dict(zip(rows, self._explainer.near(asked), strict=True))
        return [ExplainedAnswer(**vars(answer), near=near.get(row)) for row, answer in enumerate(answers)]

    def close(self) -> None:
        """Let go of the sessions."""
        self._answering.close()

    def named(self, item: int) -> dict[str, str]:
        """An item as answers name it."""
        described = self._described(item)
        return {"item": described["item"], "title": described["title"]}

    def body(self, question: TopKRequest, done: BatchedAnswer, request_id: str) -> dict[str, Any]:
        """The answer to a question as JSON values."""
        answer, request = done.answer, question.request
        count = min(question.k, len(answer.ranked.items))
        body: dict[str, Any] = {
            "request_id": request_id,
            "made_by": _made_by(answer),
            "items": self._entries(answer, count),
            "note": "" if count == question.k else self._why_fewer(request, count, question.k),
            "history": [self.named(item) for item in request.history],
            "thought": _thought(answer),
            "versions": self.versions,
            "ms": {
                "queued": round(1000 * done.queued, 2),
                "model": round(1000 * done.seconds, 2),
                "batch": done.batch,
            },
        }
        if question.explain:
            body["beams"] = self._beams(answer.written) if answer.written else []
        return body

    def _why_fewer(self, request: Request, count: int, wanted: int) -> str:
        allowed = int(request.allows(np.arange(len(self.catalogue.items))).sum())
        why = "no more are allowed" if count == allowed else "the model reached no more items"
        return f"only {count} of {wanted}: {why}"

    def _entries(self, answer: ExplainedAnswer, count: int) -> list[dict[str, Any]]:
        items, scores = answer.ranked.items[:count].tolist(), answer.ranked.scores[:count].tolist()
        entries: list[dict[str, Any]] = [
            {**self._described(item), "score": score, "how": how}
            for item, score, how in zip(items, scores, answer.hows()[:count], strict=True)
        ]
        if answer.near is not None:
            for entry, near in zip(entries, answer.near, strict=True):
                found = [{**self.named(one.item), "both": one.both, "alike": one.alike} for one in near]
                entry["why"] = {"near": found}
        return entries

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


def _versions(reader: RunReader) -> dict[str, str]:
    """The run's name, and the beginnings of what its models and identifiers are known by."""
    stages = {stage["name"]: stage["fingerprint"] for stage in reader.plan["stages"]}
    models = reader.pipeline.wiring.last.models
    read = [stages[models[slot].stage][:_SHORT] for slot in type(reader.pipeline.spec.recommend).slots]
    return {
        "run": reader.folder.resolve().name,
        "model": "+".join(read),
        "identifiers": reader.catalogue.identifiers.digest[:_SHORT],
    }


def _described(catalogue: Catalogue, item: int) -> dict[str, Any]:
    values = {name: column[item] for name, column in catalogue.items.fields.items()}
    return {
        "item": catalogue.items.ids[item],
        "title": item_title(catalogue, item),
        "identifier": catalogue.identifiers.text(item),
        "fields": {name: _shown(value) for name, value in values.items() if value is not None},
    }


def _thought(answer: RankedAnswer) -> str:
    return answer.written.thought if answer.written else ""


def _made_by(answer: RankedAnswer) -> str:
    if answer.popular or answer.written is None:
        return "cold"
    return "think-ahead" if answer.written.phases.get("prefix") else "plain"


def _shown(value: Any) -> Any:
    """A field's value, long texts cut."""
    if isinstance(value, str):
        return value if len(value) <= _FIELD else value[: _FIELD - 1] + "…"
    if isinstance(value, (list, tuple)):
        return [_shown(part) for part in value[:20]]
    if isinstance(value, Mapping):
        return {str(name): _shown(part) for name, part in list(value.items())[:20]}
    return value
