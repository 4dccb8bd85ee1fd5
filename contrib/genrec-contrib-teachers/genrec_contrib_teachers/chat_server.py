"""One exchange with an OpenAI-compatible server.

Whatever goes wrong ends as a `RequestFailure` that says whether another try could help. The time limit holds
for the whole exchange, from looking up the name to the last byte: headers that drip, a chunk's size that
never ends and endless `100 Continue` all run into it. Redirects are refused, because the key would travel
with them, and the key is cut out of everything that a server says back.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson

from genrec_contrib_teachers.secrets import LONG, holds_key, is_this_machine, without_key
from genrec_core import Answer

AGAIN = frozenset({408, 409, 425, 429})
"""Statuses besides 5xx after which the same request may succeed."""

NEVER = frozenset({501, 505, 511})
"""Statuses among 5xx after which it cannot."""

RATE_LIMIT = 429

UNFINISHED = frozenset({"length", "max_tokens", "content_filter"})
"""Reasons to end that leave an answer unfinished."""

MOST_BYTES = 1 << 24
QUOTED = 200
"""Characters of a server's complaint that a message quotes."""

NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""What OpenSSL says when the other side does not speak TLS."""


class RequestFailure(Exception):  # noqa: N818 - it is an outcome that workers hand over, not a bug
    """A request without an answer.

    Args:
        message: what happened; never holds the key.
        again: whether another try could help.
        wait: seconds that the server asks for.
        limited: whether the server refused because of a rate limit.
    """

    def __init__(
        self, message: str, *, again: bool, wait: float | None = None, limited: bool = False
    ) -> None:
        super().__init__(message)
        self.again, self.wait, self.limited = again, wait, limited


class ChatServer:
    """Where requests go; belongs to one event loop.

    Args:
        url: of the API, without `/chat/completions`.
        key: sent as bearer token; "" for none.
        timeout: seconds for one whole exchange.
    """

    def __init__(self, url: str, key: str, timeout: float) -> None:
        self.address = url.rstrip("/") + "/chat/completions"
        self.host = urlsplit(url).hostname or ""
        self.timeout = timeout
        self._key = key
        self._reached = False
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        if key:
            headers["Authorization"] = f"Bearer {key}"
        # Only the limit for the whole counts. What goes to this machine goes through no proxy.
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=None,
            follow_redirects=False,
            trust_env=not is_this_machine(self.host),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        )

    async def complete(self, body: Mapping[str, Any]) -> Answer:
        """Send one request.

        Raises:
            Failure: there is no answer.
        """
        # Errors of the client may quote what the server sent: they are told in our words, not chained.
        deadline = asyncio.get_running_loop().time() + self.timeout
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._posted(orjson.dumps(dict(body)), deadline)
        except TimeoutError:
            raise RequestFailure(f"no whole answer within {self.timeout:g} s", again=True) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise self._broken(error) from None
        try:
            answer = _answer(orjson.loads(data))
        except orjson.JSONDecodeError:
            raise RequestFailure("the answer is not JSON", again=True) from None
        if len(self._key) >= LONG and holds_key(answer.text, self._key):
            raise RequestFailure("the model's answer holds the key: it is not kept", again=False)
        return answer

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _posted(self, data: bytes, deadline: float) -> bytes:
        async with self._client.stream("POST", self.address, content=data) as response:
            self._reached = True
            if response.status_code != 200:
                raise await self._refused(response, deadline)
            return await _body(response)

    async def _refused(self, response: httpx2.Response, deadline: float) -> RequestFailure:
        status, said = response.status_code, ""
        # The status alone says enough: its text may take half of the time that is left.
        left = (deadline - asyncio.get_running_loop().time()) / 2
        with contextlib.suppress(TimeoutError, RequestFailure, httpx2.HTTPError):
            async with asyncio.timeout(left):
                said = (await _body(response)).decode("utf-8", "replace")
        if 300 <= status < 400:
            to = response.headers.get("Location", "nowhere")
            said = f"redirects to {to}: write that address as `base_url`"
        return RequestFailure(
            f"status {status}: {self._clean(said or response.reason_phrase)}",
            again=status in AGAIN or (status >= 500 and status not in NEVER),
            wait=_seconds(response.headers.get("Retry-After")),
            limited=status == RATE_LIMIT,
        )

    def _broken(self, error: Exception) -> RequestFailure:
        """What an exchange broke on, and whether it could go better: a wrong name or certificate cannot."""
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                message = f"the certificate of `{self.host}` is not trusted: {cause.verify_message}"
                return RequestFailure(self._clean(message), again=False)
            if isinstance(cause, ssl.SSLError) and cause.reason in NO_TLS:
                return RequestFailure(
                    f"`{self.host}` does not speak TLS at this port: is it http?", again=False
                )
            if isinstance(cause, socket.gaierror):
                # A name that was found before may be found again; one that never was is wrong.
                again = self._reached and cause.errno == socket.EAI_AGAIN
                return RequestFailure(f"the name `{self.host}` is not known: {cause.strerror}", again=again)
        wrong = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)
        return RequestFailure(
            self._clean(f"{type(error).__name__}: {error}"), again=not isinstance(error, wrong)
        )

    def _clean(self, said: str) -> str:
        return without_key(said[: MOST_BYTES >> 8], self._key)[:QUOTED]


async def _body(response: httpx2.Response) -> bytes:
    """The bytes of a response, as they were sent.

    Raises:
        Failure: they are compressed, though we asked for plain ones, or too many.
    """
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RequestFailure("the answer is compressed, which was not asked for", again=False)
    parts, size = [], 0
    async for part in response.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise RequestFailure(f"the answer is larger than {MOST_BYTES:,} bytes", again=False)
    return b"".join(parts)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _answer(said: Any) -> Answer:
    try:
        choice = said["choices"][0]
        text = choice["message"]["content"]
        usage = said.get("usage") or {}
        counts = [_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
        finished = choice.get("finish_reason") not in UNFINISHED
    except (AttributeError, IndexError, KeyError, TypeError):
        raise RequestFailure("the answer has no `choices[0].message.content`", again=True) from None
    if text is not None and not isinstance(text, str):
        raise RequestFailure("the answer's content is no text", again=True)
    return Answer(text or "", finished, *counts)


def _count(value: Any) -> int | None:
    """A count of tokens; None where the server gives none, or what cannot be one."""
    return value if type(value) is int and value >= 0 else None


def _seconds(header: str | None) -> float | None:
    """A `Retry-After` header in seconds from now: it is a number or a date."""
    if not header:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(header))
    with contextlib.suppress(ValueError):
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    return None
