"""One small trained run, and servers of it on real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from genrec_contrib_serve.app import application
from genrec_contrib_serve.listening import configured
from genrec_contrib_serve.settings import Settings

from genrec_core.pipeline.load import load_pipeline
from genrec_core.pipeline.run import run_pipeline
from genrec_core.pipeline.runner import RunEnvironment
from genrec_core.registry.discovery import load_plugins
from genrec_core.store.store import Store

PIPELINE = """\
genrec: 1
name: shop
seed: 3
data:
  source: {use: core/synthetic, items: 240, users: 120}
  max_history: 8
model: {use: core/tiny-causal, hidden: 16, layers: 1, heads: 2, intermediate: 32, vocabulary: 400}
tokenizer: {use: sid/rq-kmeans, encoder: {use: core/ngrams, dims: 16}, levels: 2, codes: 16}
train:
  sft:
    use: core/sft
    corpora: [{use: core/next-item, each: user}]
    epochs: 1
    batch_size: 16
    learning_rate: 0.003
recommend: {use: core/beam, beams: 12}
evaluate: {at: [5], resamples: 10, baselines: []}
"""


@dataclass
class Shop:
    """Two runs of one pipeline; the second was trained twice as long."""

    folder: Path
    first: Path
    second: Path

    def another(self, *changes: str) -> Path:
        """A run of the same pipeline with changes; stages that they leave alone are reused."""
        registry = load_plugins()[0]
        environment = RunEnvironment(registry, Store(self.folder / "store"), self.folder / "runs")
        pipeline = load_pipeline(self.folder / "pipeline.yaml", registry, list(changes))
        return run_pipeline(pipeline, environment).folder


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "pipeline.yaml").write_text(PIPELINE)
    one = Shop(folder, folder, folder)
    runs = [one.another(), one.another("train.sft.epochs=2")]
    return Shop(folder, *runs)


@dataclass
class Answered:
    status: int
    body: Any
    headers: dict[str, str]


class Server:
    """A server in a thread of this process, asked over a real socket."""

    def __init__(self, run: Path, settings: Settings) -> None:
        self.app, self.settings = application(settings, run), settings
        self.service = self.app.state.service
        config = configured(self.app, Settings(port=0))
        self.socket = config.bind_socket()
        self.port = self.socket.getsockname()[1]
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(
            target=self.uvicorn.run, kwargs={"sockets": [self.socket]}, daemon=True
        )

    def start(self, load: bool = True) -> None:
        if load:
            self.service.runs.load()
        self.thread.start()
        while not self.uvicorn.started:
            time.sleep(0.005)

    def stop(self) -> None:
        self.uvicorn.should_exit = True
        self.thread.join(20)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answered:
        """One request on a connection of its own; anything but bytes is sent as JSON."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if content is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            text = answer.read()
            kind = answer.headers.get("content-type", "")
            value = json.loads(text) if kind.startswith("application/json") else text.decode()
            return Answered(answer.status, value, {k.lower(): v for k, v in answer.headers.items()})

    def recommend(self, *history: str, **more: Any) -> Answered:
        return self.ask("POST", "/recommend", {"history": list(history), **more})


@pytest.fixture
def serve(shop):
    """Starts servers: `serve(max_queue=2)`; by default of the first run."""
    started = []

    def go(run: Path | None = None, *, load: bool = True, **settings: Any) -> Server:
        server = Server(run or shop.first, Settings(**settings))
        started.append(server)
        server.start(load)
        return server

    yield go
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(shop):
    """One server for all tests that change nothing about it."""
    one = Server(shop.first, Settings())
    one.start()
    yield one
    one.stop()
