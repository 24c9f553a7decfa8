"""Tags: what a file says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tinytag import TinyTag, TinyTagException


@dataclass(frozen=True, slots=True)
class Tags:
    """A file's tags; None for each it does not have."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genre: str | None = None
    year: int | None = None
    track_number: int | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture in a file, as one of the kinds that every browser shows."""

    data: bytes
    media_type: str


#: How pictures begin, and what they then are.
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"GIF8": "image/gif"}


def read_cover(path: str) -> Cover | None:
    """Return the picture in a file's tags; None where there is none, or no file."""
    try:
        picture = TinyTag.get(path, tags=True, duration=False, image=True).images.any
    except Exception:  # noqa: BLE001  (tinytag raises what damaged headers lead it to)
        return None
    data = picture.data if picture else b""
    kinds = [kind for start, kind in _PICTURES.items() if data.startswith(start)]
    return Cover(data, kinds[0]) if kinds else None


def read_tags(path: str) -> Tags:
    """Read a file's tags, by tinytag or, for what it does not know, by FFmpeg.

    A file without readable tags has none: no error.

    Raises
    ------
    OSError
        Where the file cannot be opened.
    """
    with open(path, "rb"):
        pass
    try:
        tag = TinyTag.get(path, duration=False)
    except (TinyTagException, OSError):
        return _from_ffmpeg(path)
    except Exception:  # noqa: BLE001  (tinytag raises what damaged headers lead it to)
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


def _from_ffmpeg(path: str) -> Tags:
    import av

    from audiosearch.audio.ffmpeg import metadata

    try:
        found = metadata(path)
    except (av.FFmpegError, OSError, ValueError):
        return Tags()
    return Tags(
        title=_text(found.get("title")),
        artist=_text(found.get("artist")),
        album=_text(found.get("album")),
        album_artist=_text(found.get("album_artist")),
        genre=_text(found.get("genre")),
        year=_number(found.get("date") or found.get("year")),
        track_number=_number(found.get("track")),
    )


def _text(value: object) -> str | None:
    """Return a tag's text on one line, without the zeros that end some."""
    text = " ".join(str(value or "").replace("\0", " ").split())
    return text or None


def _number(value: object) -> int | None:
    """Return the number a tag begins with: "1997-05-21" is 1997, "3/12" is 3."""
    found = re.match(r"\s*(\d{1,9})", str(value or ""))
    return int(found[1]) if found else None
