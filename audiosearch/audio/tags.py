"""Tags and cover images of audio files."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinytag import TinyTag, TinyTagException


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags of a file. A missing tag is None."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genre: str | None = None
    year: int | None = None
    track_number: int | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover image in a format that every browser shows.

    Attributes
    ----------
    data : bytes
    media_type : {"image/jpeg", "image/png", "image/gif"}
    """

    data: bytes
    media_type: str


#: Media type of an image by its first bytes.
_MEDIA_TYPES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"GIF8": "image/gif"}


def read_cover(path: str) -> Cover | None:
    """Return the cover image in a file's tags; None if there is no image or no file."""
    try:
        picture = TinyTag.get(path, tags=True, duration=False, image=True).images.any
    except Exception:  # noqa: BLE001  (tinytag raises any exception on damaged headers)
        return None
    data = picture.data if picture else b""
    media_types = [name for start, name in _MEDIA_TYPES.items() if data.startswith(start)]
    return Cover(data, media_types[0]) if media_types else None


def read_tags(path: str) -> Tags:
    """Read a file's tags with tinytag, or with FFmpeg for formats that tinytag doesn't support.

    Unreadable tags count as missing, without an error.

    Raises
    ------
    OSError
        If the file can't be opened.
    """
    with open(path, "rb"):
        pass
    try:
        tag = TinyTag.get(path, duration=False)
    except (TinyTagException, OSError):
        return _read_with_ffmpeg(path)
    except Exception:  # noqa: BLE001  (tinytag raises any exception on damaged headers)
        return Tags()
    return Tags(
        title=_text(tag.title),
        artist=_text(tag.artist),
        album=_text(tag.album),
        album_artist=_text(tag.albumartist),
        genre=_text(tag.genre),
        year=_number(tag.year),
        track_number=_number(tag.track),
    )


def _read_with_ffmpeg(path: str) -> Tags:
    import av

    from audiosearch.audio.ffmpeg import metadata

    try:
        values = metadata(path)
    except (av.FFmpegError, OSError, ValueError):
        return Tags()
    return Tags(
        title=_text(values.get("title")),
        artist=_text(values.get("artist")),
        album=_text(values.get("album")),
        album_artist=_text(values.get("album_artist")),
        genre=_text(values.get("genre")),
        year=_number(values.get("date") or values.get("year")),
        track_number=_number(values.get("track")),
    )


def _text(value: object) -> str | None:
    """Return a tag's text on one line, without NUL characters; None if it is empty."""
    text = " ".join(str(value or "").replace("\0", " ").split())
    return text or None


def _number(value: object) -> int | None:
    """Return the number at the start of a tag: 1997 for "1997-05-21", 3 for "3/12"."""
    match = re.match(r"\s*(\d{1,9})", str(value or ""))
    return int(match[1]) if match else None
