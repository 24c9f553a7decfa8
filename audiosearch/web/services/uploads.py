"""Uploaded clips that are kept for a while, so that searches with them can be repeated."""

from __future__ import annotations

import asyncio
import os
import secrets
import weakref
from collections import OrderedDict
from typing import IO, TYPE_CHECKING, BinaryIO, TypeAlias

from audiosearch.web.errors import RequestError
from audiosearch.web.services.temporary_files import copy_of, reopened
from audiosearch.web.transport.server import raised_descriptor_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audiosearch.audio.opened_file import OpenedFile
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.search.moments.clip import Clip
    from audiosearch.search.options import TimeRange
    from audiosearch.web.limits import Limits
    from audiosearch.web.services.embedding_service import EmbeddingService

#: Part of an upload, and seconds from one patch of a track to the next.
ClipKey: TypeAlias = "tuple[TimeRange | None, float]"

_ID_BYTES = 16
_DESCRIPTORS_PER_UPLOAD = 8  # of all that the process may open, so that most are left for others


class Upload:
    """An uploaded clip.

    Parameters
    ----------
    name : str
        Name of the file, without its folder.
    file : binary file
        Its content. It is closed when nothing uses the upload any more.
    embedding : Embedding
        Of the whole file.
    waveform : bytes
        See `audiosearch.audio.waveform.to_bytes`.

    Attributes
    ----------
    id : str
        128 random bits, which nobody can guess.
    clips : dict
        The clip that the last query for moments made of it, and a warning about it.
    last_use : float
        Time on the clock of the event loop.
    """

    def __init__(self, name: str, file: IO[bytes], embedding: Embedding, waveform: bytes) -> None:
        self.id = secrets.token_urlsafe(_ID_BYTES)
        self.name, self.embedding, self.waveform = name, embedding, waveform
        self.last_use = 0.0
        self._file = file
        self._file_bytes = os.fstat(file.fileno()).st_size
        self.clips: dict[ClipKey, tuple[Clip, str | None]] = {}
        weakref.finalize(self, file.close)

    @property
    def label(self) -> str:
        """Name in errors."""
        return f"the clip {self.name}".rstrip()

    @property
    def n_bytes(self) -> int:
        """Size on the disk and in memory."""
        arrays = [
            array for clip, _ in self.clips.values() for array in (clip.frames, *clip.vectors)
        ]
        return self._file_bytes + sum(array.nbytes for array in arrays)

    def open(self) -> OpenedFile:
        """Open the file, with a position of its own."""
        return reopened(self._file)


class Uploads:
    """The uploads that are kept: for an hour after their last use, and at most 200 MB in all.

    Those that haven't been used for longest are dropped first.

    Parameters
    ----------
    embedding : EmbeddingService
    limits : Limits
    on_drop : callable
        Called with each upload that is dropped.
    """

    def __init__(
        self, embedding: EmbeddingService, limits: Limits, *, on_drop: Callable[[Upload], None]
    ) -> None:
        self._embedding, self._limits, self._on_drop = embedding, limits, on_drop
        self._kept: OrderedDict[str, Upload] = OrderedDict()  # last used last
        self._most = min(limits.kept_uploads, raised_descriptor_limit() // _DESCRIPTORS_PER_UPLOAD)
        self._timer: asyncio.TimerHandle | None = None

    async def add(self, stream: BinaryIO, name: str) -> Upload:
        """Embed a file and keep it.

        Parameters
        ----------
        stream : binary file
            It has a descriptor.
        name : str

        Raises
        ------
        AudioError, RequestError, OSError
            If it can't be embedded or kept: see `EmbeddingService.embed`.
        """
        embedding, waveform = await self._embedding.embed_with_waveform(stream, name=name)
        upload = Upload(name, copy_of(stream), embedding, waveform)
        self._kept[upload.id] = upload
        self._use(upload)
        return upload

    def get(self, upload_id: str) -> Upload:
        """Return an upload, which is then kept for another hour.

        Raises
        ------
        RequestError
            If there is no such upload, or not any more.
        """
        self._drop_old()
        if upload_id not in self._kept:
            hours = self._limits.kept_seconds / 3_600
            raise RequestError(
                404,
                "The upload doesn't exist, or isn't kept any more.",
                f"Uploads are kept for {hours:g} h after their last use. Send the file again.",
            )
        self._use(self._kept[upload_id])
        return self._kept[upload_id]

    def get_all(self, upload_ids: Sequence[str]) -> list[Upload]:
        """Return different uploads in order. Raises like `get`."""
        return [self.get(upload_id) for upload_id in dict.fromkeys(upload_ids)]

    def has(self, upload: Upload) -> bool:
        """Return whether an upload is still kept."""
        return upload.id in self._kept

    def expiry(self, upload: Upload) -> float:
        """Return the time until which an upload is kept, on the clock of the event loop."""
        return upload.last_use + self._limits.kept_seconds

    def remove(self, upload_id: str) -> None:
        """Drop an upload. Raises like `get`."""
        self._drop(self.get(upload_id))

    def keep_clip(self, upload: Upload, key: ClipKey, clip: tuple[Clip, str | None]) -> None:
        """Keep the clip of a query with an upload, in place of that of an earlier query."""
        upload.clips = {key: clip}
        self._make_room()

    def _make_room(self) -> None:
        """Drop the uploads that haven't been used for longest, until the rest are small enough."""
        while self._kept and (
            len(self._kept) > self._most
            or sum(upload.n_bytes for upload in self._kept.values()) > self._limits.kept_bytes
        ):
            self._drop(next(iter(self._kept.values())))

    def close(self) -> None:
        """Drop all uploads."""
        for upload in list(self._kept.values()):
            self._drop(upload)
        if self._timer is not None:
            self._timer.cancel()

    def _use(self, upload: Upload) -> None:
        upload.last_use = asyncio.get_running_loop().time()
        self._kept.move_to_end(upload.id)
        self._make_room()
        self._drop_old()

    def _drop_old(self) -> None:
        """Drop the uploads whose time is over, and do it again when that of the next one is."""
        loop = asyncio.get_running_loop()
        while self._kept:
            oldest = next(iter(self._kept.values()))
            end = self.expiry(oldest)
            if end > loop.time():
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = loop.call_at(end, self._drop_old)
                return
            self._drop(oldest)

    def _drop(self, upload: Upload) -> None:
        del self._kept[upload.id]
        self._on_drop(upload)
