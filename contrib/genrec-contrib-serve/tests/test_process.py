"""`genrec serve` as a process: signals, kills, logs, refusals at the start."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import uvicorn
from genrec_contrib_serve.listening import bound

GENREC = "from genrec_core.cli import main; main()"


class Process:
    """A server of its own, with its lines on standard error kept."""

    def __init__(self, folder, *arguments, **environment):
        self.log = folder / f"log-{time.monotonic_ns()}"
        command = [sys.executable, "-c", GENREC, "serve", *map(str, arguments), "--port", "0"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, **environment}
            )
        line = self.process.stdout.readline()
        self.port = int(line.rsplit(":", 1)[1]) if line else 0

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def ready(self, run=None):
        """Wait until it is ready, with a run where one is named."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            status, body = self.ask("GET", "/ready")
            if status == 200 and run in (None, body["versions"]["run"]):
                return body
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def lines(self):
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@pytest.fixture
def start(tmp_path):
    started = []

    def go(*arguments, **environment):
        started.append(Process(tmp_path, *arguments, **environment))
        return started[-1]

    yield go
    for one in started:
        one.process.kill()
        one.process.wait()
        one.process.stdout.close()


def test_killed_and_started_again_it_is_ready_by_itself_and_hangup_takes_the_newest_run(
    start, shop, tmp_path
):
    latest = tmp_path / "latest"
    latest.symlink_to(shop.first)
    first = start(latest)
    first.ready(shop.first.name)
    _, before = first.ask("POST", "/recommend", {"history": ["i012", "Copper Pocket Metronome"]})
    first.process.kill()
    first.process.wait()

    second = start(latest)
    second.ready(shop.first.name)
    _, after = second.ask(
        "POST", "/recommend", {"history": ["i012", "Copper Pocket Metronome"], "message": "a quiet wish"}
    )
    assert after["items"] == before["items"]
    latest.unlink()
    latest.symlink_to(shop.second)
    second.process.send_signal(signal.SIGHUP)
    second.ready(shop.second.name)
    second.ask("GET", "/items?query=metronome")

    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(30) == 128 + signal.SIGTERM
    lines = second.lines()
    assert [line["run"] for line in lines if line["event"] == "serving"] == [
        shop.first.name,
        shop.second.name,
    ]
    asked = [line for line in lines if line["event"] == "request" and line["path"] == "/recommend"]
    assert [(line["method"], line["status"], line["batch"]) for line in asked] == [("POST", 200, 1)]
    assert asked[0]["request_id"]
    text = second.log.read_text().lower()
    assert not [word for word in ("i012", "metronome", "wish", "127.0.0.1") if word in text]


def test_no_packet_of_an_answer_waits_for_the_clients_confirmation():
    with contextlib.ExitStack() as stack:
        door = stack.enter_context(contextlib.closing(bound(uvicorn.Config(app="", port=0))))
        stack.enter_context(socket.create_connection(door.getsockname()))
        accepted = stack.enter_context(door.accept()[0])
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_what_cannot_be_served_ends_the_command_with_a_message(start, shop, tmp_path):
    gone = start(tmp_path / "nothing")
    assert gone.process.wait(60) == 2
    assert "is no run folder" in gone.log.read_text()
    open_door = start(shop.first, "--host", "0.0.0.0")
    assert open_door.process.wait(60) == 2
    assert "can be reached by others, so a token is needed" in open_door.log.read_text()
    assert "Traceback" not in open_door.log.read_text() + gone.log.read_text()
