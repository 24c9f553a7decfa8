"""Files of tracks, opened and sent without a second look at their paths."""

from __future__ import annotations

import os
import re
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import StreamingResponse

from audiosearch.audio.disk import DISKS
from audiosearch.audio.opened_file import OpenedFile, open_regular
from audiosearch.errors import AudioError, TrackNotFound, Unreachable
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from audiosearch.library.index import Track

_CHUNK_BYTES = 1 << 18
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


async def open_track(track: Track) -> OpenedFile:
    """Open the file of a track.

    Raises
    ------
    TrackNotFound
        If the track's file is missing, was replaced by something else, or is behind a URL.
    Unreachable
        If its disk doesn't answer.
    """
    if is_url(track.path):
        raise TrackNotFound(
            f"Track #{track.id} is stored under a URL, which the server doesn't open.",
            hint="Open the URL itself.",
        )
    opening = partial(open_regular, track.path, real_path=track.real_path)
    try:
        return await DISKS.call_async(track.path, opening)
    except Unreachable as exc:
        raise exc.at(f"the file of track #{track.id}") from None
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise TrackNotFound(
            f"The file of track #{track.id} is missing.",
            hint="`audiosearch relocate` follows moved folders, `prune` removes such tracks.",
        ) from exc
    except AudioError as exc:
        raise TrackNotFound(
            f"The file of track #{track.id} was replaced: {exc.reason}.",
            hint="If this is right, run `audiosearch add` on its folder again.",
        ) from exc
    except OSError as exc:
        raise TrackNotFound(
            f"The file of track #{track.id} can't be opened.", hint="Check its read permission."
        ) from exc


class TrackFileResponse(StreamingResponse):
    """Sends an open file, or the part of it that the request's Range header asks for.

    The file is closed afterwards. If it has become shorter meanwhile, or its disk doesn't answer,
    the connection is closed before the announced end.

    Parameters
    ----------
    file : OpenedFile
    media_type : str
    """

    def __init__(self, file: OpenedFile, media_type: str) -> None:
        self._file = file
        status = file.status
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-cache",
            "Last-Modified": formatdate(status.st_mtime, usegmt=True),
            "ETag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"',
        }
        super().__init__((), headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        with self._file:
            part = self._requested(Headers(scope=scope))
            self.headers["Content-Length"] = str(len(part))
            self.body_iterator = self._content(part)
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send the headers and the content; send no end if the content ends too early."""
        try:
            await super().stream_response(send)
        except EOFError:
            return

    def _requested(self, headers: Headers) -> range:
        """Return the positions of the bytes to send, and set the status for them.

        The Range header is a valid single range, or missing.
        """
        size = self._file.status.st_size
        match = _RANGE.fullmatch(headers.get("range", ""))
        validators = (None, self.headers["etag"], self.headers["last-modified"])
        if match is None or headers.get("if-range") not in validators:
            return range(size)
        first, last = match.groups()
        if first:
            part = range(int(first), min(int(last) + 1, size) if last else size)
        else:
            part = range(max(0, size - int(last)), size)
        self.status_code = 206 if part else 416
        positions = f"{part.start}-{part.stop - 1}" if part else "*"
        self.headers["Content-Range"] = f"bytes {positions}/{size}"
        return part

    async def _content(self, part: range) -> AsyncIterator[bytes]:
        """Yield the bytes at some positions.

        Raises
        ------
        EOFError
            If they are not all there, or can't be read.
        """
        position = part.start
        while position < part.stop:
            n_bytes = min(_CHUNK_BYTES, part.stop - position)
            reading = partial(_read, self._file, n_bytes, position)
            try:
                chunk = await DISKS.call_async(self._file.path, reading)
            except (OSError, Unreachable) as exc:
                raise EOFError from exc
            if not chunk:
                raise EOFError
            position += len(chunk)
            yield chunk


def _read(file: OpenedFile, n_bytes: int, position: int) -> bytes:
    return os.pread(file.fileno(), n_bytes, position)
