"""`genrec serve RUN`: listen, load the run, answer until a signal comes.

SIGHUP serves the run anew (or the newest one, where RUN is a folder of `runs` or `latest`). SIGTERM and
Ctrl-C answer what was asked and end.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from types import FrameType

import click

from genrec_contrib_serve.settings import TOKEN_VARIABLE, Settings
from genrec_core.pipeline.console import echo
from genrec_core.pipeline.numbers import Decimal, Whole
from genrec_core.pipeline.run_reader import open_run
from genrec_core.registry.discovery import load_plugins


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address; others than this machine's need a token."
)
@click.option("--port", type=Whole(0, 65_535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--max-batch",
    type=Whole(1, 1_000_000),
    default=32,
    show_default=True,
    help="Requests answered together.",
)
@click.option(
    "--max-queue",
    type=Whole(1, 1_000_000),
    default=256,
    show_default=True,
    help="Requests that may wait; more get 429.",
)
@click.option(
    "--timeout",
    type=Decimal(0.1, 86_400),
    default=30.0,
    show_default=True,
    help="Seconds a request may take.",
)
@click.option(
    "--max-body",
    type=Whole(1024, 1 << 30),
    default=1 << 20,
    show_default=True,
    help="Bytes of a request.",
)
@click.option(
    "--max-history", type=Whole(1, 1_000_000), default=1000, show_default=True, help="Items of a history."
)
@click.option(
    "--max-items",
    type=Whole(1, 1_000_000),
    default=100,
    show_default=True,
    help="Items that may be asked for.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of artefacts; by default the one that the run names.",
)
def serve(run: Path, host: str, port: int, store: Path | None, **limits: float) -> None:
    """Answer requests over HTTP with the model of RUN; a page to try it is at /.

    The environment variable GENREC_SERVE_TOKEN names the token that clients have to show.
    """
    settings = Settings(host, port, os.environ.get(TOKEN_VARIABLE, ""), **limits)  # type: ignore[arg-type]
    settings.refuse_open_door()
    open_run(
        run, load_plugins()[0], store
    )  # a wrong name is said at once, not by a server that is never ready
    _listen(run, settings, store)


def _listen(run: Path, settings: Settings, store: Path | None) -> None:
    # FastAPI takes a while to import, which `--help` need not wait for.
    import uvicorn

    from genrec_contrib_serve.app import application
    from genrec_contrib_serve.listening import bound, configured
    from genrec_contrib_serve.logs import set_up_logs

    set_up_logs()
    app = application(settings, run, store)
    config = configured(app, settings)
    opened = bound(config)
    echo(f"listening on http://{_shown(settings.host)}:{opened.getsockname()[1]}")
    server, runs = uvicorn.Server(config), app.state.service.runs
    wrong: list[Exception] = []

    def first() -> None:
        try:
            runs.load()
        except Exception as error:  # nothing can be served: the command ends, and says this
            wrong.append(error)
            server.should_exit = True

    def again() -> None:
        with contextlib.suppress(Exception):  # logged; what is served goes on
            runs.load()

    def on_signal(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=again, daemon=True).start()

    signal.signal(signal.SIGHUP, on_signal)
    threading.Thread(target=first, daemon=True).start()
    server.run(sockets=[opened])
    if wrong:
        raise wrong[0]


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
