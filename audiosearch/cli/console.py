"""What goes to standard error: messages, warnings and progress."""

from __future__ import annotations

import contextlib
import logging
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from rich.console import Console

    from audiosearch.cli.progress import DownloadBars
    from audiosearch.errors import AudiosearchError
    from audiosearch.models.download import Progress


@cache
def stderr() -> Console:
    """Return the one console on standard error, which keeps messages and progress apart."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str, *, style: str = "", label: str = "") -> None:
    """Print a message on standard error."""
    from rich.text import Text

    stderr().print(Text.assemble((label, style), printable(message)))


def waiting(message: str) -> AbstractContextManager[object]:
    """Show that something is being done, on a terminal, for as long as the block takes."""
    return stderr().status(message)


def counted(number: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> counted(1, "track"), counted(2, "track")
    ('1 track', '2 tracks')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def say_error(message: str, hint: str) -> None:
    """Print a failure and the way out."""
    say(message, label="error: ", style="bold red")
    say(hint, label="hint: ", style="cyan")


def say_failure(error: AudiosearchError) -> None:
    """Print one of our own errors."""
    for candidate in getattr(error, "candidates", ()):
        say(candidate)
    say_error(str(error), error.hint)


def warn(message: str) -> None:
    """Print a warning."""
    say(message, label="warning: ", style="yellow")


def printable(text: str) -> str:
    r"""Spell out what a terminal could not show, or would obey.

    Examples
    --------
    >>> print(printable("a" + chr(9) + "b"))
    a\tb
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class LogHandler(logging.Handler):
    """Shows the library's warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        warn(record.getMessage())


@contextlib.contextmanager
def model_progress() -> Iterator[Progress]:
    """Give a callback that shows a download or a conversion, and clears it away at the end."""
    with contextlib.ExitStack() as open_bars:
        bars: list[DownloadBars] = []

        def progress(what: str, done: int, total: int | None) -> None:
            if not bars:
                from audiosearch.cli.progress import DownloadBars

                bars.append(open_bars.enter_context(DownloadBars(stderr())))
            bars[0].show(what, done, total)

        yield progress
