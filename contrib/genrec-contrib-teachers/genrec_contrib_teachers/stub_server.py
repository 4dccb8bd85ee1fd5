"""An OpenAI-compatible server in this process, which answers, fails, stalls, rate-limits and talks nonsense.

    with StubServer(lambda chat, tried: "blue" if tried else Trouble(status=503)) as server:
        OpenAIServer(model="m", base_url=server.url).ask(chats, 0, Context())

What it does is a function of the chat (its messages' texts) and of how often that chat was asked before, so
a test says what happens without counting requests across threads.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import orjson

Texts = tuple[str, ...]


@dataclass(frozen=True)
class Trouble:
    """Anything but an answer.

    Attributes:
        status: of the response.
        body: instead of JSON.
        headers: such as `Retry-After`.
        stall: seconds before the response begins, or until the server closes.
        drop: close the connection without a word.
        endless: bytes that are sent without a status line, then the last of them again and again until the
            server closes: a response that never ends.
    """

    status: int = 200
    body: bytes = b"nonsense"
    headers: Mapping[str, str] = field(default_factory=dict)
    stall: float = 0.0
    drop: bool = False
    endless: tuple[bytes, ...] = ()


class StubServer:
    """Serves `/v1/chat/completions` on a free port.

    Args:
        answer: given the texts of a chat and how often it was asked before, its answer or some trouble.

    Attributes:
        asked: how often each chat was asked.
        answered: how often each chat was answered.
        requests: the bodies of all requests, in order.
        headers: their headers.
        most: the most requests that were under way at a time.
    """

    def __init__(self, answer: Callable[[Texts, int], str | Trouble]) -> None:
        self.answer = answer
        self.asked: Counter[Texts] = Counter()
        self.answered: Counter[Texts] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most = self._under_way = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """What to write as `base_url`."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _decided(self, body: dict[str, Any], headers: dict[str, str]) -> tuple[Texts, str | Trouble]:
        texts = tuple(message["content"] for message in body["messages"])
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            self.requests.append(body)
            self.headers.append(headers)
            tried = self.asked[texts]
            self.asked[texts] += 1
        return texts, self.answer(texts, tried)

    def _finished(self, texts: Texts, answered: bool) -> None:
        with self._lock:
            self._under_way -= 1
            if answered:
                self.answered[texts] += 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
                texts, outcome = stub._decided(body, dict(self.headers))
                trouble = outcome if isinstance(outcome, Trouble) else None
                try:
                    if trouble is None:
                        self._send(200, _completion(str(outcome)), {})
                    else:
                        stub.closing.wait(trouble.stall)
                        if trouble.endless:
                            self._send_endlessly(trouble.endless)
                        elif not trouble.drop:
                            self._send(trouble.status, trouble.body, trouble.headers)
                except OSError:  # whoever asked has hung up
                    trouble = trouble or Trouble(drop=True)
                finally:
                    stub._finished(texts, trouble is None)

            def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def _send_endlessly(self, parts: tuple[bytes, ...]) -> None:
                self.close_connection = True
                for part in parts:
                    self.wfile.write(part)
                while not stub.closing.wait(0.01):
                    self.wfile.write(parts[-1])

            def log_message(self, *_: Any) -> None:
                """Silence."""

        return Handler


def _completion(text: str) -> bytes:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": len(text.split())}
    return orjson.dumps({"choices": [choice], "usage": usage})
