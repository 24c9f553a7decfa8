"""The standard streams of the process: who writes to them, and what happens if that fails."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import logging
import os
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from audiosearch import system
from audiosearch.errors import AudiosearchError
from audiosearch.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

#: Exit status of a program whose output is closed while it writes, as shells report it.
CLOSED_PIPE_STATUS = 141

_CAUSES = {errno.EBADF: "standard output is closed", errno.ENOSPC: "the disk is full"}


def write_error(error: OSError) -> AudiosearchError:
    """Return the error that standard output can't be written."""
    cause = _CAUSES.get(error.errno or 0, error.strerror or str(error))
    return AudiosearchError(
        f"Can't write the output: {cause}.", hint="Write it to a file on another disk, or a pipe."
    )


def open_streams() -> TextIO:
    """Prepare the standard streams of this process, and return a stream for its messages.

    Only the returned stream writes to standard error. Python's ``sys.stderr`` and file descriptor
    2 lead nowhere, because many libraries warn there and have no setting against it.
    ``AUDIOSEARCH_DEBUG=1`` shows their output.

    If standard output can't be written, that raises an error once. After that, output is discarded,
    so that Python doesn't fail again when it exits. If its reader has gone, the process exits
    quietly.
    """
    stdin, stdout, stderr = sys.stdin, sys.stdout, sys.stderr
    _fill_closed_descriptors()
    if stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for descriptor in (1, 2):
        system.use_escape_sequences(descriptor)
    # Programs read UTF-8 everywhere; a terminal gets its own encoding.
    encoding = stdout.encoding if stdout is not None and stdout.isatty() else "utf-8"
    output = _Raw(_raw(stdout), must_arrive=True)
    sys.stdout = _text_stream(output, encoding, is_line_buffered=output.isatty())
    encoding = "utf-8" if stderr is None else stderr.encoding
    raw = open(os.dup(2), "wb", buffering=0)  # noqa: SIM115  (of a console of Windows, too)
    messages = _text_stream(_Raw(raw, must_arrive=False), encoding)
    if not os.environ.get("AUDIOSEARCH_DEBUG"):
        with open(os.devnull, "wb") as devnull:
            os.dup2(devnull.fileno(), 2)
    _report_bugs_to(EscapingStream(messages))
    return messages


class EscapingStream:
    """Text stream that escapes what a terminal would act on, except line breaks and tabs.

    Parameters
    ----------
    plain : text stream
        Stream to write to. Rich writes its styles to it directly.
    """

    def __init__(self, plain: TextIO) -> None:
        self.plain = plain

    @property
    def encoding(self) -> str:
        """Encoding of the stream."""
        return self.plain.encoding

    def write(self, text: str) -> int:
        """Write a text, escaped."""
        self.plain.write(printable(text, keep="\n\t"))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self.plain.flush()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self.plain.fileno()

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self.plain.isatty()


@contextlib.contextmanager
def escaped_on_terminals() -> Iterator[None]:
    """Escape everything that the block prints on standard output, if that is a terminal."""
    plain = sys.stdout
    if plain.isatty():
        sys.stdout = EscapingStream(plain)
    try:
        yield
    finally:
        sys.stdout = plain


def _fill_closed_descriptors() -> None:
    """Keep files that are opened later from getting the numbers of closed standard streams.

    The file opened for standard output can't be written, so that output is an error as usual.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if descriptor == 2 else os.O_RDONLY)


def _raw(stdout: Any) -> io.RawIOBase:
    """Return the raw stream of standard output, also if it is closed."""
    if stdout is None:
        return io.FileIO(1, "w", closefd=False)
    raw: io.RawIOBase = getattr(stdout.buffer, "raw", stdout.buffer)  # `python -u` has no buffer
    return raw


def _text_stream(raw: _Raw, encoding: str, *, is_line_buffered: bool = True) -> TextIO:
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=is_line_buffered,
    )


def _report_bugs_to(messages: EscapingStream) -> None:
    """Print on a stream what Python prints on standard error: errors that nothing catches."""
    show = functools.partial(traceback.print_exception, file=messages)
    sys.excepthook = show
    threading.excepthook = lambda error: show(error.exc_type, error.exc_value, error.exc_traceback)
    logging.lastResort = logging.StreamHandler(messages)
    logging.lastResort.setLevel(logging.ERROR)


class _Raw(io.RawIOBase):
    """Raw stream that writes to another one until that fails, and then discards everything."""

    def __init__(self, raw: io.RawIOBase, *, must_arrive: bool) -> None:
        self._target = raw
        self._must_arrive = must_arrive
        self._is_broken = False

    def write(self, data: Any) -> int | None:
        """Write bytes, and return their number. Only the first failure is an error."""
        if not self._is_broken:
            try:
                return self._target.write(data)
            except OSError as exc:
                self._is_broken = True
                if system.is_closed_pipe(exc):
                    sys.exit(CLOSED_PIPE_STATUS)
                if self._must_arrive:
                    raise write_error(exc) from exc
        return len(data)

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._target.fileno()

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return self._target.isatty()
