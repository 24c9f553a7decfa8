"""The Typer application: its commands, and the one place that prints errors."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

from audiosearch import __version__, interrupts
from audiosearch.cli import console
from audiosearch.cli.option_groups import with_groups
from audiosearch.cli.streams import open_streams, write_error
from audiosearch.cli.table import COMMAND_CLASSES, COMMANDS
from audiosearch.cli.usage import (
    CheckedCommand,
    SuggestingGroup,
    help_without_command,
    usage_message,
)
from audiosearch.errors import AudiosearchError


class Commands(SuggestingGroup):
    """Command group that prints each expected failure as one sentence and a hint."""

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Return the name of the command, the command, and its arguments.

        An ``--index`` before the command becomes its first argument.
        """
        name, command, rest = super().resolve_command(ctx, args)
        location = ctx.params.get("_location")
        return name, command, rest if location is None else ["--index", location, *rest]

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run the command line and exit: 1 for expected failures, 2 for wrong usage."""
        try:
            try:
                # `CheckedCommand` expands the patterns of files, but not those of --exclude.
                extra["windows_expand_args"] = False
                status = super().main(args, standalone_mode=False, **extra)
            finally:
                sys.stdout.flush()
        except (AudiosearchError, typer.TyperException, typer.Abort, OSError) as exc:
            is_interrupted = interrupts.is_interrupted()
            status = interrupts.STATUS if is_interrupted else _report(exc, args or sys.argv[1:])
        status = status if isinstance(status, int) else 0
        if standalone_mode:
            sys.exit(status)
        return status


def _report(error: Exception, args: Sequence[str]) -> int:
    """Print an expected failure, and return its exit status. Raise any other error again."""
    if isinstance(error, AudiosearchError):
        console.say_failure(error)
        return error.exit_code
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "audiosearch"
        things = "options" if context and context.parent else "commands and options"
        console.say_error(usage_message(error, args), f"`{command} --help` lists the {things}.")
        return error.exit_code
    if isinstance(error, typer.Abort):  # the user answered no, or didn't answer
        console.say_error("Nothing was changed.", "Answer yes in advance with -y.")
        return 1
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        console.say_failure(write_error(error))
        return 1
    raise error


app = typer.Typer(
    cls=Commands,
    help="Find music and sounds by how they sound.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=True,
    suggest_commands=False,  # `SuggestingGroup` does
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"audiosearch {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    _location: Annotated[
        str | None,
        typer.Option(
            "--index",
            metavar="INDEX",
            help="Index that the command uses.",
        ),
    ] = None,
) -> None:
    log = logging.getLogger("audiosearch")
    if not any(isinstance(handler, console.LogHandler) for handler in log.handlers):
        log.addHandler(console.LogHandler())
        log.setLevel(logging.INFO)
    help_without_command(context)


for _name, _command in COMMANDS.items():
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name)
    else:
        app.command(_name, cls=COMMAND_CLASSES.get(_name, CheckedCommand))(with_groups(_command))


def main() -> NoReturn:
    """Run the command line, and exit."""
    console.messages = open_streams()
    interrupts.run(lambda: int(get_command(app).main(standalone_mode=False)))
