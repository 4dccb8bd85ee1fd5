"""`genrec serve` under load from another process: batching, think-ahead, and what HTTP adds.

    python -m tests.benchmarks.serve --quick     # fewer requests
    python -m tests.benchmarks.serve --json serve.json

The servers are processes of their own on this machine's loopback address; this process is the load, bounded
by its number of connections. All answer the same users of the quickstart's catalogue (500 items) with 20
beams of one model, trained for one epoch, because speed does not depend on what was learnt.

- *open session*: the run asked in this process, one request a call; *served*: the same requests over HTTP,
  one after another. The difference of the medians is what the server adds.
- *one at a time*: `--max-batch 1`; *batched*: `--max-batch 32`. Both are asked by 1 to 32 connections without
  a pause. Batched requests a second are compared with those of one at a time where the 95th percentile of
  the time to an answer is no worse. Beside them stand the milliseconds of the processor that a request takes
  of the server and of this process: the second is no part of what is compared, but it takes one of the cores
  away while it lasts.
- *plain*: `core/beam`; *think-ahead*: `onerec-think/finish` over a store that `genrec think-ahead` filled;
  *full-think*: `core/think`, a thought of at most 128 tokens before the beams. They take turns, request by
  request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genrec_core.api.runs import Run, open_finished
from tests.benchmarks.measuring import arguments, machine, ratio, write

ROOT = Path(__file__).resolve().parents[2]
GENREC = [sys.executable, "-c", "from genrec_core.cli import main; main()"]
CONNECTIONS = (1, 2, 4, 8, 16, 32)
ADDED, BATCHING, AHEAD, FULL = 0.030, 3.0, 1.3, 10.0
"""Goals: seconds that HTTP may add; batched requests a second; p95 of think-ahead, and of full-think."""
THINK = (
    "recommend.use=core/think",
    "recommend.budget=128",
    "recommend.opening=<t>",
    "recommend.closing=</t>",
)


@dataclass
class Server:
    """A served run.

    Attributes:
        process: `genrec serve`.
        port: where it listens.
    """

    process: subprocess.Popen[str]
    port: int

    def processor(self) -> float:
        """Seconds of the processor that it took so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(run: Path, *flags: str) -> Iterator[Server]:
    """A server that is ready."""
    command = [*GENREC, "serve", str(run), "--port", "0", *flags]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        server = Server(process, int(process.stdout.readline().rsplit(":", 1)[1]))
        while b" 200 " not in asyncio.run(_status(server.port)):
            time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait()


async def _status(port: int) -> bytes:
    connection = await Connection.open(port)
    await connection.send("GET", "/ready", b"")
    return connection.head.partition(b"\r\n")[0]


@dataclass
class Connection:
    """One kept connection, one request at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    port: int
    head: bytes = b""

    @classmethod
    async def open(cls, port: int) -> Connection:
        """Connect."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), port)

    async def send(self, method: str, path: str, body: bytes) -> bytes:
        """The body of the answer to one request."""
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        self.head = await self.reader.readuntil(b"\r\n\r\n")
        length = self.head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return await self.reader.readexactly(int(length))

    async def recommend(self, body: bytes) -> tuple[float, Any]:
        """Seconds that one recommendation took, and the answer."""
        begin = time.perf_counter()
        answer = await self.send("POST", "/recommend", body)
        seconds = time.perf_counter() - begin
        assert b" 200 " in self.head.partition(b"\r\n")[0], (self.head, answer)
        return seconds, json.loads(answer)


@dataclass
class Load:
    """What came of some connections that asked without a pause; `server` and `client`: processor seconds."""

    connections: int
    seconds: float = 0.0
    server: float = 0.0
    client: float = 0.0
    times: list[float] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        """Requests a second, percentiles, mean batch."""
        p50, p95 = np.percentile(self.times, [50, 95]).tolist()
        count = len(self.times)
        return {
            "connections": self.connections, "rps": count / self.seconds, "p50": p50, "p95": p95,
            "batch": statistics.mean(self.batches), "server": self.server / count,
            "client": self.client / count,
        }  # fmt: skip


async def loaded(server: Server, bodies: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Ask for some seconds over some connections."""
    load, end = Load(connections), time.perf_counter() + seconds

    async def client(number: int) -> None:
        connection = await Connection.open(server.port)
        place = number
        while time.perf_counter() < end:
            took, answer = await connection.recommend(bodies[place % len(bodies)])
            load.times.append(took)
            load.batches.append(answer["ms"]["batch"])
            place += connections
        connection.writer.close()

    begin = time.perf_counter(), server.processor(), time.process_time()
    await asyncio.gather(*[client(number) for number in range(connections)])
    load.seconds = time.perf_counter() - begin[0]
    load.server, load.client = server.processor() - begin[1], time.process_time() - begin[2]
    return load


async def in_turns(
    ports: Sequence[int], bodies: Sequence[bytes], rounds: int
) -> tuple[list[list[float]], list[str]]:
    """Seconds of each server's answers, request by request in turn, and what made the last ones."""
    connections = [await Connection.open(port) for port in ports]
    times: list[list[float]] = [[] for _ in ports]
    made = [""] * len(ports)
    for number in range(rounds + 3):
        for place, connection in enumerate(connections):
            took, answer = await connection.recommend(bodies[number % len(bodies)])
            made[place] = answer["made_by"]
            if number >= 3:  # the first ones warm up
                times[place].append(took)
    return times, made


def runs_of(folder: Path) -> dict[str, Path]:
    """The three runs, of one model; the store is filled."""
    cheap = (
        "train.sft.epochs=1",
        "evaluate.resamples=0",
        "evaluate.baselines=[]",
        "evaluate.valid=false",
        "data.source.users=200",
    )
    store = folder / "ahead.sqlite"
    changes = {
        "plain": (),
        "full-think": THINK,
        "think-ahead": ("recommend.use=onerec-think/finish", f"recommend.store={store}"),
    }
    found = {}
    for name, more in changes.items():
        settings = [word for change in (*cheap, f"name={name}", *more) for word in ("--set", change)]
        _genrec(folder, "run", str(ROOT / "examples" / "quickstart.yaml"), *settings)
        found[name] = folder / "runs" / name / "latest"
        if name == "full-think":
            _genrec(folder, "think-ahead", str(found[name]), "--store", str(store))
    return found


def _genrec(folder: Path, *words: str) -> None:
    done = subprocess.run([*GENREC, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def added(run: Run, port: int, users: Sequence[str], rounds: int) -> dict[str, Any]:
    """Medians of the open session and of the served run, taking turns."""
    bodies = [json.dumps({"user": user}).encode() for user in users]
    opened: list[float] = []

    async def go() -> list[float]:
        connection, times = await Connection.open(port), []
        for number in range(rounds + 3):
            begin = time.perf_counter()
            run.recommend(users=[users[number % len(users)]])
            seconds = time.perf_counter() - begin
            took, _ = await connection.recommend(bodies[number % len(bodies)])
            if number >= 3:
                opened.append(seconds)
                times.append(took)
        return times

    times = asyncio.run(go())
    return {
        "what": "added by HTTP", "open session p50": statistics.median(opened),
        "served p50": statistics.median(times), "rounds": rounds,
    }  # fmt: skip


def batching(run: Path, bodies: Sequence[bytes], seconds: float) -> list[dict[str, Any]]:
    """One row a number of connections, both servers."""
    rows = []
    with served(run, "--max-batch", "1") as single, served(run, "--max-batch", "32") as batched:
        for connections in CONNECTIONS:
            for name, server in (("one at a time", single), ("batched", batched)):
                load = asyncio.run(loaded(server, bodies, connections, seconds))
                rows.append({"what": name, **load.row()})
    return rows


def gain(rows: Sequence[dict[str, Any]]) -> tuple[float, int]:
    """The best ratio of requests a second at a p95 no worse, and the connections that one at a time had."""
    best = (0.0, 0)
    batched = [row for row in rows if row["what"] == "batched"]
    for single in (row for row in rows if row["what"] == "one at a time"):
        fast = [row["rps"] for row in batched if row["p95"] <= single["p95"]]
        if fast:
            best = max(best, (max(fast) / single["rps"], single["connections"]))
    return best


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__ or "")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rounds, seconds = (40, 2.0) if options.quick else (200, 6.0)
    with tempfile.TemporaryDirectory() as home:
        runs = runs_of(Path(home))
        with contextlib.ExitStack() as stack:
            names = ("plain", "think-ahead", "full-think")
            ports = [stack.enter_context(served(runs[name])).port for name in names]
            run = stack.enter_context(open_finished(runs["plain"]))
            users = run.users[:64]
            bodies = [json.dumps({"user": user}).encode() for user in users]
            http = added(run, ports[0], users, rounds)
            times, made = asyncio.run(in_turns(ports, bodies, rounds))
        assert made == ["plain", "think-ahead", "plain"], made
        load = batching(runs["plain"], bodies, seconds)
    turns = [
        {"what": name, "p50": float(np.percentile(taken, 50)), "p95": float(np.percentile(taken, 95))}
        for name, taken in zip(names, times, strict=True)
    ]
    more, at = gain(load)
    spent = {
        name: min(row["server"] for row in load if row["what"] == name)
        for name in ("one at a time", "batched")
    }
    plain, ahead, full = (row["p95"] for row in turns)
    ratios = {
        "served over open session, p50 in s": ratio(
            http["served p50"] - http["open session p50"], "open session", ADDED
        ),
        "requests a second, batched": ratio(
            more, f"one at a time over {at} connections, equal p95", BATCHING
        ),
        "requests a processor second, batched": ratio(
            spent["one at a time"] / spent["batched"], "one at a time"
        ),
        "p95 of think-ahead": ratio(ahead / plain, "plain", AHEAD),
        "p95 of full-think": ratio(full / ahead, "think-ahead", FULL),
    }
    _print(http, turns, load, ratios)
    write(options.json, ratios, [http, *turns, *load])


def _print(
    http: dict[str, Any], turns: list[dict[str, Any]], load: list[dict[str, Any]], ratios: dict[str, Any]
) -> None:
    opened, over_http = 1000 * http["open session p50"], 1000 * http["served p50"]
    print(f"p50: open session {opened:.1f} ms, served {over_http:.1f} ms")
    for row in turns:
        print(f"{row['what']:>14}  p50 {1000 * row['p50']:7.1f} ms  p95 {1000 * row['p95']:7.1f} ms")
    for row in load:
        print(
            f"{row['what']:>14}  {row['connections']:>2} connections  {row['rps']:6.1f} requests/s  "
            f"p50 {1000 * row['p50']:6.1f} ms  p95 {1000 * row['p95']:6.1f} ms  "
            f"batches of {row['batch']:4.1f}  "
            f"processor {1000 * row['server']:.2f} ms, client {1000 * row['client']:.2f} ms"
        )
    for name, value in ratios.items():
        print(f"{name}: {value['value']} against {value['against']} (goal {value['goal']})")
    print(machine())


if __name__ == "__main__":
    main()
