"""The command line: `genrec COMMAND`.

Commands are registered by the core and by plugins through the same hook, and imported when they are run: so
`genrec --help` needs click and the plugins' names, and neither torch nor pydantic. Whatever ends a command is
one message and an exit code; a traceback is shown for `--debug` alone.

    0  done        1  a stage, or genrec itself, failed      2  a mistake in what was given
    5  a contract is broken       128 + signal: Ctrl-C is 130, SIGTERM 143, SIGHUP 129
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import click

from genrec_core.contracts.errors import ExitCode, GenrecError, PluginError, printable, without_secrets
from genrec_core.registry.discovery import CORE, PluginReport, load_plugins
from genrec_core.registry.loading import COMMANDS, Registered, is_of_an_extra, load_object, not_installed
from genrec_core.registry.problems import did_you_mean
from genrec_core.registry.registry import Registry


class Ended(KeyboardInterrupt):
    """A signal asked this process to end; everything that tidies up after Ctrl-C does so after this too."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class OpenGroup(click.Group):
    """A group of the core, such as `genrec data`, to which plugins add commands: `"data get"`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The group's own names, then those of plugins."""
        begin = f"{self.name} "
        others = [one.name.removeprefix(begin) for one in _everyones()[0] if one.name.startswith(begin)]
        return [*super().list_commands(ctx), *others]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now if it is a plugin's.

        Raises:
            PluginError: its plugin is broken; says why.
        """
        own = super().get_command(ctx, cmd_name)
        return own or _registered(f"{self.name} {cmd_name}")


class LazyGroup(click.Group):
    """A group whose commands are what plugins registered, imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order they were registered, the core's first."""
        return [entry.name for entry in _everyones()[0] if " " not in entry.name]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now.

        Raises:
            PluginError: its plugin is broken; says why.
        """
        return _registered(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, as they were registered."""
        with formatter.section("Commands"):
            shown = [entry for entry in _everyones()[0] if " " not in entry.name]
            formatter.write_dl([(entry.name, printable(entry.summary)) for entry in shown])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command named first, or a hint at the nearest one and at plugins that could not register it."""
        if args and not args[0].startswith("-") and not any(one.name == args[0] for one in _found(args[0])):
            known, reports = _everyones()
            near = did_you_mean(args[0], [one.name for one in known], otherwise=" ").strip()
            near = f"pip install {COMMANDS[args[0]]}" if args[0] in COMMANDS else near
            lines = [f"there is no command `{args[0]}`" + (f"; {near}" if near else "")]
            broken = [one for one in reports if one.error and (one.name == args[0] or not one.disabled)]
            lines += [f"plugin `{one.name}` is not usable: {one.error}" for one in broken]
            ctx.fail(printable("\n".join(lines), lines=True))
        return super().resolve_command(ctx, args)


def core_commands() -> list[Registered]:
    """The core's own commands, without a look at other plugins."""
    from genrec_core.builtin import genrec_register

    own = Registry(CORE)
    genrec_register(own)
    return own.extensions("command")


def _registered(name: str) -> click.Command | None:
    """The command that was registered under a name, imported now; None if there is none."""
    entry = next((one for one in _found(name) if one.name == name), None)
    if entry is None:
        return None
    command = load_object(entry)
    if not isinstance(command, click.Command):
        raise PluginError(
            f"command `{name}` of plugin `{entry.plugin}` is no click command: `{entry.target}`",
            hint="this is a fault of the plugin; `genrec plugins` names its version",
        )
    return command


def _everyones() -> tuple[list[Registered], list[PluginReport]]:
    """Every usable command, the core's first, and the state of each plugin."""
    registry, reports = load_plugins()
    core = core_commands()
    others = [one for one in registry.extensions("command") if one.plugin != CORE]
    return [*core, *others], reports


def _found(name: str) -> list[Registered]:
    """Commands among which a name is looked up; other plugins are not loaded for one of the core's."""
    core = core_commands()
    return core if any(one.name == name for one in core) else _everyones()[0]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="genrec-core", prog_name="genrec")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Generative recommendation with language models, composed from plugins."""
    context.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process; no error but those of `--debug` shows a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    # OpenMP threads that spin while they wait slow torch down sixfold on a machine that is shared. The
    # setting is read when torch is loaded, and a user's own value wins.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show `→` gets \u2192
    try:
        with _signals():
            code = cli.main(args=given, prog_name="genrec", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else ExitCode.OK)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away; there is nobody to write to
        sys.exit(ExitCode.STAGE_FAILED)
    except (Exception, KeyboardInterrupt) as error:
        expected = (click.ClickException, click.Abort, KeyboardInterrupt)
        if "--debug" in given and not isinstance(error, expected):
            raise
        _end(error, given)


def _end(error: BaseException, given: list[str]) -> NoReturn:
    """One message for whatever went wrong, the command that goes on, and the exit code."""
    if isinstance(error, click.Abort) and error.__cause__:
        error = error.__cause__  # click turns Ctrl-C into its own Abort
    if isinstance(error, click.ClickException):
        error.show()
        sys.exit(error.exit_code)
    if isinstance(error, (click.Abort, KeyboardInterrupt, EOFError)):
        by_signal = isinstance(error, Ended)
        _say(f"Ended by {error}." if by_signal else "Interrupted.")
        _say_how_to_go_on(error, given)
        sys.exit(128 + (error.number if isinstance(error, Ended) else signal.SIGINT))
    known = _as_known(error)
    _say(f"Error: {known}")
    _say_where_more_is_said(known)
    _say_how_to_go_on(error, given)
    sys.exit(known.exit_code)


def _as_known(error: BaseException) -> GenrecError:
    """An error as a person reads it; what nobody foresaw names the line of code that knows more."""
    if isinstance(error, GenrecError):
        return error
    if isinstance(error, ModuleNotFoundError) and is_of_an_extra(error):
        return not_installed("this command", error)
    for kind, what in _BEYOND.items():
        if isinstance(error, kind):
            return GenrecError(f"{what}: {error}", hint="`genrec --debug …` shows where it happened")
    if isinstance(error, OSError) and error.strerror:
        named = f"`{error.filename}`: " if error.filename else ""
        hint = _WAYS_OUT.get(error.errno or 0, "`genrec --debug …` shows where it happened")
        return GenrecError(f"{named}{error.strerror}", hint=hint)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    unforeseen = GenrecError(
        f"this should not have happened: {type(error).__name__}: {error}",
        where=f"{frame.filename}:{frame.lineno}",
        hint="please report it, with what `genrec --debug …` shows",
    )
    unforeseen.exit_code = ExitCode.STAGE_FAILED
    return unforeseen


_WAYS_OUT = {
    errno.ENOTDIR: "a part of this path is a file, not a folder: name another place",
    errno.EACCES: "name a place that you may read and write, or change its rights",
    errno.EROFS: "this place can only be read: name another",
    errno.ENOSPC: "make room, or name a place on another disk",
    errno.ENAMETOOLONG: "name a shorter path",
}
"""What to do about an error of the operating system that nobody caught before."""

_BEYOND = {
    RecursionError: "something that was given is nested too deeply",
    MemoryError: "there is too little memory",
}


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end like Ctrl-C while a command runs; what ignores them (`nohup`) goes on to."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        raise Ended(number)

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        with contextlib.suppress(ValueError):  # not the main thread, which alone may handle signals
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(text: str) -> None:
    click.echo(printable(without_secrets(text), lines=True), err=True)


def _say_where_more_is_said(error: GenrecError) -> None:
    """Name the sections about an error, if there are any."""
    from genrec_core.cli.explanations import explained_by

    if names := explained_by(error):
        _say(f"  more: genrec explain-error {' '.join(names[:SECTIONS_NAMED])}")


SECTIONS_NAMED = 3
"""Sections that one message names at most."""


def _say_how_to_go_on(error: BaseException, given: list[str]) -> None:
    """Where it happened and which command goes on, where a stage of a run has noted that."""
    notes = getattr(error, "__notes__", [])
    for note in notes:
        _say(note)
    if notes:
        _say(f"To go on from there: {shlex.join(['genrec', *given])}")
