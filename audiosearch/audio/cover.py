"""Cover images in the tags of audio files."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from tinytag import TinyTag

from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from audiosearch.audio.opened_file import OpenedFile

#: Largest cover image that is read, in bytes.
MAX_BYTES: Final = 10 * 10**6
#: Pixels of the largest cover image that is decoded.
MAX_PIXELS: Final = 50 * 10**6
_MAX_READ_BYTES = 2 * MAX_BYTES  # in base64 it is larger, and there are other tags

#: Media type of an image by its first bytes.
_MEDIA_TYPES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
# Segments of a JPEG with its size: SOF0 to SOF15, without DHT, JPG and DAC.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_cover(file: OpenedFile) -> bytes | None:
    """Return the cover image in a file's tags.

    Returns
    -------
    bytes or None
        A JPEG, PNG, GIF or WebP image by its first bytes; None if there is none.

    Raises
    ------
    AudioError
        If it is larger than `MAX_BYTES`.
    OSError
        If the file can't be read.
    """
    with open(file.fileno(), "rb", closefd=False) as content:
        bounded = _BoundedFile(content)
        try:
            image = _image_of(_parsed(bounded, file.path))
        except Exception:  # noqa: BLE001  (tinytag raises any exception on damaged headers)
            if not bounded.is_exceeded:
                return None
            raise _too_large(file.path) from None
    if image is not None and len(image) > MAX_BYTES:
        raise _too_large(file.path)
    return image


def parse_tags(file: BinaryIO, name: str) -> tuple[TinyTag, bool]:
    """Return a file's tags, and whether there is a cover image in them that can be shown.

    Parameters
    ----------
    file : binary file
        At its start.
    name : str
        Name of the file, of which the suffix tells the format.

    Raises
    ------
    Exception
        Any, if tinytag doesn't support the format or the file is damaged.
    """
    try:
        tags = _parsed(_BoundedFile(file), name)
    except Exception:  # noqa: BLE001  (the image is damaged or too large, or so are all tags)
        file.seek(0)
        return TinyTag.get(name, file_obj=file, duration=False), False
    image = _image_of(tags)
    size = image and dimensions(image)
    is_small = not size or size[0] * size[1] <= MAX_PIXELS
    return tags, image is not None and len(image) <= MAX_BYTES and is_small


def _parsed(file: _BoundedFile, name: str) -> TinyTag:
    return TinyTag.get(name, file_obj=cast("BinaryIO", file), duration=False, image=True)


def _image_of(tags: TinyTag) -> bytes | None:
    picture = tags.images.any
    return None if picture is None or media_type(picture.data) is None else picture.data


def media_type(image: bytes) -> str | None:
    """Return the media type of an image; None if browsers can't show it."""
    return next((name for start, name in _MEDIA_TYPES.items() if image.startswith(start)), None)


def dimensions(image: bytes) -> tuple[int, int] | None:
    """Return the width and height that a PNG or JPEG declares; None if they are not found.

    Examples
    --------
    >>> dimensions(bytes.fromhex("89504e470d0a1a0a0000000d4948445200000003000000020802000000"))
    (3, 2)
    """
    try:
        if media_type(image) == "image/png" and image[12:16] == b"IHDR":
            return cast("tuple[int, int]", struct.unpack_from(">II", image, 16))
        position = 2
        while media_type(image) == "image/jpeg" and image[position] == 0xFF:
            kind, n_bytes = struct.unpack_from(">xBH", image, position)
            if kind in _START_OF_FRAME:
                height, width = struct.unpack_from(">HH", image, position + 5)
                return width, height
            position += 2 + n_bytes
    except (IndexError, struct.error):
        pass
    return None


class _BoundedFile:
    """A file of which only `_MAX_READ_BYTES` can be read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._n_left = _MAX_READ_BYTES
        self.is_exceeded = False

    def read(self, n_bytes: int = -1) -> bytes:
        """Read up to a number of bytes.

        Raises
        ------
        ValueError
            If that is too much.
        """
        most = self._n_left + 1
        content = self._file.read(min(n_bytes, most) if n_bytes >= 0 else most)
        self._n_left -= len(content)
        if self._n_left < 0:
            self.is_exceeded = True
            message = "the tags are too large"
            raise ValueError(message)
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _too_large(path: str) -> AudioError:
    return AudioError(
        path,
        f"its cover image is larger than {MAX_BYTES // 10**6} MB",
        hint="Put a smaller one into the tags of the file.",
    )
