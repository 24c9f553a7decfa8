"""Audio from a pipe, such as standard input."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
from typing import TYPE_CHECKING

from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Path of standard input. The command line writes it as "-".
STDIN = "/dev/stdin"

_DESCRIPTOR = re.compile(rf"{STDIN}|/(?:dev|proc/self)/fd/([0-9]+)")


@contextlib.contextmanager
def seekable(path: str) -> Iterator[str]:
    """Yield the path of a file with the content of a path. Decoders seek, which pipes can't.

    That is the path itself, unless it stands for an open pipe, such as ``/dev/stdin``, or
    ``/dev/fd/63`` of a shell's ``<(...)``. A pipe is copied to a temporary file.

    Raises
    ------
    AudioError
        If the pipe can't be read. An AudioError of the block names the pipe.
    """
    descriptor = _DESCRIPTOR.fullmatch(path)
    if descriptor is None or _is_regular(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="audiosearch-") as folder:
        copy = os.path.join(folder, "pipe")
        _copy(int(descriptor[1] or 0), copy, path)
        try:
            yield copy
        except AudioError as exc:
            raise exc.at(path) from exc


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:  # a socket, or a descriptor that is not open
        return False


def _copy(descriptor: int, target: str, name: str) -> None:
    hint = "Pipe a file into it, for example `audiosearch query - < clip.mp3`."
    if os.isatty(descriptor):
        raise AudioError(name, "it is a terminal", hint=hint)
    try:
        with open(descriptor, "rb", closefd=False) as pipe, open(target, "wb") as copy:
            shutil.copyfileobj(pipe, copy)
    except OSError as exc:
        raise AudioError(name, f"it can't be read: {exc.strerror}", hint=hint) from exc
