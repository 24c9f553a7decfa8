"""Files that appear whole under their name, or not at all."""

from __future__ import annotations

import contextlib
import os
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = ".draft"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a path beside ``path`` whose file takes its place when the block succeeds.

    The file reaches the disk before it gets its name. Drafts of blocks that fail are removed.

    Raises
    ------
    OSError
        Where it cannot be written: no space, no right.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_SUFFIX}")
    try:
        yield draft
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def remove_drafts(folder: Path, name: str = "*") -> None:
    """Remove what processes that were killed have left; for when no other can be writing.

    Parameters
    ----------
    folder : Path
    name : str
        Whose drafts: a file's name, or all.
    """
    for draft in folder.glob(f".{name}.*{_SUFFIX}"):
        draft.unlink(missing_ok=True)
