"""`genrec refit`: a finished run once more, trained on its validation rows too."""

from __future__ import annotations

from pathlib import Path

import click

from genrec_core.cli.environment import JSON, StoreAndRuns, environment, folders
from genrec_core.pipeline.console import echo, echo_json


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--explain", is_flag=True, help="Say what would differ from the run; run nothing.")
@folders
@JSON
def refit(run: Path, explain: bool, place: StoreAndRuns, as_json: bool) -> None:
    """Train the systems of RUN once more, on training and validation rows together.

    Whatever the run chose by its validation rows (steps, weights of a fusion) is fixed first, so nothing is
    chosen twice. The result is a run of its own under another protocol: its figures are higher because more
    is known, and `genrec compare` does not put the two in one column.
    """
    from genrec_core.cli.run import print_results
    from genrec_core.pipeline.refit import refit_of
    from genrec_core.pipeline.run import run_pipeline
    from genrec_core.pipeline.run_reader import open_run

    shop = environment(place, quiet=as_json)
    found = refit_of(open_run(run, shop.registry), shop.registry)
    if not as_json:
        for change in found.changes:
            echo(change)
        for name in found.left_out:
            echo(f"{name} stops by validation rows and is left out")
    if explain:
        if as_json:
            echo_json({"changes": list(found.changes), "left_out": list(found.left_out)})
        return
    finished = run_pipeline(found.pipeline, shop)
    if as_json:
        echo_json({"run": str(finished.folder), "metrics": finished.metrics})
    elif finished.folder:
        print_results(found.pipeline.spec.name, finished.metrics, finished.folder)
