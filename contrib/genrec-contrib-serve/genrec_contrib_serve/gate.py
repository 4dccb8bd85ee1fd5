"""The gate before all routes: who may come in, how much they may bring, how long it may take, what is noted.

Every answer carries the request's id (the client's `X-Request-ID` where it is a plain one) and is logged and
counted by its route. What nobody foresaw becomes a 500 with the id, and its place goes to the log alone.

A web page of another site can make a browser send requests to this machine. It cannot read the answers,
because no CORS header allows it; requests that name another origin, or reach a loopback address by another
name (DNS rebinding), are refused before anything is done.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrec_contrib_serve.logs import log
from genrec_contrib_serve.metrics import Metrics
from genrec_contrib_serve.settings import Settings, is_loopback

OPEN_PATHS = {
    "/",
    "/docs",
    "/health",
    "/ready",
    "/page/page.js",
    "/page/page.css",
    "/page/docs.js",
    "/openapi.json",
}
"""What needs no token: whether the server lives, and the page, which asks for the token itself."""
UNHURRIED = {"/admin/reload"}
"""What may take longer than the time limit."""

_PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]
"""Of every answer; no route sets them itself."""


class RefusedError(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, message: str, hint: str = "", reason: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.hint, self.reason = status, message, hint, reason


def problem(request_id: str, message: str, *, where: str = "", hint: str = "") -> bytes:
    """The body of every answer that is no success."""
    error = {name: text for name, text in (("message", message), ("where", where), ("hint", hint)) if text}
    return orjson.dumps({"request_id": request_id, "error": error})


class Gate:
    """Middleware around the application.

    Args:
        app: what it lets requests through to.
        settings: limits and token.
        metrics: counts.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, begin = Headers(scope=scope), time.monotonic()
        named = headers.get("x-request-id", "")
        request_id = named if _PLAIN_ID.fullmatch(named) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        passing = _Passing(send, request_id)
        try:
            self._refuse_strangers(scope, headers)
            hurried = scope["path"] not in UNHURRIED
            async with asyncio.timeout(self._settings.timeout if hurried else None):
                await self._app(scope, self._counted(receive), passing)
        except RefusedError as refused:
            self._metrics.turned_away.labels(refused.reason).inc()
            body = problem(request_id, refused.message, hint=refused.hint)
            await passing.answer(refused.status, body)
        except TimeoutError:
            self._metrics.turned_away.labels("timeout").inc()
            message = f"the answer took longer than {self._settings.timeout:g} s"
            await passing.answer(504, problem(request_id, message, hint="come again later"))
        except Exception as error:  # whatever it is, the client gets an id and no traceback
            log("failure", logging.ERROR, error, request_id=request_id)
            message = "this should not have happened"
            await passing.answer(500, problem(request_id, message, hint="the server's log has its place"))
        finally:
            self._note(scope, passing, request_id, time.monotonic() - begin)

    def _refuse_strangers(self, scope: Scope, headers: Headers) -> None:
        """Other sites, other names of this machine, no token, too much to carry."""
        settings, host = self._settings, headers.get("host", "")
        if is_loopback(settings.host) and not is_loopback(_without_port(host)):
            raise RefusedError(
                421, "this server answers to its own address alone", "ask 127.0.0.1 or localhost", "host"
            )
        origin = headers.get("origin", "")
        if origin and origin.partition("://")[2] != host:
            raise RefusedError(403, "pages of other sites may not ask this server", reason="origin")
        if scope["path"] not in OPEN_PATHS and not settings.lets_in(headers.get("authorization", "")):
            raise RefusedError(401, "a token is needed", "send `Authorization: Bearer TOKEN`", "token")
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > settings.max_body:
            raise self._too_large()

    def _too_large(self) -> RefusedError:
        message = f"the body is larger than {self._settings.max_body:,} bytes"
        return RefusedError(413, message, "send fewer requests at once", "body")

    def _counted(self, receive: Receive) -> Receive:
        """The body as it comes, cut off where it grows too large."""
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._settings.max_body:
                # FastAPI lets this kind through while it reads a body, and turns others into "bad request".
                raise HTTPException(413, self._too_large().message)
            return message

        return counted

    def _note(self, scope: Scope, passing: _Passing, request_id: str, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", "") or "(none)"
        status = passing.status or 499
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        facts = scope["state"].get("facts", {})
        method = scope["method"] if scope["method"] in _METHODS else "(other)"
        log(
            "request", request_id=request_id, method=method, path=path, status=status,
            ms=round(1000 * seconds, 2), **facts,
        )  # fmt: skip


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class _Passing:
    """What is sent, with our headers, and what its status was."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id, self.status = send, request_id, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = (b"x-request-id", self._request_id.encode())
            message["headers"] = [*message["headers"], own, *_HEADERS]
        await self._send(message)

    async def answer(self, status: int, body: bytes) -> None:
        """A whole answer, unless one has begun already."""
        if self.status:
            return
        extra: dict[int, list[tuple[bytes, bytes]]] = {
            401: [(b"www-authenticate", b"Bearer")],
            413: [(b"connection", b"close")],
        }
        headers: Any = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *extra.get(status, []),
        ]
        await self({"type": "http.response.start", "status": status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _without_port(host: str) -> str:
    """The name in a header `Host`: `[::1]:8000` → `[::1]`, `localhost:8000` → `localhost`."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
