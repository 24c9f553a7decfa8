"""Temporary files that are gone when the server ends, even if it is killed."""

from __future__ import annotations

import os
import shutil
from typing import IO, BinaryIO

from audiosearch import system
from audiosearch.audio.opened_file import OpenedFile, open_regular


def copy_of(stream: BinaryIO) -> IO[bytes]:
    """Return a temporary file with the content of a stream, which may be closed afterwards.

    On Linux it is the stream's own file, of which nothing is copied.
    """
    stream.flush()
    if system.HAS_DESCRIPTOR_PATHS:
        return os.fdopen(os.dup(stream.fileno()), "rb", buffering=0)
    file = system.temporary_file()
    stream.seek(0)
    shutil.copyfileobj(stream, file)
    return file


def reopened(file: IO[bytes]) -> OpenedFile:
    """Open a temporary file again, with a position of its own."""
    name = system.descriptor_path(file.fileno()) if system.HAS_DESCRIPTOR_PATHS else file.name
    return open_regular(name)
