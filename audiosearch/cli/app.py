"""The application: its commands, and the one place that turns errors into sentences."""

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
from audiosearch.errors import AudiosearchError


class Commands(TyperGroup):
    """Commands whose failures end in one sentence and a hint on standard error."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run the command line and exit: 1 for what a user can cause, 2 for usage."""
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
            say_error(exc.format_message(), f"`{command} --help` shows what it takes.")
            status = exc.exit_code
        except typer.Abort:  # a question was answered with no, or not at all
            say_error("Nothing was changed.", "-y answers yes beforehand.")
            status = 1
        except OSError as exc:
            if exc.errno != errno.ENOSPC:
                raise
            say_error("The output cannot be written: no space is left.", "Write it elsewhere.")
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


def _show_version(wanted: bool) -> None:
    if wanted:
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


def main() -> None:
    """Run the command line, as the entry point does."""
    _keep_stderr_for_python()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    # What a program reads is UTF-8 everywhere; a terminal gets what it understands.
    encoding = sys.stdout.encoding if sys.stdout.isatty() else "utf-8"
    sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")  # type: ignore[union-attr]
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app()


def _keep_stderr_for_python() -> None:
    """Let only Python write to standard error.

    libmpg123, LiteRT and FFmpeg write to file descriptor 2 from C, whatever they are told.
    ``AUDIOSEARCH_DEBUG=1`` lets them.
    """
    if os.environ.get("AUDIOSEARCH_DEBUG"):
        return
    try:
        ours = os.dup(2)
    except OSError:  # closed by whoever started us
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    sys.stderr = open(ours, "w", buffering=1, encoding=sys.stderr.encoding)  # noqa: SIM115


from audiosearch.cli import (  # noqa: E402
    add,
    bench,
    demo,
    doctor,
    embed,
    evaluate,
    export_import,
    maintenance,
    model,
    optimize,
    playlist,
    query,
    reembed,
    serve,
    soundmap,
    tracks,
)

_SEARCH = (add, query, playlist, soundmap, evaluate, embed, tracks)
_UPKEEP = (serve, maintenance, optimize, reembed, doctor, export_import, bench, model, demo)

for register in (*_SEARCH, *_UPKEEP):
    register.register(app)
