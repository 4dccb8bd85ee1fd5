"""One request to an OpenAI-compatible server, with nothing but the standard library.

Whatever goes wrong ends as a `Failure` that says whether another try could help. A stalled server is one of
these: the time limit holds for the whole answer, not for each packet. Redirects are refused, because the key
would travel with them, and the key is cut out of everything that a server says back.
"""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from genrec_core.contracts.teacher import Answer

AGAIN = frozenset({408, 409, 425, 429})
"""Statuses besides 5xx after which the same request may succeed."""

RATE_LIMIT = 429
UNFINISHED = frozenset({"length", "max_tokens", "content_filter"})
"""Reasons to end that leave an answer unfinished."""

MOST_BYTES = 1 << 24
QUOTED = 200
"""Characters of a server's complaint that a message quotes."""


class Failure(Exception):  # noqa: N818 - it is an outcome that workers hand over, not a bug
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


@dataclass(frozen=True)
class ChatServer:
    """Where requests go.

    Attributes:
        url: of the API, without `/chat/completions`.
        key: sent as bearer token; "" for none.
        timeout: seconds for one whole answer.
    """

    url: str
    key: str = field(repr=False)
    timeout: float

    def complete(self, body: Mapping[str, Any]) -> Answer:
        """Send one request.

        Raises:
            Failure: there is no answer.
        """
        try:
            return _answer(orjson.loads(self._posted(orjson.dumps(dict(body)))))
        except orjson.JSONDecodeError as error:
            raise Failure("the answer is not JSON", again=True) from error

    def _posted(self, data: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        address = self.url.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(address, data=data, headers=headers, method="POST")
        deadline = time.monotonic() + self.timeout
        try:
            with _OPENER.open(request, timeout=self.timeout) as response:
                return self._read(response, deadline)
        except urllib.error.HTTPError as error:
            raise self._refused(error, deadline) from error
        except (OSError, http.client.HTTPException) as error:  # URLError and time-outs are OSErrors
            raise Failure(self._clean(f"{type(error).__name__}: {error}"), again=True) from error

    def _read(self, response: Any, deadline: float) -> bytes:
        """The body; a server that dribbles it out longer than the time limit has stalled."""
        parts, size = [], 0
        while part := response.read1(65_536):
            parts.append(part)
            size += len(part)
            if time.monotonic() > deadline:
                raise Failure(f"no whole answer within {self.timeout:g} s", again=True)
            if size > MOST_BYTES:
                raise Failure(f"the answer is larger than {MOST_BYTES:,} bytes", again=False)
        return b"".join(parts)

    def _refused(self, error: urllib.error.HTTPError, deadline: float) -> Failure:
        status = error.code
        try:
            said = self._read(error, deadline).decode("utf-8", "replace")
        except (Failure, OSError, http.client.HTTPException):
            said = ""
        if 300 <= status < 400:
            said = (
                f"redirects to {error.headers.get('Location', 'nowhere')}: write that address as `base_url`"
            )
        return Failure(
            self._clean(f"status {status}: {said or error.reason}"),
            again=status in AGAIN or status >= 500,
            wait=_seconds(error.headers.get("Retry-After")),
            limited=status == RATE_LIMIT,
        )

    def _clean(self, said: str) -> str:
        plain = " ".join(said.split())
        return (plain.replace(self.key, "…") if self.key else plain)[:QUOTED]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No new request: the redirect arrives as an HTTPError."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _answer(said: Any) -> Answer:
    try:
        choice = said["choices"][0]
        text = choice["message"]["content"]
        usage = said.get("usage") or {}
        counts = [_count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens")]
        finished = choice.get("finish_reason") not in UNFINISHED
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise Failure("the answer has no `choices[0].message.content`", again=True) from error
    if text is not None and not isinstance(text, str):
        raise Failure("the answer's content is no text", again=True)
    return Answer(text or "", finished, *counts)


def _count(value: Any) -> int | None:
    """A count of tokens; None where the server gives none, or what cannot be one."""
    return value if type(value) is int and value >= 0 else None


def _seconds(header: str | None) -> float | None:
    """A `Retry-After` header in seconds from now: it is a number or a date."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
