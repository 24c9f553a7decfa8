"""Open files for FFmpeg's libraries, through PyAV, so that they can't make it open other files."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import av

from audiosearch.audio.containers import streamed_head
from audiosearch.audio.parts import open_binary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from av.container import InputContainer

#: Allowed demuxers. Each reads only the file it is given. Playlist demuxers (concat, hls, dash,
#: sdp ...) are left out, because they open other files and addresses.
DEMUXERS = (
    *("aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf", "dts", "dtshd"),
    *("eac3", "flac", "flv", "gsm", "iff", "loas", "matroska", "mlp", "mov", "mp3", "mpc", "mpc8"),
    *("mpeg", "mpegts", "nut", "ogg", "oma", "qoa", "shn", "tak", "truehd", "tta", "voc", "w64"),
    *("wav", "webm", "wv"),
)
# Tags may have any encoding. From PyAV 19 on, this is the default.
_LENIENT_METADATA: dict[str, Any] = (
    {"metadata_errors": "ignore"} if int(av.__version__.partition(".")[0]) < 19 else {}
)


@contextlib.contextmanager
def open_container(
    path: str,
    *,
    start_byte: int = 0,
    ignores_length: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Iterator[InputContainer]:
    """Open a file for FFmpeg as a file object, with only the allowed demuxers.

    The settings are options of FFmpeg's demuxers.

    FFmpeg never gets the path: with a path it would open other files that the content names.
    """
    options = {"format_whitelist": ",".join(DEMUXERS), **(settings or {})}
    with open_binary(path) as file:
        source = _NamelessFile(file, start_byte, streamed_head(file) if ignores_length else b"")
        with av.open(source, "r", options=options, **_LENIENT_METADATA) as container:
            yield container


class _NamelessFile:
    """A file object without a name, so that FFmpeg recognizes the format by content alone.

    Parameters
    ----------
    file : binary file
    start_byte : int
        Position of the file at which this one starts.
    head : bytes
        Bytes to read in place of the first ones.
    """

    def __init__(self, file: BinaryIO, start_byte: int, head: bytes) -> None:
        self._file = file
        self._start_byte = start_byte
        self._head = head
        file.seek(start_byte)

    def read(self, n_bytes: int) -> bytes:
        """Read up to a number of bytes."""
        replaced = self._head[self.tell() :][:n_bytes]
        content = self._file.read(len(replaced) or n_bytes)
        return replaced or content

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._file.tell() - self._start_byte

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Seek; return -1, which means failure to FFmpeg, if the position is invalid."""
        try:
            start_byte = self._start_byte if whence == os.SEEK_SET else 0
            return self._file.seek(offset + start_byte, whence) - self._start_byte
        except (OSError, ValueError):
            return -1


def default_stream(container: InputContainer) -> av.AudioStream:
    """Return the audio stream that a player plays by default.

    Raises
    ------
    LookupError
        If the file has no audio stream, or FFmpeg has no decoder for it.
    """
    stream = container.streams.best("audio")
    if isinstance(stream, av.AudioStream) and stream.codec_context is not None:
        return stream
    raise LookupError("no audio stream, or no decoder for its codec")
