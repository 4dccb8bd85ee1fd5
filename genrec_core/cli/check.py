"""`genrec check`: everything that can be known to be wrong with a pipeline, before anything runs."""

from __future__ import annotations

from pathlib import Path

import click

from genrec_core.cli.environment import SET
from genrec_core.pipeline.console import echo
from genrec_core.pipeline.graph import Graph
from genrec_core.pipeline.load import load_pipeline
from genrec_core.registry.discovery import load_plugins


@click.command()
@click.argument("pipeline", type=click.Path(path_type=Path))
@SET
def check(pipeline: Path, changes: tuple[str, ...]) -> None:
    """Check PIPELINE: components, options, files it needs, and that its stages fit together."""
    registry, _ = load_plugins()
    loaded = load_pipeline(pipeline, registry, changes)
    loaded.refuse_missing_files()
    graph = Graph(loaded, registry)
    echo(f"{pipeline}: ok. Stages: {' → '.join(graph.stages)}")
