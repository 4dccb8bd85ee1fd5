"""`genrec check`: everything that can be known to be wrong with a pipeline, before anything runs."""

from __future__ import annotations

from pathlib import Path

import click

from genrec_core.cli.environment import SET
from genrec_core.contracts.errors import GenrecError
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
    graph = Graph(loaded, registry)
    missing = []
    for stage in graph.stages.values():
        for role, component in stage.everything().items():
            missing += [(stage.name, role, path) for path in component.inputs() if not path.exists()]
    if missing:
        stage_name, role, path = missing[0]
        raise GenrecError(
            f"`{path}` is not there, but the {role} of stage `{stage_name}` reads it",
            where=str(pipeline),
            hint="check the path; relative ones start at the pipeline file's folder",
        )
    echo(f"{pipeline}: ok. Stages: {' → '.join(graph.stages)}")
