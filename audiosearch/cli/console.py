"""Messages and warnings on standard error."""

from __future__ import annotations

import logging
import sys
from functools import cache
from typing import TYPE_CHECKING

from audiosearch.cli.text import printable

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console
    from rich.live import Live

    from audiosearch.errors import AudiosearchError

#: Stream of all messages. Default: ``sys.stderr``.
messages: TextIO | None = None


@cache
def stderr() -> Console:
    """Return the shared console on standard error. It keeps messages and progress bars apart."""
    from audiosearch.cli.escaping_console import EscapingConsole

    return EscapingConsole(file=messages, stderr=True, highlight=False, soft_wrap=True)


def say(message: str, *, style: str = "", label: str = "") -> None:
    """Print a message on standard error, after an optional label in a Rich style."""
    from rich.text import Text

    stderr().print(Text.assemble((label, style), printable(message)))


def spinner(message: str) -> Live:
    """Show a spinner with a message while the block runs, on a terminal only."""
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    content = Spinner("dots", text=Text(printable(message)))
    return Live(content, console=stderr(), transient=True, redirect_stderr=False)


def confirm(question: str) -> None:
    """Ask a question, and go on if the answer is yes.

    Raises
    ------
    typer.Abort
        If it is anything else, or nobody answers.
    """
    import typer

    stderr().print(f"{printable(question)} [y/N]: ", end="", markup=False)
    answer = sys.stdin.readline()
    if not answer:  # the end of the input, without a line break
        stderr().print()
    if answer.strip().lower() not in {"y", "yes"}:
        raise typer.Abort


def ask_password(question: str) -> str:
    """Ask for a password on the terminal, which doesn't show what is typed.

    Raises
    ------
    typer.Abort
        If nobody answers.
    """
    import getpass

    import typer

    try:
        return getpass.getpass(f"{printable(question)}: ", messages)
    except EOFError as exc:
        raise typer.Abort from exc


def say_error(message: str, hint: str) -> None:
    """Print a failure and a hint on what to do next."""
    say(message, label="error: ", style="bold red")
    say_hint(hint)


def say_hint(hint: str) -> None:
    """Print what to do next."""
    say(hint, label="hint: ", style="cyan")


def say_failed(failure: str) -> None:
    """Print the failure of one file of several."""
    say(failure, label="failed: ", style="bold red")


def say_failure(error: AudiosearchError) -> None:
    """Print one of audiosearch's own errors with its hint."""
    for candidate in getattr(error, "candidates", ()):
        say(candidate)
    say_error(str(error), error.hint)


def warn(message: str) -> None:
    """Print a warning."""
    say(message, label="warning: ", style="yellow")


class LogHandler(logging.Handler):
    """Logging handler that prints the library's messages and warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        show = say if record.levelno < logging.WARNING else warn
        show(record.getMessage())
