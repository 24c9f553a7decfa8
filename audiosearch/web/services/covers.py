"""Cover images that any browser can show without effort."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, cast

from blake3 import blake3

from audiosearch import child_process
from audiosearch.audio.cover import MAX_BYTES, MAX_PIXELS, dimensions, read_cover
from audiosearch.audio.disk import DISKS
from audiosearch.audio.shrink import LENGTH_BYTES, MAX_SIDE
from audiosearch.errors import AudioError, Unreachable
from audiosearch.paths import is_url
from audiosearch.web.errors import unavailable
from audiosearch.web.limits import Limits
from audiosearch.web.services.track_files import open_track

if TYPE_CHECKING:
    from audiosearch.library.index import Track

_MAX_SECONDS = 10.0  # time limit for one image
_MAX_KEPT_BYTES = 32 * 2**20  # of smaller images that are kept
_MAX_UNCHANGED_BYTES = 2**20  # of an image that is sent as it is; clients may read it slowly


class Covers:
    """Cover images of tracks. Large ones are made smaller, by a process that starts when needed.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._n_waiting = 0
        self._kept: OrderedDict[bytes, bytes] = OrderedDict()  # by the hash of the original
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def cover(self, track: Track) -> bytes | None:
        """Return the cover image in a track's file; None if there is none.

        Raises
        ------
        TrackNotFound, Unreachable
            If the file can't be opened: see `audiosearch.web.services.track_files.open_track`.
        AudioError
            If the image is too large or damaged.
        RequestError
            If too many images wait to be made smaller.
        """
        if is_url(track.path):
            return None
        name = f"Track #{track.id}"
        with await open_track(track) as file:
            try:
                image = await DISKS.call_async(track.path, partial(read_cover, file))
            except AudioError as exc:
                raise exc.at(name) from None
            except OSError as exc:
                reason, hint = "its file can't be read", "Check its disk."
                raise Unreachable(name, reason, hint=hint) from exc
        if image is None:
            return None
        size = dimensions(image)
        if size is not None and size[0] * size[1] > MAX_PIXELS:
            reason = f"its cover image has {size[0]:,} x {size[1]:,} pixels"
            hint = f"Use one with less than {MAX_PIXELS // 10**6} million pixels."
            raise AudioError(name, reason, hint=hint)
        if size is not None and max(size) <= MAX_SIDE and len(image) <= _MAX_UNCHANGED_BYTES:
            return image
        if self._n_waiting >= self._limits.waiting_covers:  # each holds its image in memory
            raise unavailable("Too many cover images are waiting to be made smaller.")
        self._n_waiting += 1
        try:
            return await self._smaller(image, name)
        finally:
            self._n_waiting -= 1

    def close(self) -> None:
        """Stop the process."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):  # it has exited
                self._process.kill()
            self._process = None

    async def _smaller(self, image: bytes, name: str) -> bytes:
        key = blake3(image).digest()
        async with self._lock:
            if key not in self._kept:
                self._kept[key] = await self._shrunk(image)
                while sum(map(len, self._kept.values())) > _MAX_KEPT_BYTES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            if not self._kept[key]:
                hint = "Replace it in the tags of its file."
                raise AudioError(name, "its cover image can't be decoded", hint=hint)
            return self._kept[key]

    async def _shrunk(self, image: bytes) -> bytes:
        """Return a smaller image; empty if the image is damaged or takes too long."""
        try:
            return await asyncio.wait_for(self._answer(image), _MAX_SECONDS)
        except BaseException as exc:
            self.close()  # its next answer would be that for this image
            if not isinstance(exc, (TimeoutError, asyncio.TimeoutError, EOFError, OSError)):
                raise
            return b""

    async def _answer(self, image: bytes) -> bytes:
        if self._process is None:
            self._process = await child_process.start_async(
                "audiosearch.audio.shrink",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        streams = (self._process.stdout, self._process.stdin)
        reader, writer = cast("tuple[asyncio.StreamReader, asyncio.StreamWriter]", streams)
        writer.write(len(image).to_bytes(LENGTH_BYTES, "big") + image)
        await writer.drain()
        n_bytes = int.from_bytes(await reader.readexactly(LENGTH_BYTES), "big")
        if n_bytes > MAX_BYTES:  # an image has taken control of the process
            raise EOFError
        return await reader.readexactly(n_bytes)
