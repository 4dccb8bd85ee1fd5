"""`genrec check-plugin`: the contract kit on every component of an installed plugin."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from genrec_core.pipeline.console import echo, echo_json

if TYPE_CHECKING:
    from genrec_core.registry.discovery import PluginReport
    from genrec_core.registry.loading import Registered
    from genrec_core.registry.registry import Registry


@click.command("check-plugin")
@click.argument("name", required=False)
@click.option(
    "--options", "given", default="{}", metavar="JSON",
    help="""Options by component: '{"my-ids/hashed": {"levels": 2}}'. Defaults elsewhere.""",
)  # fmt: skip
@click.option(
    "--allow-unchecked", is_flag=True,
    help="End with exit code 0 although components need options, so that they were not checked.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print every check's result as JSON.")
def check_plugin(name: str | None, given: str, allow_unchecked: bool, as_json: bool) -> None:
    """Check that the components of plugin NAME (by default of every plugin) keep their contracts.

    Exit code 5 when a check failed, when too few of a component's checks ran to mean anything, or when a
    component was not checked at all because it needs options.
    """
    from genrec_core.contracts.errors import ContractError, examples
    from genrec_core.registry.discovery import load_plugins

    options = _parsed(given)
    registry, reports = load_plugins()
    components = [c for report in _chosen(name, reports) for c in report.components]
    _refuse_strangers(options, components)
    rows = []
    for component in components:
        row = _checked(component, registry, options.get(component.name, {}))
        rows.append(row)
        if not as_json:
            echo(_told(row))
    if as_json:
        echo_json(rows)
    else:
        echo(_total(rows))
    broken = [row["component"] for row in rows if row["broken"]]
    if broken:
        raise ContractError(f"broken contracts: {', '.join(broken)}", hint="each failure is told above")
    unchecked = [row["component"] for row in rows if row["unchecked"]]
    if unchecked and not allow_unchecked:
        raise ContractError(
            f"{len(unchecked)} components were not checked: {examples(unchecked, len(unchecked))}",
            hint=f"""give them options, --options '{{"{unchecked[0]}": {{...}}}}', or --allow-unchecked""",
        )


def _checked(component: Registered, registry: Registry, options: dict[str, Any]) -> dict[str, Any]:
    """One component's results as plain values; `unchecked` says why there are none."""
    from dataclasses import asdict

    from genrec_core.contracts.errors import GenrecError
    from genrec_core.testing.runner import check_component, shortfall, summary_line

    row: dict[str, Any] = {
        "kind": component.kind, "component": component.name, "unchecked": "", "shortfall": "",
        "broken": False, "checks": [],
    }  # fmt: skip
    try:
        cls = registry.resolve(component.kind, component.name)
    except GenrecError as error:
        return row | {"unchecked": str(error), "broken": True}
    try:
        results = check_component(component.kind, cls, options, name=component.name, builder=registry)
    except GenrecError as error:
        return row | {"unchecked": error.message, "broken": bool(options)}
    short = shortfall(component.kind, results)
    failed = any(result.outcome == "failed" for result in results)
    return row | {
        "summary": summary_line(component.kind, component.name, results),
        "shortfall": short,
        "broken": failed or bool(short),
        "checks": [asdict(result) for result in results],
    }


def _told(row: dict[str, Any]) -> str:
    """A row as people read it."""
    if row["unchecked"]:
        name = row["component"]
        hint = "" if row["broken"] else f"\n  → genrec check-plugin --options '{{\"{name}\": {{...}}}}'"
        return f"{row['kind']} {name}: not checked: {row['unchecked']}{hint}"
    failures = [f"  ✗ {c['name']}: {c['reason']}" for c in row["checks"] if c["outcome"] == "failed"]
    short = [f"  ✗ {row['shortfall']}"] if row["shortfall"] else []
    return "\n".join([row["summary"], *failures, *short])


def _total(rows: list[dict[str, Any]]) -> str:
    checks = [check for row in rows for check in row["checks"]]
    ran = sum(check["outcome"] != "skipped" for check in checks)
    unchecked = sum(bool(row["unchecked"]) for row in rows)
    return f"{ran} checks ran on {len(rows) - unchecked} components; {unchecked} components not checked"


def _chosen(name: str | None, reports: list[PluginReport]) -> list[PluginReport]:
    """The plugins to check; a broken one that was named is an error."""
    from genrec_core.contracts.errors import PluginError
    from genrec_core.registry.problems import did_you_mean

    if name is None:
        return [report for report in reports if not report.error]
    named = [report for report in reports if report.name == name]
    if not named:
        known = [report.name for report in reports]
        raise PluginError(f"no plugin `{name}` is installed", hint=did_you_mean(name, known))
    if named[0].error:
        raise PluginError(f"plugin `{name}` is not usable: {named[0].error}", hint="genrec plugins")
    return named[:1]


def _parsed(given: str) -> dict[str, dict[str, Any]]:
    from genrec_core.contracts.errors import GenrecError

    try:
        options = json.loads(given, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:  # ValueError: JSON, or digits by the thousand
        raise GenrecError(f"`--options` is no JSON: {error}", hint=_EXAMPLE) from error
    if not isinstance(options, dict) or not all(isinstance(value, dict) for value in options.values()):
        raise GenrecError("`--options` must map component names to their options", hint=_EXAMPLE)
    return options


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a name that comes twice Python would take the last value."""
    from genrec_core.contracts.errors import GenrecError

    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GenrecError(f"`--options` names `{twice[0]}` twice", hint="write each name once")
    return dict(pairs)


_EXAMPLE = """write '{"plugin/component": {"option": 1}}'"""


def _refuse_strangers(options: dict[str, Any], components: Iterable[Registered]) -> None:
    from genrec_core.contracts.errors import GenrecError
    from genrec_core.registry.problems import did_you_mean

    known = [component.name for component in components]
    for name in options:
        if name not in known:
            raise GenrecError(
                f"`--options` names `{name}`, which is not checked here", hint=did_you_mean(name, known)
            )
