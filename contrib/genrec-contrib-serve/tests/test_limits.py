"""Bounds: the queue, time, bodies, histories; and who may come in."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from genrec_contrib_serve.settings import Settings, is_loopback

from genrec_core import GenrecError

TOKEN = "a-token-of-some-length"


@pytest.fixture
def held(serve):
    """Starts a server whose model waits until it is let go."""

    def go(**settings):
        server = serve(**settings)
        run, let_go = server.service.runs.current, threading.Event()
        answers = run.answers
        run.answers = lambda requests: let_go.wait(20) and answers(requests)
        return server, let_go

    return go


def at_once(count, ask):
    """Threads that ask, and what they get."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(ask())) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, found


def test_a_full_queue_says_when_to_come_again(held):
    server, let_go = held(max_queue=2, max_batch=1)
    threads, found = at_once(1, lambda: server.recommend("i012"))
    while server.service.batcher.waiting or not server.service.batcher._pending:
        time.sleep(0.005)
    more, waiting = at_once(2, lambda: server.recommend("i013"))
    while server.service.batcher.waiting < 2:
        time.sleep(0.005)
    refused = server.recommend("i014")
    assert refused.status == 429
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.body["error"]["message"] == "the queue is full"
    assert server.ask("GET", "/health").status == 200
    let_go.set()
    for thread in [*threads, *more]:
        thread.join(20)
    assert [one.status for one in [*found, *waiting]] == [200, 200, 200]
    assert 'genrec_turned_away_total{reason="busy"} 1.0' in server.ask("GET", "/metrics").body


def test_what_takes_too_long_is_given_up_and_the_server_goes_on(held):
    server, let_go = held(timeout=0.3)
    answer = server.recommend("i012")
    assert answer.status == 504
    assert answer.body["error"]["message"] == "the answer took longer than 0.3 s"
    let_go.set()
    assert server.recommend("i012").status == 200


def test_a_body_that_is_too_large_is_refused_announced_or_not(serve):
    server = serve(max_body=2000)
    assert server.recommend("x" * 3000).status == 413
    chunks = b"".join(b"3e8\r\n" + b" " * 1000 + b"\r\n" for _ in range(4))
    head = b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head + chunks + b"0\r\n\r\n")
        assert b"413" in connection.recv(100).split(b"\r\n")[0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"history": ["i012"] * 11}, "`history` has 11 items; at most 10"),
        ({"history": [], "exclude": ["i012"] * 11}, "`exclude` has 11 items; at most 10"),
        ({"history": [], "k": 21}, "`k` is 21; at most 20 items"),
    ],
)
def test_more_than_the_limits_is_refused_with_the_limit(serve, body, message):
    answer = serve(max_history=10, max_items=20).ask("POST", "/recommend", body)
    assert (answer.status, answer.body["error"]["message"]) == (422, message)


def test_a_batch_has_a_largest_size(serve):
    answer = serve(max_requests=2).ask("POST", "/recommend/batch", {"requests": [{"history": []}] * 3})
    assert answer.body["error"] == {"message": "3 requests at once; at most 2", "where": "requests"}


def test_without_the_token_nobody_is_served_and_with_it_everything_is(serve):
    server = serve(token=TOKEN)
    for shown in ("", "Bearer", "Bearer wrong-token-of-length", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}é"):
        for method, path in (
            ("GET", "/items"),
            ("POST", "/recommend"),
            ("POST", "/admin/reload"),
            ("GET", "/metrics"),
        ):
            answer = server.ask(
                method, path, {} if method == "POST" else None, Authorization=shown.encode("latin-1")
            )
            assert answer.status == 401, (shown, path)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert server.ask("GET", "/health").status == 200
    assert server.ask("GET", "/").status == 200
    assert server.ask("GET", "/items", Authorization=f"Bearer {TOKEN}").status == 200
    body = {"history": ["i012"]}
    assert server.ask("POST", "/recommend", body, Authorization=f"bearer {TOKEN}").status == 200


def test_other_sites_and_other_names_of_this_machine_are_refused(serve):
    server = serve()
    assert server.ask("GET", "/items", Host="evil.example").status == 421
    assert server.ask("GET", "/items", Host=f"localhost:{server.port}").status == 200
    assert server.ask("POST", "/admin/reload", {}, Origin="https://evil.example").status == 403
    own = f"http://127.0.0.1:{server.port}"
    answer = server.ask("GET", "/items", Origin=own)
    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (Settings("0.0.0.0"), "`--host 0.0.0.0` can be reached by others, so a token is needed"),
        (Settings("example.org"), "`--host example.org` can be reached by others, so a token is needed"),
        (Settings(token="short"), "`GENREC_SERVE_TOKEN` has 5 characters; it needs 16 at least"),
    ],
)
def test_an_open_door_is_refused(settings, wrong):
    with pytest.raises(GenrecError) as refused:
        settings.refuse_open_door()
    assert refused.value.message == wrong


def test_a_door_with_a_token_or_of_this_machine_alone_is_fine():
    Settings("0.0.0.0", token=TOKEN).refuse_open_door()
    Settings("::1").refuse_open_door()
    assert not is_loopback("127.0.0.1.example.org")
