"""Audio files that browsers can play, transcoded where necessary."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict
from functools import partial
from typing import IO, TYPE_CHECKING

from audiosearch import child_process, system
from audiosearch.audio.browser_formats import browser_media_type
from audiosearch.audio.disk import DISKS
from audiosearch.audio.transcode import FAULTY, FULL
from audiosearch.embedding.decoder_process import ENVIRONMENT
from audiosearch.errors import (
    AudioError,
    AudiosearchError,
    StorageFull,
    Unreachable,
    is_disk_full,
)
from audiosearch.web.errors import unavailable
from audiosearch.web.limits import Limits
from audiosearch.web.services.temporary_files import reopened
from audiosearch.web.services.track_files import open_track

if TYPE_CHECKING:
    from audiosearch.audio.opened_file import OpenedFile
    from audiosearch.library.index import Track

_TRANSCODED = "audio/mpeg"
_MAX_COPIES = 8
_MAX_SECONDS = 120.0  # time limit of one transcoding

_Key = tuple[str, int]  # key of the track or upload, and modification time of its file in ns


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

        Parameters
        ----------
        track : Track
        is_copy_needed : bool
            Return an mp3 copy in any case, because a browser can't play the file.

        Raises
        ------
        TrackNotFound, Unreachable
            If the track's file can't be opened: see
            `audiosearch.web.services.track_files.open_track`.
        AudioError, StorageFull, AudiosearchError, RequestError
            See `playable_file`.
        """
        file = await open_track(track)
        name = f"track #{track.id}"
        return await self.playable_file(file, name, key=name, is_copy_needed=is_copy_needed)

    async def playable_file(
        self, file: OpenedFile, name: str, *, key: str, is_copy_needed: bool = False
    ) -> tuple[OpenedFile, str]:
        """Return a playable file, given an open one, and its media type.

        Transcoding stops when all calls that wait for it are canceled.

        Parameters
        ----------
        file : OpenedFile
            It is returned or closed.
        name : str
            Its name in errors.
        key : str
            A text that no other file has.
        is_copy_needed : bool
            Return an mp3 copy in any case.

        Raises
        ------
        AudioError
            If it can't be decoded.
        StorageFull
            If there is no space for an mp3 copy.
        AudiosearchError
            If transcoding crashes or takes too long. The next request tries again.
        RequestError
            If too many copies wait to be made.
        """
        if not is_copy_needed:
            kind = await _media_type(name, file)
            if kind is not None:
                return file, kind
        return reopened(await self._copy(name, (key, file.status.st_mtime_ns), file)), _TRANSCODED

    def forget(self, key: str) -> None:
        """Forget the file with a key: delete its copy."""
        self._faulty = {faulty for faulty in self._faulty if faulty[0] != key}
        for copied in [copied for copied in self._copies if copied[0] == key]:
            self._copies.pop(copied).close()

    def close(self) -> None:
        """Stop all transcoding, and delete the copies."""
        for transcoding in self._running.values():
            transcoding.cancel()
        for copy in self._copies.values():
            copy.close()

    async def _copy(self, name: str, key: _Key, file: OpenedFile) -> IO[bytes]:
        if key not in self._running and key not in self._copies and key not in self._faulty:
            if len(self._running) >= self._limits.waiting_copies:
                file.close()
                raise unavailable("Too many files are waiting to be made playable.")
            self._running[key] = asyncio.create_task(self._transcode(name, key, file))
        else:
            file.close()
        if key in self._running:
            return await self._result(key)
        if key in self._faulty:
            raise _faulty(name)
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

    async def _transcode(self, name: str, key: _Key, file: OpenedFile) -> IO[bytes]:
        with file:
            async with self._lock:
                try:
                    copy = await _write_copy(name, file)
                except AudioError:
                    self._faulty.add(key)
                    raise
        self._copies[key] = copy
        if len(self._copies) > _MAX_COPIES:
            self._copies.popitem(last=False)[1].close()
        return copy


async def _media_type(name: str, file: OpenedFile) -> str | None:
    """Return the media type of a file that browsers play, else None. An error closes it."""
    try:
        return await DISKS.call_async(file.path, partial(browser_media_type, file.name))
    except (OSError, Unreachable) as exc:
        file.close()
        raise Unreachable(
            _capitalized(name), "its file can't be read", hint="Check its disk."
        ) from exc
    except BaseException:
        file.close()
        raise


async def _write_copy(name: str, source: OpenedFile) -> IO[bytes]:
    """Return an mp3 copy of a file. Raises like `Playback.playable_file`."""
    with contextlib.ExitStack() as unless_complete:
        try:
            copy = unless_complete.enter_context(system.temporary_file())
            status = await _transcoder_status(source, copy.fileno())
            reason = "it takes too long" if status is None else "its decoder crashed"
        except OSError as exc:
            status = FULL if is_disk_full(exc) else 1
            reason = exc.strerror or str(exc)
        _check_status(name, status, reason)
        unless_complete.pop_all()
        return copy


def _check_status(name: str, status: int | None, reason: str) -> None:
    """Raise the error of a transcoder's exit status, if it is one."""
    if status == FAULTY:
        raise _faulty(name)
    if status == FULL:
        raise StorageFull(
            f"The server has no space left for an mp3 copy of {name}.",
            hint="Free some space in its folder for temporary files, or set TMPDIR to another.",
        )
    if status != 0:
        raise AudiosearchError(
            f"Can't make an mp3 copy of {name}: {reason}.", hint="Play it again."
        )


async def _transcoder_status(source: OpenedFile, descriptor: int) -> int | None:
    """Transcode a file into an open one; return the exit status, None if it takes too long."""
    (target, _), inheritance = system.inherited(descriptor, source.fileno())
    process = await child_process.start_async(
        *("audiosearch.audio.transcode", source.name, target),
        variables=ENVIRONMENT,
        **inheritance,
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


def _faulty(name: str) -> AudioError:
    hint = "Check that it plays in a music player."
    return AudioError(_capitalized(name), "it can't be played", hint=hint)


def _capitalized(name: str) -> str:
    """Return a name as a sentence begins with it."""
    return name[0].upper() + name[1:]
