"""A thousand requests that make no sense: each is told so, and the server goes on as before."""

from __future__ import annotations

import contextlib
import json
import random
import socket

import pytest
from genrec_contrib_serve.listening import LONGEST_HEAD

SEED = 17
ODD = [
    None,
    True,
    -1,
    0,
    1.5,
    10**30,
    "",
    "i012\x00",
    "\ud800",
    [],
    [[]],
    {},
    {"a": {}},
    ["i012", 3],
    [None],
    "x" * 5000,
    float("nan"),
    float("inf"),
    [[[[[]]]]],
    {"i012": "i012"},
]
NAMES = [
    "history",
    "user",
    "k",
    "message",
    "exclude",
    "exclude_viewed",
    "only_items",
    "only",
    "explain",
    "hist",
]


def body_of(generator: random.Random) -> bytes:
    """A body that is none: cut, garbled, of the wrong kind, or with values that no field takes."""
    right = json.dumps({"history": ["i012", "i040"], "k": 5}).encode()
    ways = [
        lambda: right[: generator.randrange(1, len(right) - 1)],
        lambda: bytes(generator.randrange(256) for _ in range(generator.randrange(1, 60))) + b"\xff",
        lambda: b"[" * generator.choice([10, 1000, 20_000]),
        lambda: b'{"k":' * 500 + b"1" + b"}" * 500,
        lambda: json.dumps(generator.choice(ODD)).encode(),
        lambda: b'{"history": [], "k": ' + b"9" * generator.choice([30, 5000]) + b"}",
        lambda: b'{"history": ["unheard-of-%d"]}' % generator.randrange(1000),
        lambda: json.dumps({"history": ["i012"], "surprise": generator.choice(ODD)}).encode(),
        lambda: json.dumps({"history": ["i012"], "user": 1}).encode(),
        lambda: json.dumps(wrong_values(generator)).encode(),
        lambda: b"",
    ]
    return generator.choice(ways)()


def wrong_values(generator: random.Random):
    """A form with one field that cannot be right, whatever the others hold."""
    form = {name: generator.choice(ODD) for name in generator.sample(NAMES, generator.randrange(0, 4))}
    return form | {"k": generator.choice([None, True, -1, 0, 1.5, "ten", [], {}, 10**30])}


def test_a_thousand_malformed_requests_get_4xx_with_a_message_and_no_traceback(server):
    generator, before = random.Random(SEED), server.recommend("i012").body["items"]
    statuses: dict[int, int] = {}
    for number in range(1000):
        path = generator.choice(["/recommend", "/recommend", "/recommend/batch", "/admin/reload"])
        kind = generator.choice(
            ["application/json"] * 4 + ["text/plain", "application/x-www-form-urlencoded", "x"]
        )
        content = body_of(generator)
        if path == "/admin/reload" and kind == "application/json" and content.strip() in (b"{}",):
            content = b"[]"  # the one body among these that reload may take
        answer = server.ask("POST", path, content, Content_Type=kind)
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        assert 400 <= answer.status < 500, (number, path, kind, content[:80], answer.status)
        assert answer.body["error"]["message"], (number, content[:80])
        assert "Traceback" not in json.dumps(answer.body)
        assert ".py" not in json.dumps(answer.body)
    assert statuses[422] > 300
    assert server.recommend("i012").body["items"] == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/recommend", 405),
        ("DELETE", "/items", 405),
        ("POST", "/health", 405),
        ("PROPFIND", "/items", 405),
        ("GET", "/no/such", 404),
        ("GET", "/page/../settings.py", 404),
        ("GET", "/page/%2e%2e/settings.py", 404),
        ("GET", "/items?limit=0", 422),
        ("GET", "/items?limit=many", 422),
        ("GET", "/items?query=" + "x" * 201, 422),
    ],
)
def test_odd_methods_paths_and_queries_are_told_so(server, method, path, status):
    answer = server.ask(method, path)
    assert answer.status == status
    assert answer.body["error"]["message"]


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW /items HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\n\r\n",
        b"GET /items HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_a_400_or_is_hung_up_on(server, sent):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(sent)
        try:
            answer = connection.recv(1000)
        except OSError:
            answer = b""
    assert answer == b"" or b" 4" in answer.split(b"\r\n")[0]
    assert server.ask("GET", "/health").status == 200


CHUNKED = b"POST /items HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET /items?query=", b"y" * 1000),
        (b"GET /items HTTP/1.1\r\nHost: localhost\r\nX: ", b"y" * 1000),
        (b"GET /items HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n" * 100),
        (CHUNKED + b"X: ", b"y" * 1000),
    ],
)
def test_a_head_that_never_ends_is_hung_up_on(server, begin, piece):
    def flood(connection):
        connection.sendall(begin)
        for _ in range(10_000):
            connection.sendall(piece)

    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    with connection, pytest.raises(ConnectionError):
        flood(connection)
    assert server.ask("GET", "/health").status == 200


def test_a_long_body_is_no_long_head(server):
    history = [f"i{number:03}" for number in range(240)] * 4
    answer = server.ask("POST", "/recommend", {"history": history}, X_Long="y" * 60_000)
    assert answer.status == 200
    body = {"requests": [{"history": history}] * 10}
    assert len(json.dumps(body)) > LONGEST_HEAD
    assert server.ask("POST", "/recommend/batch", body).status == 200
