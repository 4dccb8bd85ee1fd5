"""How a server listens: its configuration, its socket, and how much of a request it reads before it knows it.

    config = configured(app, Settings())
    server = uvicorn.Server(config)
    server.run(sockets=[bound(config)])

Requests are parsed by httptools, which is C; parsing in Python would be a quarter of what HTTP costs. It
keeps whatever a client sends until a name or a value is complete, so the bound is set here.
"""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from genrec_contrib_serve.settings import Settings

LONGEST_HEAD = 1 << 16
"""Bytes of a request's method, path and headers; more get 400."""
_DRAIN = 30
"""Seconds that requests which are going on get at the end."""


class BoundedHead(HttpToolsProtocol):
    """HTTP/1.1 whose requests have heads of at most `LONGEST_HEAD` bytes, trailers included."""

    _head = 0
    _unfinished = 0
    """Bytes since the parser last had something whole."""

    def data_received(self, data: bytes) -> None:
        """More of a request, or of several."""
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """A request."""
        self._head = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Some of its path."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._grow(len(name) + len(value))
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Some of its body, whose size the gate bounds."""
        self._unfinished = 0
        super().on_body(body)

    def _grow(self, size: int) -> None:
        self._unfinished = 0
        self._head += size
        if self._head > LONGEST_HEAD:
            raise ValueError("the head is too large")  # the parser makes a 400 of it


def configured(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application: no access log, no names of software in answers."""
    return uvicorn.Config(
        app, settings.host, settings.port, http=BoundedHead, log_config=None, access_log=False,
        server_header=False, date_header=False, timeout_graceful_shutdown=_DRAIN, lifespan="on",
    )  # fmt: skip


def bound(config: uvicorn.Config) -> socket.socket:
    """The bound socket; who connects from now on waits, and is not refused.

    Head and body of an answer are two packets, and the kernel would keep the second one back until the client
    confirms the first, which clients put off for 40 ms. asyncio switches that off (TCP_NODELAY) only for
    sockets that it made itself; connections inherit it from the socket that they came in by.
    """
    opened = config.bind_socket()
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.listen(config.backlog)
    return opened
