"""`genrec plugins`: what is installed, what each plugin provides, what is broken and why."""

from __future__ import annotations

import click

from genrec_core.cli.environment import JSON
from genrec_core.pipeline.console import echo, echo_json
from genrec_core.registry.discovery import PluginReport, load_plugins


@click.command()
@JSON
def plugins(as_json: bool) -> None:
    """List plugins with what they provide; a broken one comes with the reason."""
    _, reports = load_plugins()
    if as_json:
        echo_json([_plain(report) for report in reports])
        return
    for report in reports:
        echo(_headline(report))
        by_kind: dict[str, list[str]] = {}
        for one in (*report.components, *report.extensions):
            by_kind.setdefault(one.kind, []).append(one.name)
        for kind, names in sorted(by_kind.items()):
            echo(f"  {kind:<12} {', '.join(sorted(names))}")


def _headline(report: PluginReport) -> str:
    package = f"{report.distribution} {report.version}".strip() or "not installed"
    if report.disabled:
        return f"{report.name}  ({package})  OFF: {report.error}"
    return f"{report.name}  ({package})" + (f"  BROKEN: {report.error}" if report.error else "")


def _plain(report: PluginReport) -> dict[str, object]:
    return {
        "name": report.name,
        "distribution": report.distribution,
        "version": report.version,
        "state": "off" if report.disabled else "broken" if report.error else "ok",
        "error": report.error,
        "components": [
            {"kind": component.kind, "name": component.name, "class": component.place}
            for component in report.components
        ],
        "extensions": [{"kind": one.kind, "name": one.name, "place": one.place} for one in report.extensions],
    }
