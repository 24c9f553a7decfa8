"""The file that says that an index is being watched. A lock beside it ends with the process."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blake3 import blake3
from filelock import FileLock, Timeout

from audiosearch import system
from audiosearch.atomic import atomic_path
from audiosearch.errors import IndexUnwritable, LibraryError
from audiosearch.json_input import parse_json
from audiosearch.library.backend import display_location
from audiosearch.models.cache import cache_dir

if TYPE_CHECKING:
    from audiosearch.types import StrPath

_NAME = "watching.json"
_MAX_BYTES = 1 << 20
_LOCK_SECONDS = 2.0  # readers hold the lock for a moment
_READER_SECONDS = 0.02  # for another reader to let go of it


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
    """The file that says that an index is being watched, with the lock of this process.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.

    Raises
    ------
    LibraryError
        If another process watches folders for this index.
    IndexUnwritable
        If the file can't be written.
    """

    def __init__(self, location: StrPath) -> None:
        self._location = display_location(location)
        self._path = _path(location)
        self._lock = _lock(self._path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(_LOCK_SECONDS)
        except Timeout as exc:
            raise LibraryError(
                f"Another `audiosearch watch` is running for the index {self._location}.",
                hint="Stop that one, and name all folders in one command.",
            ) from exc
        except OSError as exc:
            raise self._unwritable(exc) from exc

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
        try:
            with atomic_path(self._path) as draft:
                draft.write_text(json.dumps(asdict(watching)), encoding="utf-8")
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def close(self) -> None:
        """End the lock."""
        self._lock.release()


def current_watch(location: StrPath) -> Watching | None:
    """Return the facts about the process that watches folders for an index; None if none does."""
    path = _path(location)
    if not path.exists():
        return None
    try:
        with _lock(path).acquire(_READER_SECONDS, poll_interval=_READER_SECONDS / 2):
            return None
    except Timeout:
        return _read(path)
    except OSError:
        return None


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_suffix(".lock"), thread_local=False)


def _read(path: Path) -> Watching | None:
    try:
        with open(system.open_at_once(str(path), system.NO_LINK), "rb") as file:
            content: Any = parse_json(file.read(_MAX_BYTES))
        return Watching([str(path) for path in content["folders"]], str(content["since"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _path(location: StrPath) -> Path:
    """Return the path of the file: in the index's folder, or in the cache for one elsewhere."""
    name = display_location(location)
    if os.path.isabs(name):
        return Path(name) / _NAME
    return cache_dir() / "watching" / f"{blake3(os.fsencode(name)).hexdigest(length=8)}.json"
