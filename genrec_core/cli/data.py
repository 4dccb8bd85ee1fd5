"""`genrec data import` and `genrec data check`: bring own data, and see what it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genrec_core.cli import OpenGroup
from genrec_core.pipeline.console import echo, echo_json
from genrec_core.pipeline.numbers import MOST_COUNTED, Decimal, Whole

if TYPE_CHECKING:
    from genrec_core.contracts.dataset import Dataset
    from genrec_core.data.folder import Reading
    from genrec_core.data.item_table import ItemColumns
    from genrec_core.data.tables import TableFormat

_PATH = click.Path(path_type=Path)
_DUPLICATES = click.Choice(["refuse", "keep", "drop-exact"])
_COUNT = Whole(1, MOST_COUNTED)
_MISSING_WORDS = click.Choice(["refuse", "empty", "keep"])


@click.group(cls=OpenGroup)
def data() -> None:
    """Import your own data, or check a data folder."""


@data.command("import")
@click.argument("table", type=_PATH)
@click.option("--out", required=True, type=_PATH, help="The data folder to make; must not exist.")
@click.option("--user-column", default="user_id", show_default=True)
@click.option("--item-column", default="item_id", show_default=True)
@click.option("--time-column", default="timestamp", show_default=True)
@click.option(
    "--time-format", default="seconds", show_default=True, metavar="FORMAT",
    help="seconds, milliseconds, iso, or how dates are written, as in %d.%m.%Y.",
)  # fmt: skip
@click.option("--tie-key", default="", help="Column that orders events of one user at one time.")
@click.option("--rating-column", default="", help="Column of ratings, for --min-rating.")
@click.option("--min-rating", type=Decimal(-1e9, 1e9), help="Interactions rated lower are left out.")
@click.option("--items", "item_table", type=_PATH, help="Table with one row an item.")
@click.option("--item-id-column", default="item_id", show_default=True, help="Id column of the item table.")
@click.option(
    "--item-field", "fields", multiple=True, metavar="NAME=COLUMN",
    help="Item field and its column; without an item table it is looked for in TABLE. Repeatable.",
)  # fmt: skip
@click.option("--allow-empty-text", is_flag=True, help="Take items without any text.")
@click.option("--unknown-items", type=click.Choice(["refuse", "drop"]), default="refuse", show_default=True)
@click.option(
    "--dedupe", type=click.Choice(["keep-all", "keep-first", "keep-last"]), default="keep-all",
    show_default=True, help="Which interactions of a user with the same item stay.",
)  # fmt: skip
@click.option("--k-core", type=_COUNT, default=1, help="Least interactions of users and items.")
@click.option("--min-user", type=_COUNT, help="Least interactions of a user, instead of --k-core.")
@click.option("--min-item", type=_COUNT, help="Least interactions of an item, instead of --k-core.")
@click.option(
    "--missing-words", type=_MISSING_WORDS, default="refuse", show_default=True,
    help="Texts of items and users that say nan, None, NULL, NA …",
)  # fmt: skip
@click.option(
    "--duplicate-items", type=click.Choice(["refuse", "first", "last"]), default="refuse",
    show_default=True, help="Which row of an item stands in the item table.",
)  # fmt: skip
@click.option("--unescape-html", is_flag=True, help="Undo HTML entities such as &amp; in item texts.")
@click.option(
    "--split-field", "separators", multiple=True, metavar="NAME=SEPARATOR",
    help="Item field whose cells hold several texts, and what parts them. Repeatable.",
)  # fmt: skip
@click.option(
    "--flags-field", "flags", multiple=True, metavar="NAME=COLUMNS",
    help="Item field that lists which of COLUMNS hold a 1: genres=Action,Drama. Repeatable.",
)  # fmt: skip
@click.option("--users", "user_table", type=_PATH, help="Table with one row a user: attributes.")
@click.option("--user-id-column", default="user_id", show_default=True, help="Id column of the user table.")
@click.option("--user-columns", default="", metavar="NAMES", help="Columns of a user table without a header.")
@click.option(
    "--user-field", "user_fields", multiple=True, metavar="NAME=COLUMN",
    help="Attribute of users and its column; all columns by default. Repeatable.",
)  # fmt: skip
@click.option(
    "--item-delimiter", default="", help="Of the item and user tables, where it is not --delimiter."
)
@click.option("--delimiter", default="", help="Of all tables; a comma by default, a tab for .tsv; :: too.")
@click.option(
    "--columns", default="", metavar="NAMES", help="Columns of TABLE if it has no header line: a,b,c."
)
@click.option(
    "--item-columns", default="", metavar="NAMES", help="Columns of the item table without a header line."
)
@click.option("--encoding", default="utf-8", show_default=True, help="Of both tables, such as latin-1.")
@click.option(
    "--quoting", type=click.Choice(["auto", "on", "off"]), default="auto", show_default=True,
    help="Whether quotes hold cells together; auto decides from each file.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_command(table: Path, out: Path, as_json: bool, **options: Any) -> None:
    """Make a data folder from TABLE, a CSV, Parquet or JSON-lines file of interactions.

    Bad rows are refused with their places; whatever a rule leaves out is counted.
    """
    from genrec_core.contracts.errors import GenrecError
    from genrec_core.data.importing import import_table

    if (options["min_rating"] is None) != (not options["rating_column"]):
        hint = "--min-rating 4 --rating-column stars"
        raise GenrecError("`--min-rating` and `--rating-column` need each other", hint=hint)
    _refuse_without_table(options)
    report = import_table(table, out, _rules(options))
    if as_json:
        _print_json(report.plain())
        return
    for what, count in report.steps:
        echo(f"{count:>12,}  {what}")
    size = f"{report.users:,} users, {report.items:,} items, {report.interactions:,} interactions"
    echo(f"Wrote {out}: {size}")


def _refuse_without_table(options: dict[str, Any]) -> None:
    """Do nothing unless an option speaks of a table that is not given, and would be ignored."""
    from genrec_core.contracts.errors import GenrecError

    needs = (
        ("--user-field", options["user_fields"], "--users", options["user_table"]),
        ("--user-columns", options["user_columns"], "--users", options["user_table"]),
        ("--item-columns", options["item_columns"], "--items", options["item_table"]),
    )
    for option, given, needed, table in needs:
        if given and table is None:
            raise GenrecError(f"`{option}` needs `{needed}`", hint=f"name the table: {needed} FILE")


def _rules(options: dict[str, Any]) -> Any:
    from dataclasses import replace

    from genrec_core.data.events import Columns
    from genrec_core.data.importing import ImportRules
    from genrec_core.data.item_table import ItemColumns
    from genrec_core.data.tables import TableFormat

    fields = _pairs(options["fields"], "--item-field", "title=product_title")
    written = TableFormat(
        options["delimiter"], _names(options["columns"]), options["encoding"], options["quoting"]
    )
    item_table = options["item_table"]
    other = replace(written, delimiter=options["item_delimiter"] or written.delimiter)
    flags = _pairs(options["flags"], "--flags-field", "genres=Action,Drama")
    return ImportRules(
        columns=Columns(
            options["user_column"],
            options["item_column"],
            options["time_column"],
            options["tie_key"],
            options["rating_column"],
        ),
        items=ItemColumns(
            item_table,
            options["item_id_column"],
            fields,
            allow_empty_text=options["allow_empty_text"],
            missing=options["missing_words"],
            duplicates=options["duplicate_items"],
            unescape=options["unescape_html"],
            separators=_pairs(options["separators"], "--split-field", "genres=|"),
            flags={name: _names(listed) for name, listed in flags.items()},
            written=replace(other, columns=_names(options["item_columns"])),
        ),
        users=_users(options, replace(other, columns=_names(options["user_columns"]))),
        least_rating=-math.inf if options["min_rating"] is None else options["min_rating"],
        time_format=options["time_format"],
        dedupe=options["dedupe"],
        least_user=options["min_user"] or options["k_core"],
        least_item=options["min_item"] or options["k_core"],
        unknown_items=options["unknown_items"],
        written=written,
    )


def _users(options: dict[str, Any], written: TableFormat) -> ItemColumns | None:
    """How a table of users is read: as one of items whose texts may be empty."""
    from genrec_core.data.item_table import RESERVED_OF_USERS, ItemColumns

    if options["user_table"] is None:
        return None
    return ItemColumns(
        options["user_table"],
        options["user_id_column"],
        _pairs(options["user_fields"], "--user-field", "age=years"),
        allow_empty_text=True,
        missing=options["missing_words"],
        written=written,
        reserved=RESERVED_OF_USERS,
    )


def _pairs(given: tuple[str, ...], option: str, example: str) -> dict[str, str]:
    """`NAME=VALUE` texts of a repeatable option."""
    from genrec_core.contracts.errors import GenrecError

    pairs: dict[str, str] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            hint = f"write it as in `{option} {example}`"
            raise GenrecError(f"`{option} {pair}` is not a name and a value", hint=hint)
        if name in pairs:
            raise GenrecError(f"`{option}` gives `{name}` twice", hint="one column a field")
        reserved = "user_id" if option == "--user-field" else "item_id"
        if name == reserved:
            raise GenrecError(f"`{option} {pair}`: `{name}` is the id itself", hint="choose another name")
        pairs[name] = value
    return pairs


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",")) if listed else ()


@data.command("check")
@click.argument("folder", type=_PATH)
@click.option("--tie-key", default="", help="Column that orders events of one user at one time.")
@click.option("--duplicates", type=_DUPLICATES, default="refuse", show_default=True)
@click.option("--allow-empty-text", is_flag=True, help="Items without any text are no problem.")
@click.option("--domain-field", default="", help="Item field that names an interaction's domain.")
@click.option(
    "--missing-words", type=_MISSING_WORDS, default="refuse", show_default=True,
    help="Texts of items and users that say nan, None, NULL, NA …",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def check_command(context: click.Context, /, folder: Path, as_json: bool, **options: Any) -> None:
    """Describe a data FOLDER and list every problem in it; exit code 2 if there is one."""
    from genrec_core.data.folder import Reading

    summary, splits, problems = _examine(folder, Reading(**options))
    if as_json:
        _print_json({"summary": summary, "splits": splits, "problems": problems})
    else:
        _print_summary(summary, splits)
        for problem in problems:
            hint = f"\n  → {problem['hint']}" if problem["hint"] else ""
            echo(f"{problem['where']}: {problem['message']}{hint}", err=True)
        echo(f"{len(problems)} kinds of problem" if problems else "no problems", err=bool(problems))
    context.exit(2 if problems else 0)


def _examine(folder: Path, reading: Reading) -> tuple[dict[str, Any], dict[str, str], list[dict[str, Any]]]:
    """Summary, what each split says, and problems; the first two are empty when files cannot be read."""
    from genrec_core.builtin.explicit_rows import REPEATED_HINT
    from genrec_core.contracts.errors import DataError
    from genrec_core.data.folder import examine_folder
    from genrec_core.data.row_file import repeated_rows
    from genrec_core.data.summary import summarise

    try:
        dataset, problems = examine_folder(folder, reading)
    except DataError as error:
        return {}, {}, [{"where": error.where, "message": error.message, "hint": error.hint, "count": 1}]
    if problems:
        listed = [
            {"where": found.where, "message": found.message, "hint": found.hint, "count": found.count}
            for found in problems.found
        ]
        return {}, {}, listed
    repeated = [
        {"where": str(folder), "message": what, "hint": REPEATED_HINT, "count": 1}
        for what in repeated_rows(dataset.valid, dataset.test)
    ]
    return summarise(dataset), _try_splits(dataset), repeated


def _try_splits(dataset: Dataset) -> dict[str, str]:
    """Each built-in split by name, with what came of it."""
    from genrec_core.builtin.explicit_rows import ExplicitRows
    from genrec_core.builtin.leave_one_out import DomainLast, LeaveOneOut
    from genrec_core.builtin.temporal import Temporal
    from genrec_core.contracts.errors import DataError

    said = {}
    splits = {
        "core/leave-one-out": LeaveOneOut(),
        "core/temporal": Temporal(),
        "core/rows": ExplicitRows(),
        "core/domain-last": DomainLast(),
    }
    for name, split in splits.items():
        try:
            views = split.split(dataset, max_history=50)
        except DataError as error:
            said[name] = f"not possible: {error.message}"
            continue
        rows = f"{len(views.train):,} train, {len(views.valid):,} valid, {len(views.test):,} test rows"
        said[name] = "; ".join((rows, *views.notes))
    return said


def _print_summary(summary: dict[str, Any], splits: dict[str, str]) -> None:
    for name, value in summary.items():
        if name == "notes":
            continue
        for label, number in value.items() if isinstance(value, dict) else [("", value)]:
            echo(f"{' '.join((name, label)).strip().replace('_', ' '):<38}{_number(number)}")
    for note in summary.get("notes", []):
        echo(f"note: {note}")
    for split, said in splits.items():
        echo(f"{split:<20}{said}")


def _number(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "unknown (no times)"}[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _print_json(value: Any) -> None:

    echo_json(value)
