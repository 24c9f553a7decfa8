"""Temporary files that are gone when the server ends, even if it is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import IO, BinaryIO

from audiosearch.audio.opened_file import DESCRIPTORS, OpenedFile, open_regular


def temporary_file() -> IO[bytes]:
    """Return a file that is deleted when it is closed. On Linux it has no name."""
    if os.path.isdir(DESCRIPTORS):
        return tempfile.TemporaryFile(prefix="audiosearch-", buffering=0)
    return tempfile.NamedTemporaryFile(prefix="audiosearch-", buffering=0)


def copy_of(stream: BinaryIO) -> IO[bytes]:
    """Return a temporary file with the content of a stream, which may be closed afterwards.

    On Linux it is the stream's own file, of which nothing is copied.
    """
    stream.flush()
    if os.path.isdir(DESCRIPTORS):
        return os.fdopen(os.dup(stream.fileno()), "rb", buffering=0)
    file = temporary_file()
    stream.seek(0)
    shutil.copyfileobj(stream, file)
    return file


def reopened(file: IO[bytes]) -> OpenedFile:
    """Open a temporary file again, with a position of its own."""
    name = f"{DESCRIPTORS}/{file.fileno()}" if os.path.isdir(DESCRIPTORS) else file.name
    return open_regular(name)
