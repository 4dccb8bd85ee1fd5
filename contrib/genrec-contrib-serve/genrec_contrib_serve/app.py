"""The application: routes, and how a request becomes a place in the queue.

    app = application(Settings(), Path("runs/shop/latest"))
    app.state.service.runs.load()
    uvicorn.run(app)

Until the run is loaded `/ready` says 503, and `/health` that the server lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse

from genrec_contrib_serve.batching import BatchedAnswer, Batcher, BusyError, OverdueError
from genrec_contrib_serve.bodies import (
    ErrorBody,
    ItemEntry,
    Recommended,
    RecommendedTogether,
    RecommendRequest,
    RecommendRequests,
    ReloadRequest,
)
from genrec_contrib_serve.body_route import BodyRoute
from genrec_contrib_serve.gate import Gate, RefusedError, problem
from genrec_contrib_serve.metrics import Metrics
from genrec_contrib_serve.runs import ReloadingError, Runs
from genrec_contrib_serve.served_run import ServedRun
from genrec_contrib_serve.settings import Settings
from genrec_core import ExitCode, GenrecError
from genrec_core.contracts.errors import printable

PAGE = resources.files("genrec_contrib_serve") / "page"
_KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text}
    for status, text in {
        401: "No token, or a wrong one.", 413: "More than may be sent.", 422: "What is asked makes no sense.",
        429: "The queue is full; `Retry-After` says when to come again.", 503: "No run is served yet.",
        504: "It took too long.",
    }.items()
}  # fmt: skip


class Service:
    """What the routes share.

    Args:
        settings: limits.
        folder: the run.
        store: its artefacts; by default where the run says.
    """

    def __init__(self, settings: Settings, folder: Path, store: Path | None = None) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.batcher = Batcher(settings.max_batch, settings.max_queue, self.metrics)
        self.runs = Runs(folder, self.batcher, self.metrics, functools.partial(ServedRun.open, store=store))

    def run(self) -> ServedRun:
        """The run that is served.

        Raises:
            RefusedError: there is none yet.
        """
        if self.runs.current is None:
            raise RefusedError(
                503, f"not ready: {printable(self.runs.why_not)}", "come again soon", "not ready"
            )
        return self.runs.current

    def check(self, asked: RecommendRequest) -> None:
        """Refuse what is larger than this server allows.

        Raises:
            GenrecError: it is.
        """
        settings = self.settings
        if asked.k > settings.max_items:
            raise GenrecError(f"`k` is {asked.k:,}; at most {settings.max_items:,} items", where="k")
        lists: dict[str, list[Any] | None]
        lists = {"history": asked.history, "exclude": asked.exclude, "only_items": asked.only_items}
        lists |= {f"only.{name}": values for name, values in asked.only.items() if isinstance(values, list)}
        for name, values in lists.items():
            if values is not None and len(values) > settings.max_history:
                message = f"`{name}` has {len(values):,} items; at most {settings.max_history:,}"
                raise GenrecError(message, where=name)

    async def answered(
        self, several: Sequence[RecommendRequest], request_id: str
    ) -> list[dict[str, Any] | Exception]:
        """The answer to each request, or what is wrong with it.

        Raises:
            RefusedError, BusyError: none of them is taken in.
        """
        run, deadline = self.run(), time.monotonic() + self.settings.timeout
        prepared: list[Any] = [self._prepared(run, asked) for asked in several]
        fine = [one for one in prepared if not isinstance(one, Exception)]
        futures = self.batcher.submit(run, fine, deadline) if fine else []
        found = iter(
            await asyncio.gather(*[asyncio.wrap_future(one) for one in futures], return_exceptions=True)
        )
        answers: list[dict[str, Any] | Exception] = []
        for question in prepared:
            done = question if isinstance(question, Exception) else next(found)
            if isinstance(done, BatchedAnswer):
                body = run.body(question, done, request_id)
                self.metrics.answers.labels(body["made_by"]).inc()
                answers.append(body)
            elif isinstance(done, Exception):
                answers.append(done)
            else:
                raise done
        return answers

    def _prepared(self, run: ServedRun, asked: RecommendRequest) -> Any:
        try:
            self.check(asked)
            return run.question(asked)
        except GenrecError as error:
            return error


def application(settings: Settings, folder: Path, store: Path | None = None) -> FastAPI:
    """The server's application; `app.state.service.runs.load()` loads its run, before it starts or after.

    Args:
        settings: limits and token.
        folder: the run to serve.
        store: its artefacts; by default where the run says.
    """
    service = Service(settings, folder, store)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.batcher.stop)

    app = FastAPI(
        title="GenRec", summary="Recommendations by a language model", docs_url=None, redoc_url=None,
        lifespan=lifespan, responses=_PROBLEMS,
    )  # fmt: skip
    app.state.service = service
    app.router.route_class = BodyRoute
    app.add_middleware(Gate, settings=settings, metrics=service.metrics)
    _handle_errors(app)
    app.post("/recommend", response_model=Recommended, summary="Recommend items to one user")(recommend)
    app.post("/recommend/batch", response_model=RecommendedTogether, summary="Recommend to several users")(
        recommend_batch
    )
    app.get("/items", response_model=list[ItemEntry], summary="Find items by id or title")(items)
    app.get("/about", summary="What is served, and within which limits")(about)
    app.get("/health", summary="Whether the server lives")(health)
    app.get("/ready", summary="Whether a run is served")(ready)
    app.get("/metrics", summary="Counters for Prometheus", response_class=PlainTextResponse)(metrics)
    app.post("/admin/reload", summary="Serve another run, or the same one anew")(reload)
    for path, file in {"/": "page.html", "/docs": "docs.html"}.items():
        app.get(path, include_in_schema=False)(_file(file))
    for script in ("page.js", "page.css", "docs.js"):
        app.get(f"/page/{script}", include_in_schema=False)(_file(script))
    return app


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


async def recommend(request: Request, asked: RecommendRequest) -> Response:
    """Items after a history, for a user whom the run knows, or for a wish."""
    request_id = request.state.request_id
    (answer,) = await _service(request).answered([asked], request_id)
    if isinstance(answer, Exception):
        raise answer
    request.state.facts = {"made_by": answer["made_by"], "batch": answer["ms"]["batch"]}
    return _json(answer)


async def recommend_batch(request: Request, asked: RecommendRequests) -> Response:
    """Each request is answered, or told what is wrong with it, in its place."""
    service, request_id = _service(request), request.state.request_id
    most = service.settings.max_requests
    if len(asked.requests) > most:
        raise GenrecError(f"{len(asked.requests):,} requests at once; at most {most:,}", where="requests")
    answers = await service.answered(asked.requests, request_id)
    request.state.facts = {"requests": len(answers)}
    return _json({"answers": [_or_error(answer, request_id) for answer in answers]})


def _or_error(answer: dict[str, Any] | Exception, request_id: str) -> Any:
    if isinstance(answer, GenrecError):
        return {"error": orjson.loads(_told(answer, request_id))["error"]}
    if isinstance(answer, OverdueError):
        return {"error": {"message": "the answer took too long", "hint": "come again later"}}
    if isinstance(answer, Exception):
        raise answer
    return answer


def items(
    request: Request,
    query: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Items whose id or title holds every word of `query`, the best first; without one, the first items."""
    run = _service(request).run()
    return _json([run.named(item) for item in run.items.found(query, limit)])


async def about(request: Request) -> Response:
    """Versions, the catalogue's size and fields, and limits."""
    service = _service(request)
    run, settings = service.run(), service.settings
    return _json(
        {
            "pipeline": run.reader.pipeline.spec.name,
            "versions": run.versions,
            "items": len(run.catalogue.items),
            "fields": list(run.catalogue.items.fields),
            "limits": {
                "k": settings.max_items, "history": settings.max_history, "requests": settings.max_requests,
                "body": settings.max_body, "seconds": settings.timeout,
            },
        }
    )  # fmt: skip


async def health(request: Request) -> Response:
    """200 while requests can be worked on at all; without the thread that answers, 503."""
    alive = _service(request).batcher.alive
    return _json({"alive": alive}, 200 if alive else 503)


async def ready(request: Request) -> Response:
    """200 with what is served; 503, with the reason, before that."""
    service = _service(request)
    if service.runs.current is None:
        return _json({"ready": False, "why": printable(service.runs.why_not)}, 503)
    return _json({"ready": True, "versions": service.runs.current.versions})


async def metrics(request: Request) -> Response:
    """Requests, seconds, batches, queue, what was turned away."""
    return Response(_service(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def reload(request: Request, asked: ReloadRequest) -> Response:
    """Load, test, take over; nothing changes where that fails. Requests go on meanwhile."""
    runs = _service(request).runs
    try:
        return _json(await run_in_threadpool(runs.load, asked.run))
    except ReloadingError:
        raise HTTPException(409, "a run is being loaded already") from None
    except GenrecError as error:
        kept = runs.current.versions if runs.current else None
        body = orjson.loads(_told(error, request.state.request_id)) | {"serving": kept}
        return _json(body, 422)


def _file(name: str) -> Any:
    body, kind = (PAGE / name).read_bytes(), _KINDS[Path(name).suffix]

    async def file() -> Response:
        return Response(body, media_type=kind)

    return file


def _told(error: GenrecError, request_id: str) -> bytes:
    """A mistake of who asked, in words that are harmless wherever they are shown."""
    texts = [printable(text) for text in (error.message, error.where, error.hint)]
    return problem(request_id, texts[0], where=texts[1], hint=texts[2])


def _handle_errors(app: FastAPI) -> None:
    """Every error in one form: `request_id`, and `error` with a message, a place, a hint."""

    def answered(request: Request, status: int, message: str, **more: str) -> Response:
        headers = {"Retry-After": more.pop("retry")} if "retry" in more else {}
        body = problem(request.state.request_id, message, **more)
        return Response(body, status, headers, media_type="application/json")

    async def mistake(request: Request, error: Exception) -> Response:
        assert isinstance(error, GenrecError)
        if error.exit_code != ExitCode.BAD_INPUT:
            raise error  # not the client's: a 500
        return Response(_told(error, request.state.request_id), 422, media_type="application/json")

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first, *others = error.errors()
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        more = f" (and {len(others)} more)" if others else ""
        message = printable(str(first["msg"]).removeprefix("Value error, ")) + more
        return answered(request, 422, message, where=printable(where)[:200], hint="`/docs` has the form")

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = answered(request, error.status_code, printable(str(error.detail)), hint="see `/docs`")
        response.headers.update(error.headers or {})
        return response

    async def busy(request: Request, error: Exception) -> Response:
        assert isinstance(error, BusyError)
        _service(request).metrics.turned_away.labels("busy").inc()
        hint = f"come again in {error.retry_after} s"
        return answered(request, 429, "the queue is full", hint=hint, retry=str(error.retry_after))

    async def overdue(request: Request, error: Exception) -> Response:
        _service(request).metrics.turned_away.labels("timeout").inc()
        return answered(request, 504, "the answer took too long", hint="come again later")

    app.add_exception_handler(GenrecError, mistake)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(BusyError, busy)
    app.add_exception_handler(OverdueError, overdue)
