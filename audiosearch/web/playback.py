"""Audio files that browsers can play, transcoded where necessary."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections import Counter, OrderedDict
from typing import IO, TYPE_CHECKING

from audiosearch import child_process
from audiosearch.audio.opened_file import DESCRIPTORS, open_regular
from audiosearch.audio.transcode import FAULTY, FULL
from audiosearch.embedding.decoder_process import ENVIRONMENT
from audiosearch.errors import AudioError, AudiosearchError, StorageFull, is_disk_full
from audiosearch.web.errors import unavailable
from audiosearch.web.limits import Limits
from audiosearch.web.track_files import open_track

if TYPE_CHECKING:
    from audiosearch.audio.opened_file import OpenedFile
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

    The last eight copies are kept. They have no name on Linux, so that none is left when the server
    ends, even if it is killed.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._copies: OrderedDict[_Key, IO[bytes]] = OrderedDict()
        self._faulty: set[_Key] = set()
        self._running: dict[_Key, asyncio.Task[IO[bytes]]] = {}
        self._n_clients: Counter[_Key] = Counter()  # that wait for a running one
        # One at a time: several would only compete for the cores.
        self._lock = asyncio.Lock()

    async def playable(
        self, track: Track, *, is_copy_needed: bool = False
    ) -> tuple[OpenedFile, str]:
        """Return a playable file of a track, and its media type.

        Transcoding stops when all calls that wait for it are canceled.

        Parameters
        ----------
        track : Track
        is_copy_needed : bool
            Return an mp3 copy in any case, because a browser can't play the file.

        Raises
        ------
        TrackNotFound, Unreachable
            If the track's file can't be opened: see `audiosearch.web.track_files.open_track`.
        AudioError
            If it can't be decoded.
        StorageFull
            If there is no space for an mp3 copy.
        AudiosearchError
            If transcoding crashes or takes too long. The next request tries again.
        RequestError
            If too many copies wait to be made.
        """
        file = await open_track(track)
        is_container = os.path.splitext(track.path)[1].lower() in _CONTAINERS
        if track.format in PLAYABLE and is_container and not is_copy_needed:
            return file, PLAYABLE[track.format]
        return _reopened(await self._copy(track, file)), _TRANSCODED

    def close(self) -> None:
        """Stop all transcoding, and delete the copies."""
        for transcoding in self._running.values():
            transcoding.cancel()
        for copy in self._copies.values():
            copy.close()

    async def _copy(self, track: Track, file: OpenedFile) -> IO[bytes]:
        key = (track.id, file.status.st_mtime_ns)
        if key not in self._running and key not in self._copies and key not in self._faulty:
            if len(self._running) >= self._limits.waiting_copies:
                file.close()
                raise unavailable("Too many files are waiting to be made playable.")
            self._running[key] = asyncio.create_task(self._transcode(key, track, file))
        else:
            file.close()
        if key in self._running:
            return await self._result(key)
        if key in self._faulty:
            raise _faulty(track)
        self._copies.move_to_end(key)
        return self._copies[key]

    async def _result(self, key: _Key) -> IO[bytes]:
        """Wait for a running transcoding. Other requests may share it, and its failure."""
        transcoding = self._running[key]
        self._n_clients[key] += 1
        try:
            return await asyncio.shield(transcoding)
        finally:
            self._n_clients[key] -= 1
            if not self._n_clients[key]:
                transcoding.cancel()  # no effect on one that has ended
                del self._running[key], self._n_clients[key]

    async def _transcode(self, key: _Key, track: Track, file: OpenedFile) -> IO[bytes]:
        with file:
            async with self._lock:
                try:
                    copy = await _write_copy(track, file)
                except AudioError:
                    self._faulty.add(key)
                    raise
        self._copies[key] = copy
        if len(self._copies) > _MAX_COPIES:
            self._copies.popitem(last=False)[1].close()
        return copy


def _reopened(copy: IO[bytes]) -> OpenedFile:
    """Open a temporary file again, with a position of its own."""
    name = f"{DESCRIPTORS}/{copy.fileno()}" if os.path.isdir(DESCRIPTORS) else copy.name
    return open_regular(name)


def _temporary_file() -> IO[bytes]:
    """Return a file that is deleted when it is closed, without a name if it can be reopened so."""
    if os.path.isdir(DESCRIPTORS):
        return tempfile.TemporaryFile(prefix="audiosearch-", buffering=0)
    return tempfile.NamedTemporaryFile(prefix="audiosearch-", suffix=".mp3", buffering=0)


async def _write_copy(track: Track, source: OpenedFile) -> IO[bytes]:
    """Return an mp3 copy of a file. Raises like `Playback.playable`."""
    with contextlib.ExitStack() as unless_complete:
        try:
            copy = unless_complete.enter_context(_temporary_file())
            status = await _transcoder_status(source, copy.fileno())
            reason = "it takes too long" if status is None else "its decoder crashed"
        except OSError as exc:
            status = FULL if is_disk_full(exc) else 1
            reason = exc.strerror or str(exc)
        _check_status(track, status, reason)
        unless_complete.pop_all()
        return copy


def _check_status(track: Track, status: int | None, reason: str) -> None:
    """Raise the error of a transcoder's exit status, if it is one."""
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


async def _transcoder_status(source: OpenedFile, descriptor: int) -> int | None:
    """Transcode a file into an open one; return the exit status, None if it takes too long."""
    process = await child_process.start_async(
        *("audiosearch.audio.transcode", source.name, str(descriptor)),
        variables=ENVIRONMENT,
        pass_fds=[source.fileno(), descriptor],
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
        await process.wait()


def _faulty(track: Track) -> AudioError:
    hint = "`audiosearch doctor` shows details."
    return AudioError(f"track #{track.id}", "it can't be played", hint=hint)
