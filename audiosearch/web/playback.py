"""Audio files that browsers can play, transcoded where necessary."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch import child_process
from audiosearch.errors import AudioError, AudiosearchError, StorageFull, TrackNotFound
from audiosearch.paths import is_url
from audiosearch.web.transcode import FAULTY, FULL

if TYPE_CHECKING:
    from audiosearch.library.index import Track

#: Media types of the codecs that browsers play without transcoding.
PLAYABLE = {
    "mp3": "audio/mpeg",
    "flac": "audio/flac",
    "vorbis": "audio/ogg",
    "opus": "audio/ogg",
    "wav": "audio/wav",
    "aac": "audio/mp4",
}
_CONTAINERS = {".mp3", ".flac", ".ogg", ".oga", ".opus", ".wav", ".m4a", ".mp4"}
_TRANSCODED = "audio/mpeg"
_MAX_COPIES = 8
_MAX_SECONDS = 120.0  # time limit of one transcoding

_Key = tuple[int, int]  # track id, and modification time of its file in ns


class Playback:
    """Files of tracks, or mp3 copies of those that browsers can't play.

    Parameters
    ----------
    folder : Path
        Folder for the copies. The last eight are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies: OrderedDict[_Key, Path] = OrderedDict()
        self._faulty: set[_Key] = set()
        self._running: dict[_Key, asyncio.Task[Path]] = {}
        # One at a time: several would only compete for the cores.
        self._lock = asyncio.Lock()

    async def playable(self, track: Track) -> tuple[Path, str]:
        """Return a playable file of a track, and its media type.

        Raises
        ------
        TrackNotFound
            If the track's file is missing or behind a URL.
        AudioError
            If it can't be decoded.
        StorageFull
            If there is no space for an mp3 copy.
        AudiosearchError
            If transcoding crashes or takes too long. The next request tries again.
        """
        if is_url(track.path):
            raise TrackNotFound(
                f"Track #{track.id} is stored under a URL, which the server doesn't play.",
                hint="Open the URL itself.",
            )
        path = Path(track.path)
        if not os.path.isfile(path):
            raise TrackNotFound(
                f"The file of track #{track.id} is missing.",
                hint="`audiosearch relocate` follows moved folders, `prune` removes such tracks.",
            )
        if track.format in PLAYABLE and path.suffix.lower() in _CONTAINERS:
            return path, PLAYABLE[track.format]
        return await self._copy(track, path), _TRANSCODED

    def close(self) -> None:
        """Stop all transcoding."""
        for transcoding in self._running.values():
            transcoding.cancel()

    async def _copy(self, track: Track, path: Path) -> Path:
        key = (track.id, path.stat().st_mtime_ns)
        if key in self._faulty:
            raise _faulty(track)
        if key in self._copies:
            self._copies.move_to_end(key)
            return self._copies[key]
        if key not in self._running:  # else it is shared, and so is its failure
            self._running[key] = asyncio.create_task(self._transcode(key, track, path))
            self._running[key].add_done_callback(lambda done: self._end(key, done))
        return await asyncio.shield(self._running[key])  # other requests may wait for it too

    def _end(self, key: _Key, transcoding: asyncio.Task[Path]) -> None:
        del self._running[key]
        if not transcoding.cancelled():
            transcoding.exception()  # so that it is known, even if every client has left

    async def _transcode(self, key: _Key, track: Track, path: Path) -> Path:
        target = self._folder / f"{key[0]}-{key[1]}.mp3"
        async with self._lock:
            try:
                await _write_copy(track, path, target)
            except BaseException as exc:
                if isinstance(exc, AudioError):
                    self._faulty.add(key)
                target.unlink(missing_ok=True)
                raise
        self._copies[key] = target
        if len(self._copies) > _MAX_COPIES:
            self._copies.popitem(last=False)[1].unlink(missing_ok=True)
        return target


async def _write_copy(track: Track, path: Path, target: Path) -> None:
    """Transcode a file. Raises like `Playback.playable`."""
    try:
        with target.open("wb") as file:
            status = await _transcoder_status(path, file.fileno())
        reason = "it takes too long" if status is None else "its decoder crashed"
    except OSError as exc:
        status = FULL if exc.errno in (errno.ENOSPC, errno.EDQUOT) else 1
        reason = exc.strerror or str(exc)
    if status == FAULTY:
        raise _faulty(track)
    if status == FULL:
        raise StorageFull(
            f"The server has no space left for an mp3 copy of track #{track.id}.",
            hint="Free some space in its folder for temporary files, or set TMPDIR to another.",
        )
    if status != 0:
        raise AudiosearchError(
            f"Can't make an mp3 copy of track #{track.id}: {reason}.", hint="Play it again."
        )


async def _transcoder_status(path: Path, descriptor: int) -> int | None:
    """Transcode a file into an open one; return the exit status, None if it takes too long."""
    process = await child_process.start_async(
        *("audiosearch.web.transcode", os.path.abspath(path), str(descriptor)),
        pass_fds=[descriptor],
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        return await asyncio.wait_for(process.wait(), _MAX_SECONDS)
    except (TimeoutError, asyncio.TimeoutError):
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has exited
            process.kill()


def _faulty(track: Track) -> AudioError:
    hint = "`audiosearch doctor` shows details."
    return AudioError(f"track #{track.id}", "it can't be played", hint=hint)
