"""Ctrl-C: the process exits with status 130, without a traceback, at any instant.

This module imports almost nothing, so that it can be used before anything else is imported.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys

TYPE_CHECKING = False  # as in typing, whose import takes longer than this module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

#: Exit status after Ctrl-C, as shells report it.
STATUS = 130

_interrupts: list[int] = []  # the signal, once it has been received
_statuses: list[int] = []  # the exit status, once it is known


def exit_at_once() -> None:
    """Let Ctrl-C end the process immediately. Use this while there is nothing to undo."""
    _handle_with(_exit)


def run(program: Callable[[], int]) -> NoReturn:
    """Run a program, and exit with its status.

    Ctrl-C raises a KeyboardInterrupt in the program, so that it can undo what it has begun. A
    second Ctrl-C ends the process immediately. Libraries may catch a KeyboardInterrupt, or replace
    it with an error of their own. The status is 130 even then.
    """
    atexit.register(_skip_teardown)
    sys.unraisablehook = _exit_if_interrupted
    try:
        try:
            _handle_with(_raise_once)
            status = program()
        finally:
            exit_at_once()
    except BaseException as exc:
        if not (_interrupts or isinstance(exc, KeyboardInterrupt)):
            raise
        status = STATUS
    _statuses.append(STATUS if _interrupts else status)
    sys.exit(_statuses[0])


def is_interrupted() -> bool:
    """Return whether Ctrl-C has been pressed while `run` ran a program."""
    return bool(_interrupts)


def _handle_with(handler: Callable[..., None]) -> None:
    if (
        signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    ):  # shells let background jobs ignore it
        signal.signal(signal.SIGINT, handler)


def _exit(*_: object) -> None:
    os._exit(STATUS)


def _skip_teardown() -> None:
    """End the process before Python takes its modules apart.

    That takes a tenth of a second, in which Ctrl-C has its default effect.
    """
    if _statuses:
        sys.stdout.flush()
        os._exit(_statuses[0])


def _raise_once(number: int, _: object) -> None:
    _interrupts.append(number)
    exit_at_once()
    raise KeyboardInterrupt


def _exit_if_interrupted(unraisable: Any) -> None:
    """Exit if a destructor or callback lost a KeyboardInterrupt; otherwise report as usual."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _exit()
    sys.__unraisablehook__(unraisable)
