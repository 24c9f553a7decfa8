"""Tags of audio files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

from audiosearch import defaults
from audiosearch.audio.apev2 import read_apev2
from audiosearch.audio.cover import parse_tags
from audiosearch.audio.dates import parse_year
from audiosearch.audio.parts import open_binary

if TYPE_CHECKING:
    from collections.abc import Mapping

    #: Values by lower-case name.
    Values = Mapping[str, list[str]]

#: Names of each field in tinytag, APEv2, Vorbis comments, Matroska and FFmpeg, the best first.
# tinytag puts "_" before names in a file that are names of its own fields.
_NAMES = {
    "title": ("title",),
    "artist": ("artist", "artists"),
    "album": ("album",),
    "album_artist": ("albumartist", "album_artist", "album artist"),
    "genre": ("genre",),
    "year": ("year", "date", "_year", "record date", "date_released", "date_recorded"),
    "track_number": ("track", "tracknumber", "_track", "part_number"),
}

#: Names of the id of a recording; ID3v2 has it in the frame UFID.
_RECORDING_IDS = ("musicbrainz_trackid", "musicbrainz track id", "ufid")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_MAX_LENGTH = 10_000  # characters of a value that are kept
_MAX_VALUES = 100  # of a field that are kept


@dataclass(frozen=True, slots=True)
class Tags:
    """Tags of a file. A missing tag is None.

    Several artists, album artists or genres are joined by "; ". ``has_cover`` tells whether there
    is a cover image, as `audiosearch.audio.cover.read_cover` returns it.
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genre: str | None = None
    year: int | None = None
    track_number: int | None = None
    has_cover: bool = False


def read_tags(path: str, *, name: str | None = None) -> Tags:
    """Read a file's tags with tinytag, or with FFmpeg for formats that it doesn't support.

    APEv2 tags are read from any file. Unreadable tags count as missing, without an error.

    Parameters
    ----------
    path : str
        Path to open.
    name : str, optional
        Name of the file, of which the suffix tells the format. Default: the path.

    Raises
    ------
    OSError
        If the file can't be opened.
    """
    with open_binary(path) as file:
        has_id3v2 = file.read(3) == b"ID3"
        file.seek(0)
        tags, has_cover = _read_with_tinytag(file, name or path)
    sources = [read_apev2(path), _read_with_ffmpeg(path) if tags is None else tags]
    if has_id3v2:  # an ID3v1 tag, which has only 30 characters of each text, comes last
        sources.reverse()
    years = (parse_year(text) for source in sources for text in _texts(source, "year"))
    values = {
        name: next(filter(None, (_texts(source, name) for source in sources)), [])
        for name in _NAMES
    }
    return Tags(
        title=_first(values["title"]),
        artist=_joined(_without_credit(values["artist"])),
        album=_first(values["album"]),
        album_artist=_joined(values["album_artist"]),
        genre=_joined(values["genre"]),
        year=next((year for year in years if year is not None), None),
        track_number=_number(_first(values["track_number"])),
        has_cover=has_cover,
    )


def read_recording_ids(path: str) -> frozenset[str]:
    """Return the MusicBrainz ids of a file's recording, in lower case. Few files have several.

    Unreadable tags count as missing, without an error.

    Raises
    ------
    OSError
        If the file can't be opened.
    """
    with open_binary(path) as file:
        tags, _ = _read_with_tinytag(file, path)
    sources = [read_apev2(path), _read_with_ffmpeg(path) if tags is None else tags]
    values = (
        value for source in sources for name in _RECORDING_IDS for value in source.get(name, ())
    )
    return frozenset(found[0].lower() for value in values if (found := _UUID.search(value)))


def _read_with_tinytag(file: BinaryIO, name: str) -> tuple[Values | None, bool]:
    """Return all tags, and whether there is a cover image.

    The tags are None if tinytag doesn't support the format or the file is damaged.
    """
    try:
        tags, has_cover = parse_tags(file, name)
    except Exception:  # noqa: BLE001  (tinytag raises any exception on damaged headers)
        return None, False
    values = tags.as_dict().items()
    return {name.lower(): value for name, value in values if isinstance(value, list)}, has_cover


def _read_with_ffmpeg(path: str) -> Values:
    import av

    from audiosearch.audio.ffmpeg import metadata

    try:
        values = metadata(path)
    except (av.FFmpegError, OSError, ValueError):
        return {}
    # FFmpeg joins several values of the same name by ";".
    return {name: re.split(r";(?! )", value) for name, value in values.items()}


def _texts(source: Values, name: str) -> list[str]:
    """Return the different values of a field, each on one line."""
    values = chain.from_iterable(source.get(alias, ()) for alias in _NAMES[name])
    parts = chain.from_iterable(value.split("\0") for value in values)
    texts = (" ".join(part[:_MAX_LENGTH].replace("\ufeff", "").split()) for part in parts)
    return list(dict.fromkeys(filter(None, texts)))[:_MAX_VALUES]


def _without_credit(artists: list[str]) -> list[str]:
    """Drop the first of several artists if it only names the rest, as in "A feat. B", "A", "B".

    Picard and other taggers write the credit as ARTIST, and the artists as ARTISTS.
    """
    credit, *names = artists or [""]
    if len(names) == 1 and names[0] not in credit:  # in ID3v2.3, ARTISTS are joined by "/"
        names = names[0].split("/")
    folded_credit = credit.casefold()
    is_credit = 1 < len(names) <= _MAX_VALUES and all(
        name.casefold() in folded_credit for name in names
    )
    return names if is_credit else artists


def _joined(values: list[str]) -> str | None:
    return defaults.LIST_SEPARATOR.join(values) or None


def _first(values: list[str]) -> str | None:
    return values[0] if values else None


def _number(text: str | None) -> int | None:
    """Return the number at the start of a text: 3 for "3/12"."""
    match = re.match(r"\d{1,9}", text or "")
    return int(match[0]) if match else None
