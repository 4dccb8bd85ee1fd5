"""The command line: `genrec COMMAND`.

This module holds only the table of commands. A command's module is imported when it is run, so that
`genrec --help` needs nothing but click.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from genrec_core.contracts.errors import ExitCode, GenrecError

COMMANDS = {
    "run": ("genrec_core.cli.run:run", "Run a pipeline; reuse every stage whose inputs are unchanged."),
    "check": ("genrec_core.cli.check:check", "Say what is wrong with a pipeline before anything runs."),
    "plugins": ("genrec_core.cli.plugins:plugins", "List plugins: components, versions, what is broken."),
    "show": ("genrec_core.cli.show:show", "Show a component's options with types, defaults and docs."),
    "data": ("genrec_core.cli.data:data", "Import and check your own data."),
    "doctor": ("genrec_core.cli.doctor:doctor", "Examine the identifiers of a run."),
    "recommend": ("genrec_core.cli.recommend:recommend", "Recommend items after a history, by a run."),
    "items": ("genrec_core.cli.items:items", "Add new items to a run, without training again."),
    "compare": ("genrec_core.cli.compare:compare", "Compare runs: metrics with intervals, protocols."),
    "new": ("genrec_core.cli.new:new", "Start a plugin that passes the contract kit."),
    "check-plugin": ("genrec_core.cli.check_plugin:check_plugin", "Run the contract kit on a plugin."),
}
"""Name → where the command is, and its line in `genrec --help`."""


INTERRUPTED = 130
"""What shells expect of a program that Ctrl-C ended."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table, which is the order one meets them in."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command named first, or a hint at the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"there is no command `{args[0]}`" + (f"; did you mean `{near[0]}`?" if near else ""))
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="genrec-core", prog_name="genrec")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Generative recommendation with language models, composed from plugins."""
    context.obj = {"debug": debug}


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; every error that a user can cause is one message and an exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    # OpenMP threads that spin while they wait slow torch down sixfold on a machine that is shared. The
    # setting is read when torch is loaded, and a user's own value wins.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        code = cli.main(args=given, prog_name="genrec", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else ExitCode.OK)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        click.echo("Interrupted.", err=True)
        _tell_how_to_go_on(error.__cause__ or error, given)  # click turns Ctrl-C into its own Abort
        sys.exit(INTERRUPTED)
    except GenrecError as error:
        if "--debug" in given:
            raise
        click.echo(f"Error: {error}", err=True)
        _tell_how_to_go_on(error, given)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        from genrec_core.registry.missing import is_of_an_extra, not_installed

        if "--debug" in given or not is_of_an_extra(error):
            raise
        click.echo(f"Error: {not_installed('this command', error)}", err=True)
        sys.exit(ExitCode.BAD_INPUT)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away; nothing to tell
        sys.exit(ExitCode.STAGE_FAILED)


def _tell_how_to_go_on(error: BaseException, given: list[str]) -> None:
    """Where it happened and which command goes on, where a stage of a run has noted that."""
    notes = getattr(error, "__notes__", [])
    for note in notes:
        click.echo(note, err=True)
    if notes:
        import shlex

        click.echo(f"To go on from there: {shlex.join(['genrec', *given])}", err=True)
