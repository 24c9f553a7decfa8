"""The Typer application: its commands, and the one place that prints errors."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from audiosearch import __version__
from audiosearch.cli.options import help_without_command
from audiosearch.cli.table import COMMAND_CLASSES, COMMANDS
from audiosearch.errors import AudiosearchError


class Commands(TyperGroup):
    """Command group that prints each expected failure as one sentence and a hint."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run the command line and exit: 1 for expected failures, 2 for wrong usage."""
        from audiosearch.cli.console import say_error, say_failure

        try:
            status = super().main(args, standalone_mode=False, **extra)
            sys.stdout.flush()
        except AudiosearchError as exc:
            say_failure(exc)
            status = exc.exit_code
        except typer.TyperException as exc:
            context = getattr(exc, "ctx", None)
            command = context.command_path if context else "audiosearch"
            say_error(exc.format_message(), f"`{command} --help` lists the options.")
            status = exc.exit_code
        except typer.Abort:  # the user answered no, or didn't answer
            say_error("Nothing was changed.", "Answer yes in advance with -y.")
            status = 1
        except OSError as exc:
            if exc.errno != errno.ENOSPC:
                raise
            say_error("Can't write the output: the disk is full.", "Write it to another disk.")
            status = 1
        status = status if isinstance(status, int) else 0
        if standalone_mode:
            sys.exit(status)
        return status


app = typer.Typer(
    cls=Commands,
    help="Find music and sounds by how they sound.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=True,
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
) -> None:
    from audiosearch.cli.console import LogHandler

    log = logging.getLogger("audiosearch")
    if not any(isinstance(handler, LogHandler) for handler in log.handlers):
        log.addHandler(LogHandler())
    help_without_command(context)


for _name, _command in COMMANDS.items():
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, name=_name)
    else:
        app.command(_name, cls=COMMAND_CLASSES.get(_name))(_command)


def main() -> None:
    """Run the command line. This is the entry point of the `audiosearch` script."""
    _silence_c_libraries()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the parent process closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    # Programs read UTF-8 everywhere; a terminal gets its own encoding.
    encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
    sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()


def _silence_c_libraries() -> None:
    """Let only Python write to standard error.

    libmpg123, LiteRT and FFmpeg write to file descriptor 2 from C and have no setting against
    it. ``AUDIOSEARCH_DEBUG=1`` shows their output.
    """
    if os.environ.get("AUDIOSEARCH_DEBUG"):
        return
    try:
        stderr_copy = os.dup(2)
    except OSError:  # the parent process closed it
        return
    with open(os.devnull, "wb") as devnull:
        os.dup2(devnull.fileno(), 2)
    sys.stderr = open(stderr_copy, "w", buffering=1, encoding=sys.stderr.encoding)  # noqa: SIM115
