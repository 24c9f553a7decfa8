"""Files of tracks, opened and sent without a second look at their paths."""

from __future__ import annotations

from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from audiosearch import system
from audiosearch.audio.disk import DISKS
from audiosearch.audio.opened_file import OpenedFile, open_regular
from audiosearch.errors import AudioError, TrackNotFound, Unreachable
from audiosearch.paths import is_url
from audiosearch.times import position
from audiosearch.web.errors import RequestError
from audiosearch.web.transport.ranges import requested_part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.datastructures import Headers
    from starlette.types import Receive, Scope, Send

    from audiosearch.library.index import Track

_CHUNK_BYTES = 1 << 18


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
        whole = f"{track.id}@0:00.0-{position(track.seconds)}"
        raise TrackNotFound(
            f"Track #{track.id} is stored under a URL, and the server opens only files of its own "
            "machine.",
            hint=f"On that machine, `audiosearch cut {whole} -o .` with the server's index fetches "
            "a copy to play or add.",
        )
    opening = partial(open_regular, track.path, real_path=track.real_path)
    try:
        return await DISKS.call_async(track.path, opening)
    except Unreachable as exc:
        raise exc.at(f"The file of track #{track.id}") from None
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
    """Sends an open file, or the part of it that a request's Range header asks for.

    The file is closed afterwards, and if there is an error. If it has become shorter meanwhile, or
    its disk doesn't answer, the connection is closed before the announced end.

    Parameters
    ----------
    file : OpenedFile
    media_type : str
    request_headers : Headers

    Raises
    ------
    RequestError
        If the part is outside the file.
    """

    def __init__(self, file: OpenedFile, media_type: str, request_headers: Headers) -> None:
        self._file = file
        status = file.status
        headers = {
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-cache",
            "Last-Modified": formatdate(status.st_mtime, usegmt=True),
            "ETag": f'"{status.st_mtime_ns:x}-{status.st_size:x}"',
        }
        part = None
        if request_headers.get("if-range") in (None, headers["ETag"], headers["Last-Modified"]):
            try:
                part = requested_part(request_headers.get("range", ""), status.st_size)
            except RequestError:
                file.close()
                raise
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{status.st_size}"
        sent = range(status.st_size) if part is None else part
        headers["Content-Length"] = str(len(sent))
        status_code = 200 if part is None else 206
        super().__init__(self._content(sent), status_code, headers, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        with self._file:
            await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send the headers and the content; send no end if the content ends too early."""
        try:
            await super().stream_response(send)
        except EOFError:
            return

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
            reading = partial(system.read_at, self._file.fileno(), n_bytes, position)
            try:
                chunk = await DISKS.call_async(self._file.path, reading)
            except (OSError, Unreachable) as exc:
                raise EOFError from exc
            if not chunk:
                raise EOFError
            position += len(chunk)
            yield chunk
