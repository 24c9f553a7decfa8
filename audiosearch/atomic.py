"""Atomic writing: a file appears under its name complete, or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
import uuid
from typing import TYPE_CHECKING

from audiosearch import system

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = ".draft"
_NAME_CHARACTERS = 20  # of the file's name in the draft's; file systems limit a name to 255 bytes


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path whose file replaces ``path`` if the block succeeds.

    The content reaches the disk before the file gets its final name. If the block fails, the
    temporary file is removed. If the process is killed, the next one that writes ``path`` removes
    it.

    Yields
    ------
    Path
        Path of the draft, in the same folder. It is an empty file.

    Raises
    ------
    OSError
        If the file can't be written, for example because the disk is full.
    """
    draft = path.with_name(f"{_prefix(path.name)}{uuid.uuid4().hex}{_SUFFIX}")
    try:
        with _created(draft):
            _remove_dead(path)
            yield draft
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
            system.replace(draft, path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


@contextlib.contextmanager
def _created(draft: Path) -> Iterator[None]:
    """Create a draft, and lock it until the block or the process ends."""
    if not system.HAS_LOCKS:
        draft.touch()
        yield
        return
    while True:
        with draft.open("ab") as file:
            with contextlib.suppress(OSError):  # the file system may know no locks
                system.lock(file)
            if draft.exists():  # another process may have removed it before it was locked
                yield
                return


def _remove_dead(path: Path) -> None:
    """Remove the drafts of a file that no process has locked."""
    for draft in _drafts(path.parent, path.name) if system.HAS_LOCKS else ():
        with contextlib.suppress(OSError), draft.open("rb") as file:
            system.lock(file, wait=False)
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
    for draft in _drafts(folder, name):
        draft.unlink(missing_ok=True)


def _drafts(folder: Path, name: str) -> Iterator[Path]:
    prefix = _prefix(name) if name == "*" else glob.escape(_prefix(name))
    return folder.glob(f"{prefix}*{_SUFFIX}")


def _prefix(name: str) -> str:
    return f".{name[:_NAME_CHARACTERS]}."
