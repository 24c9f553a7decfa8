"""Waveforms of tracks: stored ones, or made from the file and then stored."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from audiosearch import system
from audiosearch.audio.file_stat import size_and_mtime_of
from audiosearch.audio.waveform import to_bytes
from audiosearch.embedding.decoder_process import DecoderProcess
from audiosearch.errors import AudioError, LibraryError
from audiosearch.web.errors import unavailable
from audiosearch.web.services.track_files import open_track
from audiosearch.web.transport.clients import run_in_thread

if TYPE_CHECKING:
    from audiosearch.audio.opened_file import OpenedFile
    from audiosearch.library.index import Index, Track
    from audiosearch.web.limits import Limits
    from audiosearch.web.services.index_executor import IndexExecutor

_MAX_KEPT = 2_000  # waveforms that couldn't be stored, of 800 bytes each


class Waveforms:
    """Waveforms of tracks. One file at a time is decoded, in a process that starts when needed.

    Parameters
    ----------
    index : IndexExecutor
    limits : Limits
    """

    def __init__(self, index: IndexExecutor, limits: Limits) -> None:
        self._index, self._limits = index, limits
        self._kept: OrderedDict[tuple[int, str], bytes] = OrderedDict()  # by id and hash
        self._n_waiting = 0
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="waveforms")
        self._process: DecoderProcess | None = None

    async def waveform(self, track: Track) -> bytes:
        """Return the waveform of a track: see `audiosearch.audio.waveform.to_bytes`.

        Canceling stops the decoder.

        Raises
        ------
        TrackNotFound, Unreachable
            If the file can't be opened: see `audiosearch.web.services.track_files.open_track`.
        AudioError
            If it can't be decoded, or that takes too long.
        RequestError
            If too many files wait to be decoded.
        """
        if known := await self._known(track):
            return known
        if self._n_waiting >= self._limits.waiting_waveforms:
            raise unavailable("Too many waveforms are waiting to be made.")
        self._n_waiting += 1
        try:
            async with self._lock:
                if known := await self._known(track):  # another request has made it meanwhile
                    return known
                with await open_track(track) as file:
                    content = await self._decoded(track, file)
                    is_unchanged = size_and_mtime_of(file.status) == (track.size, track.mtime_ns)
        finally:
            self._n_waiting -= 1
        if is_unchanged:  # else it is that of another sound
            await self._store(track, content)
        return content

    def close(self) -> None:
        """Stop the process."""
        if self._process is not None:
            self._process.close()
        self._thread.shutdown(cancel_futures=True)

    async def _known(self, track: Track) -> bytes | None:
        kept = self._kept.get((track.id, track.content_hash))
        stored = await self._index.run(lambda index: index.waveforms([track]))
        return kept or stored.get(track.id)

    async def _store(self, track: Track, content: bytes) -> None:
        """Store a waveform in the index; keep it in memory if that isn't possible."""

        def store(index: Index) -> bool:
            index.put_waveforms([(track, content)])
            return bool(index.waveforms([track]))

        try:
            is_stored = await self._index.run_writing(store)
        except LibraryError:  # the index can't be written
            is_stored = False
        if not is_stored:
            self._kept[track.id, track.content_hash] = content
            if len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)

    async def _decoded(self, track: Track, file: OpenedFile) -> bytes:
        if self._process is None:
            loop = asyncio.get_running_loop()
            self._process = await loop.run_in_executor(self._thread, DecoderProcess)
        source = file.fileno() if system.HAS_DESCRIPTOR_PATHS else file.name
        read = partial(self._process.peaks, source, max_seconds=self._limits.embedding_seconds)
        try:
            peaks = await run_in_thread(self._thread, read, cancel=self._kill)
        except AudioError as exc:
            raise exc.at(f"Track #{track.id}") from exc
        return to_bytes(peaks.values)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
