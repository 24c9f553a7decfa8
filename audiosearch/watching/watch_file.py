"""The file that says that an index is being watched. A lock on it ends with the process."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from audiosearch.errors import IndexUnwritable, LibraryError
from audiosearch.json_input import parse_json
from audiosearch.library.backend import display_location
from audiosearch.models.cache import cache_dir

try:
    import fcntl
except ModuleNotFoundError:  # on Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import StrPath

_NAME = "watching.json"
_MAX_BYTES = 1 << 20
_LOCK_SECONDS = 2.0  # readers lock the file for a moment


@dataclass(frozen=True, slots=True)
class Watching:
    """Facts about a watch.

    Attributes
    ----------
    folders : list of str
        Absolute paths of the watched folders.
    since : str
        Time when it started, in UTC, such as "2026-05-17T20:15:00Z".
    """

    folders: list[str]
    since: str


class WatchFile:
    """The file that says that an index is being watched, locked by this process.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.

    Raises
    ------
    LibraryError
        If another process watches folders for this index, or the system is Windows.
    IndexUnwritable
        If the file can't be written.
    """

    def __init__(self, location: StrPath) -> None:
        if fcntl is None:
            raise LibraryError(
                "Folders can't be watched on Windows.", hint="Run `audiosearch add` regularly."
            )
        self._location = display_location(location)
        path = _path(location)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as exc:
            raise self._unwritable(exc) from exc
        try:
            self._lock()
        except BaseException:
            self.close()
            raise

    def _lock(self) -> None:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                if time.monotonic() > deadline:
                    raise LibraryError(
                        f"Another `audiosearch watch` is running for the index {self._location}.",
                        hint="Stop that one, and name all folders in one command.",
                    ) from exc
                time.sleep(0.05)
            except OSError as exc:
                raise self._unwritable(exc) from exc
            else:
                return

    def _unwritable(self, error: OSError) -> IndexUnwritable:
        return IndexUnwritable(
            f"Can't write that the index {self._location} is being watched: {error.strerror}.",
            hint="Check that you may write to its folder, and that its disk is not full.",
        )

    def write(self, watching: Watching) -> None:
        """Replace the content.

        Raises
        ------
        IndexUnwritable
            If it can't be written.
        """
        content = json.dumps(asdict(watching)).encode()
        try:
            os.ftruncate(self._descriptor, os.pwrite(self._descriptor, content, 0))
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def close(self) -> None:
        """End the lock."""
        os.close(self._descriptor)


def current_watch(location: StrPath) -> Watching | None:
    """Return the facts about the process that watches folders for an index; None if none does."""
    if fcntl is None:
        return None
    with contextlib.suppress(OSError), _opened(_path(location)) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(descriptor)
    return None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> Watching | None:
    try:
        content: Any = parse_json(os.pread(descriptor, _MAX_BYTES, 0))
        return Watching([str(path) for path in content["folders"]], str(content["since"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _path(location: StrPath) -> Path:
    """Return the path of the file: in the index's folder, or in the cache for one elsewhere."""
    name = display_location(location)
    if os.path.isabs(name):
        return Path(name) / _NAME
    return cache_dir() / "watching" / f"{blake3(os.fsencode(name)).hexdigest(length=8)}.json"
