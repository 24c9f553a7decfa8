"""Watch folders in a thread of this process, and compare the index with a new one."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from waiting import wait_for

from audiosearch import Index, add
from audiosearch.models.registry import ModelRequest
from audiosearch.watching.options import WatchOptions
from audiosearch.watching.report import Change, Note
from audiosearch.watching.watch import Watch

#: Seconds after which a changed file counts as complete, and one that may still be written.
QUIET, OPEN = 0.3, 1.5
OPTIONS = WatchOptions(
    request=ModelRequest("compact"), n_jobs=1, quiet_seconds=QUIET, open_seconds=OPEN
)


class Watched:
    """A watch that runs in a thread, and its reports so far."""

    def __init__(self, watch: Watch) -> None:
        self.reports: list[Change | Note] = []
        self.error: BaseException | None = None
        self._watch = watch
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        try:
            self.reports.extend(self._watch)
        except BaseException as exc:
            self.error = exc
            raise

    def changes(self, status: str) -> list[str]:
        """Names of the files that were reported with a status."""
        return [
            os.path.basename(report.path)
            for report in list(self.reports)
            if isinstance(report, Change) and report.status == status
        ]

    def notes(self) -> str:
        """All notes, a line each."""
        return "\n".join(r.message for r in list(self.reports) if isinstance(r, Note))

    def stop(self) -> None:
        """End the watch."""
        self._watch.stop()
        self._thread.join()


@contextlib.contextmanager
def watched(index: str | Path, *folders: Path, **options: Any) -> Iterator[Watched]:
    """Watch folders until the end of the block."""
    found = Watched(Watch(index, folders, replace(OPTIONS, **options)))
    try:
        yield found
    finally:
        found.stop()
    assert found.error is None


def complete(*files: Path) -> None:
    """Let files look as if they had been written an hour ago."""
    for path in files:
        os.utime(path, (time.time() - 3_600, time.time() - 3_600))


def content(index: str | Path) -> dict[str, tuple[Any, ...]]:
    """Hashes, tags, times and vector of each track of an index, by path."""
    if not Index.exists(index):
        return {}
    with Index(index) as opened, opened.storage.all_with_vectors() as (_, rows):
        return {track.path: (replace(track, id=0), vector.tobytes()) for track, vector in rows}


def ids(index: str | Path) -> dict[str, int]:
    """Ids of tracks by the names of their files."""
    if not Index.exists(index):
        return {}
    with Index(index) as opened:
        return {os.path.basename(track.path): track.id for track in opened}


def names(index: str | Path) -> set[str]:
    """Names of the files of all tracks."""
    return set(ids(index))


def wait_for_names(index: str | Path, *expected: str) -> None:
    """Wait until an index holds the files with these names."""
    wait_for(lambda: names(index) == set(expected))


def assert_like_new(index: str | Path, *folders: Path) -> None:
    """Check that an index equals one to which the folders have just been added."""
    new = Path(f"{folders[0]}-new-index")
    add(new, folders, model="compact", n_jobs=1)
    found, expected = content(index), content(new)
    assert found.keys() == expected.keys()
    for path, (track, vector) in expected.items():
        assert found[path][0] == track
        assert np.allclose(*map(_vector, (found[path][1], vector)), atol=1e-5)
    with Index(index) as opened, Index(new) as other:
        assert {f.path for f in opened.storage.failures()} == {
            f.path for f in other.storage.failures()
        }


def _vector(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.float32)
