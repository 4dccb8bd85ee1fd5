"""`genrec recommend`: what a run's model recommends, to one or to all, under rules.

genrec recommend runs/my/latest --history 1001,1007 -k 5 --only brand=Zorg
genrec recommend runs/my/latest --all --exclude-viewed --exclude sold-out.txt --out recs.parquet
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genrec_core.cli.environment import JSON, STORE
from genrec_core.cli.finding import find_items
from genrec_core.contracts.errors import GenrecError, printable
from genrec_core.evaluation.report.facts import item_title
from genrec_core.pipeline.console import echo, echo_json
from genrec_core.pipeline.numbers import MOST_ITEMS, Whole
from genrec_core.registry.problems import shown as quoted

if TYPE_CHECKING:
    from genrec_core.api.answering import RankedAnswer
    from genrec_core.api.rules import RuleArguments
    from genrec_core.api.runs import Run

_PATH = click.Path(path_type=Path)


def _rule_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--exclude-viewed`, `--only` and `--exclude` as one argument `rules`."""

    @click.option(
        "--exclude-viewed/--keep-viewed", "exclude_viewed", default=None,
        help="Whether items of the history are left out; by default as the run's evaluation does.",
    )  # fmt: skip
    @click.option(
        "--only", "only", multiple=True, metavar="FIELD=VALUE",
        help="Only items with this value in a field; a field may be named again with another value.",
    )  # fmt: skip
    @click.option(
        "--exclude", "exclude", type=_PATH, metavar="FILE",
        help="Items never to recommend: a file with an id a line, or a table with a column item_id.",
    )  # fmt: skip
    @functools.wraps(command)
    def wrapped(
        exclude_viewed: bool | None, only: tuple[str, ...], exclude: Path | None, **rest: Any
    ) -> None:
        rules: RuleArguments = {
            "exclude_viewed": exclude_viewed,
            "only": _only(only) or None,
            "exclude": _ids_in(exclude) if exclude else (),
        }
        command(rules=rules, **rest)

    return wrapped


def _many_options(command: Callable[..., None]) -> Callable[..., None]:
    """What writing for many users needs, as one argument `many`."""

    @click.option("--all", "everyone", is_flag=True, help="All users of the run's data; needs --out.")
    @click.option(
        "--users", "table", type=_PATH, metavar="FILE",
        help="A table of users: user_id; or with item_ids; or interactions with item_id, timestamp.",
    )  # fmt: skip
    @click.option("--out", type=_PATH, help="The .jsonl, .csv or .parquet file to write for many users.")
    @click.option("--overwrite", is_flag=True, help="Write --out anew where it is there already.")
    @click.option("--fields", default="", metavar="NAME,NAME", help="Item fields to write beside the ids.")
    @click.option(
        "--unknown-items", type=click.Choice(["refuse", "drop"]), default="refuse", show_default=True,
        help="What becomes of interactions with items that the run does not know.",
    )  # fmt: skip
    @click.option(
        "--time-format", default="seconds", show_default=True, metavar="FORMAT",
        help="Of times in --users FILE: seconds, milliseconds, iso, or as in %d.%m.%Y.",
    )  # fmt: skip
    @functools.wraps(command)
    def wrapped(everyone: bool, table: Path | None, out: Path | None, **rest: Any) -> None:
        names = ("overwrite", "fields", "unknown_items", "time_format")
        many = {"everyone": everyone, "table": table, "out": out, **{name: rest.pop(name) for name in names}}
        if (everyone or table) and out is None:
            raise GenrecError("many users need a file to write to", hint="name one: --out recs.jsonl")
        if out is not None and not (everyone or table):
            raise GenrecError("`--out` is for many users", hint="say --all, or --users FILE")
        command(many=many, **rest)

    return wrapped


@click.command()
@click.argument("run", type=_PATH)
@click.option(
    "--history", "histories", multiple=True, metavar="ITEM,ITEM",
    help="Items in time order by id; or one title. May be repeated.",
)  # fmt: skip
@click.option("--titles", is_flag=True, help="Each --history is a title, or a part that one title alone has.")
@click.option("--user", default="", metavar="ID", help="A user of the run's data, with the whole history.")
@click.option("--message", default="", help="What the user says, for prompts that show it.")
@click.option("-k", "k", type=Whole(1, MOST_ITEMS), default=10, show_default=True, help="How many items.")
@click.option("--domain", default="", help="Answer from this domain alone (with `evaluate.domain_field`).")
@_rule_options
@_many_options
@click.option("--explain", is_flag=True, help="Say why: nearest items of the history, beams, the thought.")
@STORE
@JSON
def recommend(
    run: Path,
    k: int,
    rules: RuleArguments,
    many: dict[str, Any],
    store: Path | None,
    as_json: bool,
    **one: Any,
) -> None:
    """Recommend items after a history, to a user, or to all users, by the model of RUN.

    An item is named by its id, exactly. What is no id may be the title that one item alone has; with --titles
    it is looked up among titles only. The first line of the answer says what was understood. Rules restrict
    what is searched, so that as many items come back as are asked for, wherever so many are allowed.
    """
    from genrec_core.api.runs import open_finished

    with open_finished(run, store) as opened:
        if many["out"] is not None:
            if one["histories"] or one["user"]:
                raise GenrecError(
                    "one user or many", hint="leave --history and --user, or --all and --users, out"
                )
            _write(opened, k, rules, many, as_json)
        else:
            _show(opened, k, rules, one, as_json)


def _write(opened: Run, k: int, rules: RuleArguments, many: dict[str, Any], as_json: bool) -> None:
    """Recommend to many users, into a file."""
    from genrec_core.api.batch import Written
    from genrec_core.api.user_rows import UserTable

    if many["everyone"] and many["table"] is not None:
        raise GenrecError("`--all` and `--users` are both given", hint="keep one of them")
    written = opened.recommend_users(
        many["table"],
        k,
        out=many["out"],
        fields=[name for name in many["fields"].split(",") if name],
        table=UserTable(time_format=many["time_format"], unknown_items=many["unknown_items"]),
        overwrite=many["overwrite"],
        **rules,
    )
    assert isinstance(written, Written)
    if as_json:
        echo_json(written.plain())
        return
    echo(printable(str(written), lines=True))
    asked = written.users - written.resumed
    echo(f"{written.seconds:.1f} s, {asked / max(written.seconds, 1e-9):,.0f} users a second")


def _show(opened: Run, k: int, rules: RuleArguments, one: dict[str, Any], as_json: bool) -> None:
    """Recommend to one user, on the screen."""
    user, domain, items = one["user"], one["domain"], opened.items
    if domain and not opened.reader.pipeline.spec.evaluate.domain_field:
        raise GenrecError(
            "this run does not know which items are of which domain",
            where=f"--domain {quoted(domain)}",
            hint="run it with `evaluate.domain_field`",
        )
    named = [item for text in one["histories"] for item in find_items(text, items, titles=one["titles"])]
    ids = None if user and not named else [[items.ids[item] for item in named]]
    found = opened.recommend(
        ids, k, users=[user] if user else None, message=one["message"], domain=domain, fields=(), **rules
    )
    answer = found.answers[0]
    reasons = _reasons(opened, answer) if one["explain"] else []
    shown = [_entry(opened, answer, place) for place in range(len(answer.ranked.items))]
    if as_json:
        history = [
            {"item": items.ids[item], "title": _title(opened, item)} for item in answer.request.history
        ]
        why = {"why": reasons, "thought": _thought(answer)} if one["explain"] else {}
        echo_json({"history": history, "items": shown, "notes": list(found.notes), **why})
        return
    who = printable(f"{user}, " if user else "")
    after = " → ".join(_called(opened, item) for item in answer.request.history)
    echo(f"{who}after {after}" if after else f"{who}no history")
    if one["explain"] and _thought(answer):
        echo(f"thought: {printable(_thought(answer))}")
    for place, entry in enumerate(shown):
        item = printable(f"{entry['item']}  {entry['title']}")
        echo(f"{place + 1:>3}  {entry['score']:8.3f}  {entry['how']:<10}  {item}")
        for line in reasons[place]["lines"] if reasons else ():
            echo(f"       {printable(line)}")
    if len(shown) < k:
        echo(
            f"only {len(shown)} of {k}: no more items are allowed, or the recommender's beams reached no more"
        )
    for note in found.notes:
        if "fewer than" not in note:
            echo(printable(note))


def _reasons(opened: Run, answer: RankedAnswer) -> list[dict[str, Any]]:
    """Why each item was recommended."""
    explainer, ids = opened.explainer, opened.items.ids
    reasons = []
    items = answer.ranked.items.tolist()
    (nearest,) = explainer.near([(items, answer.request.history)])
    for place, (item, near) in enumerate(zip(items, nearest, strict=True)):
        beam = explainer.beam(answer, place)
        lines = [
            f"near {_called(opened, one.item)}: {one.both:,} training users had both, "
            f"identifiers begin with {one.alike} equal tokens"
            for one in near
        ]
        reasons.append(
            {
                "item": ids[item],
                "near": [{"item": ids[one.item], "both": one.both, "alike": one.alike} for one in near],
                "beam": beam,
                "lines": [*([f"beam {beam}"] if beam else []), *(lines or ["near no item of the history"])],
            }
        )
    return reasons


def _thought(answer: RankedAnswer) -> str:
    return answer.written.thought if answer.written is not None else ""


def _only(rules: tuple[str, ...]) -> dict[str, list[str]]:
    """`FIELD=VALUE` as rules; of one field named again any value does."""
    found: dict[str, list[str]] = {}
    for text in rules:
        field, equals, value = text.partition("=")
        if not equals or not field:
            raise GenrecError(f"{quoted(text)} is no rule", where="--only", hint="write FIELD=VALUE")
        found.setdefault(field, []).append(value)
    return found


def _ids_in(path: Path) -> list[str]:
    """The ids in a file: one a line, or the column `item_id` of a table.

    Raises:
        GenrecError: there is no such file or column, or it is not UTF-8.
    """
    from genrec_core.data.defects import Defects
    from genrec_core.data.lines import UTF8_HINT
    from genrec_core.data.tables import table_rows

    if not path.is_file():
        raise GenrecError(f"there is no file `{path}`", where="--exclude", hint="a file with an id a line")
    if path.suffix in (".csv", ".tsv", ".jsonl", ".parquet", ".gz"):
        defects = Defects()
        found = [str(row[0]).strip() for _, row in table_rows(path, ("item_id",), defects)]
        defects.refuse()
        return found
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise GenrecError("line is not UTF-8", where=f"{path}:{line}", hint=UTF8_HINT) from error
    return [line.strip() for line in lines if line.strip()]


def _title(opened: Run, item: int) -> str:
    return item_title(opened.reader.catalogue, item)


def _called(opened: Run, item: int) -> str:
    name, title = opened.items.ids[item], _title(opened, item)
    return printable(f"{name} ({title})" if title != name else name)


def _entry(opened: Run, answer: RankedAnswer, place: int) -> dict[str, Any]:
    item = int(answer.ranked.items[place])
    return {
        "item": opened.items.ids[item],
        "title": _title(opened, item),
        "score": float(answer.ranked.scores[place]),
        "how": answer.how(place),
        "identifier": opened.reader.catalogue.identifiers.text(item),
    }
