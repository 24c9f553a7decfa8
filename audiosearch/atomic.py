"""Atomic writing: a file appears under its name complete, or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = ".draft"
_NAME_CHARACTERS = 20  # of the file's name in the draft's; file systems limit a name to 255 bytes


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path whose file replaces ``path`` if the block succeeds.

    The content reaches the disk before the file gets its final name. If the block fails, the
    temporary file is removed.

    Yields
    ------
    Path
        Path of the draft, in the same folder.

    Raises
    ------
    OSError
        If the file can't be written, for example because the disk is full.
    """
    draft = path.with_name(f"{_prefix(path.name)}{uuid.uuid4().hex}{_SUFFIX}")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def remove_drafts(folder: Path, name: str = "*") -> None:
    """Remove drafts left behind by processes that were killed.

    Call this only when no other process can be writing.

    Parameters
    ----------
    folder : Path
    name : str
        Name of the file that the drafts belong to. Default: all files.
    """
    for draft in folder.glob(f"{_prefix(name)}*{_SUFFIX}"):
        draft.unlink(missing_ok=True)


def _prefix(name: str) -> str:
    return f".{name[:_NAME_CHARACTERS]}."
