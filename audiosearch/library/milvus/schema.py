"""Schema of the Milvus collections. Each track is a row, with fields for filters and words."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, fields
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.library.filters import artist_values, genre_values
from audiosearch.library.track import Track, fold, plain_words
from audiosearch.models.patch_print import PATCH_WORDS
from audiosearch.models.sound import Sound
from audiosearch.paths import parent_names, path_from_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from audiosearch.models.moments import Moments
    from audiosearch.types import Float32

#: Stored in place of a missing number; no tag has this value.
UNKNOWN = -(2**63)
# An empty text is stored in place of a missing one, and this character in place of an empty one.
_EMPTY = chr(0x10FF00)

_MAX_BYTES = 65_535  # of one text: a limit of Milvus
_MAX_VALUES = 64  # of a list
_MAX_SOUNDS = 1_000  # of a track
_MAX_FOLDERS = 2_048  # above a file
_PATHS = ("path", "real_path")
_TEXTS = ("title", "artist", "album", "album_artist", "genre")  # None if missing
_NUMBERS = ("year", "track_number", "has_cover")  # None if missing
_KEYS = ("artist_key", "album_artist_key", "album_key")  # compared by filters
_LISTS = ("artists", "genres", "folders")  # compared by filters
# Lists of the scores, mean scores and times of the sounds whose names are in the list `sounds`.
_SOUND_NUMBERS = {"sound_scores": "score", "sound_means": "mean", "sound_times": "at"}
#: Fields that hold the sounds of a track: lists of equal length.
SOUND_FIELDS = ("sounds", *_SOUND_NUMBERS)
#: Fields that hold the fields of `Track`.
TRACK_FIELDS = (*(field.name for field in fields(Track)), *_SOUND_NUMBERS)
#: Fields that collections of older versions lack.
ADDED_FIELDS = {
    *("audio_hash", "artists", "real_path", "sounds", "tagger", "has_cover", "folders"),
    *_SOUND_NUMBERS,
}
#: Field of the collection of moments that those of older versions lack.
PRINT_FIELD = "print"
#: The other fields of the collection of moments, besides the key.
MOMENT_FIELDS = (
    "embedding",
    "track_id",
    "patch",
    "has_sounds",
    "sound_classes",
    "sound_scores",
)
#: Fields of the collection of tracks.
FIELDS = frozenset({*TRACK_FIELDS, *_KEYS, *_LISTS, "embedding", "words"})

# A byte that isn't valid UTF-8 is stored as a private-use character. So is each byte of a Han
# character above U+FFFF, because Milvus's expression parser reads only 16 bits of a character.
_FIRST_BYTE, _LAST_BYTE = 0x10FF80, 0x10FFFF
_STRAY = re.compile(
    f"[\U00016fe0-\U00016fff\U00020000-\U0003ffff{chr(_FIRST_BYTE)}-{chr(_LAST_BYTE)}\udc80-\udcff]"
)


def track_schema(client: Any, dimension: int) -> Any:
    """Return the schema of a collection of tracks with vectors of a dimension.

    Filters compare ``album_key``, which is "=" followed by the folded tag, or empty if the tag is
    missing, the folded values in ``artists`` and ``genres``, and the names of folders in
    ``folders``. Searches for words use ``words``. ``sounds`` holds the names of sounds, best first.
    Collections of older versions lack some fields, and their texts may be null. Without
    ``artists``, filters compare ``artist_key`` and ``album_artist_key``; without ``folders``,
    ``path``.
    """
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    hashes = ("content_hash", "audio_hash", "tagger")
    texts = (*_PATHS, *hashes, "format", "words", *_KEYS, *_TEXTS)
    for name in texts:
        schema.add_field(name, DataType.VARCHAR, max_length=_MAX_BYTES)
    for name in ("size", "mtime_ns", "sample_rate_hz", "channels", *_NUMBERS):
        schema.add_field(name, DataType.INT64)
    schema.add_field("seconds", DataType.DOUBLE)
    capacities = {"sounds": _MAX_SOUNDS, "folders": _MAX_FOLDERS}
    for name in (*_LISTS, "sounds"):
        schema.add_field(
            name,
            DataType.ARRAY,
            element_type=DataType.VARCHAR,
            max_capacity=capacities.get(name, _MAX_VALUES),
            max_length=_MAX_BYTES,
        )
    for name in _SOUND_NUMBERS:
        schema.add_field(
            name, DataType.ARRAY, element_type=DataType.DOUBLE, max_capacity=_MAX_SOUNDS
        )
    return schema


def moment_schema(client: Any, dimension: int) -> Any:
    """Return the schema of a collection of moments: a row for each patch of a track."""
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=64)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=dimension)
    for name in ("track_id", "patch"):
        schema.add_field(name, DataType.INT64)
    schema.add_field("has_sounds", DataType.BOOL)
    for name in ("sound_classes", "sound_scores"):
        schema.add_field(
            name, DataType.ARRAY, element_type=DataType.INT64, max_capacity=_MAX_SOUNDS
        )
    schema.add_field(
        PRINT_FIELD, DataType.ARRAY, element_type=DataType.INT32, max_capacity=PATCH_WORDS
    )
    return schema


def moment_rows(
    track_id: int, moments: Moments, start: int, end: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield patches of a track as rows of the collection of moments.

    Parameters
    ----------
    track_id : int
    moments : Moments
    start, end : int
        Number of the first patch, and of the one after the last; None for all that follow.
    """
    sounds = moments.sounds
    ends = np.zeros(len(moments), np.int64) if sounds is None else np.cumsum(sounds.counts)
    for n, vector in enumerate(moments.vectors(slice(start, end)), start=start):
        own = slice(int(ends[n - 1]) if n else 0, int(ends[n]))
        yield {
            "key": f"{track_id}:{n}",
            "embedding": vector,
            "track_id": track_id,
            "patch": n,
            "has_sounds": sounds is not None,
            "sound_classes": [] if sounds is None else sounds.classes[own].tolist(),
            "sound_scores": [] if sounds is None else sounds.scores[own].tolist(),
            PRINT_FIELD: [] if moments.prints is None else moments.prints[n].tolist(),
        }


def notes_schema(client: Any) -> Any:
    """Return the schema of a collection of settings and failures.

    Its vector field ``nothing`` has no meaning. Milvus requires one.
    """
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=_MAX_BYTES)
    schema.add_field("kind", DataType.VARCHAR, max_length=64)
    schema.add_field("text", DataType.VARCHAR, max_length=_MAX_BYTES)
    schema.add_field("nothing", DataType.FLOAT_VECTOR, dim=2)
    return schema


def row_of(track: Track, vector: Float32) -> dict[str, Any]:
    """Return a track and its vector as a row of the collection.

    Parameters
    ----------
    track : Track
    vector : ndarray of float32, shape (dimension,)
    """
    row = asdict(track) | {"embedding": vector.astype(np.float32)}
    for name in _PATHS:
        row[name] = coded(row[name])
    for name in _NUMBERS:
        row[name] = UNKNOWN if row[name] is None else int(row[name])
    for name in _TEXTS:
        row[name] = "" if row[name] is None else _cut(row[name]) or _EMPTY
    for name in _KEYS:
        row[name] = key(getattr(track, name.removesuffix("_key")))
    row["artists"] = _folded_list(chain(*map(artist_values, (track.artist, track.album_artist))))
    row["genres"] = _folded_list(genre_values(track.genre))
    row["folders"] = list(map(coded, parent_names(track.path)))[:_MAX_FOLDERS]
    row["words"] = f" {' '.join(words_of(track))} "
    row["sounds"] = [sound.name for sound in track.sounds]
    for name, attribute in _SOUND_NUMBERS.items():
        row[name] = [getattr(sound, attribute) for sound in track.sounds]
    return row


def track_of(row: dict[str, Any]) -> Track:
    """Return the track in a row of the collection."""
    values = {name: row[name] for name in TRACK_FIELDS if name in row}
    values = {name: value for name, value in values.items() if name not in _SOUND_NUMBERS}
    values["sounds"] = sounds_of(row)
    values |= {name: decoded(values[name]) for name in _PATHS if name in values}
    for name in _TEXTS:
        values[name] = text_of(values[name])
    for name in _NUMBERS:
        values[name] = None if values.get(name, UNKNOWN) == UNKNOWN else values[name]
    if values["has_cover"] is not None:
        values["has_cover"] = bool(values["has_cover"])
    return Track(**values)


def text_of(stored: str | None) -> str | None:
    """Return a tag as `Track` has it, given its stored text."""
    return "" if stored == _EMPTY else stored or None


def sounds_of(row: dict[str, Any]) -> tuple[Sound, ...]:
    """Return the sounds of the track in a row of the collection."""
    return tuple(map(Sound, *(row.get(name, ()) for name in SOUND_FIELDS)))


def _folded_list(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(map(folded, values)))[:_MAX_VALUES]


def folded(text: str) -> str:
    """Fold a tag with `fold`, and return it in the form that Milvus stores."""
    return _cut(coded(fold(text)))


def _cut(text: str) -> str:
    """Cut a text to the number of bytes that Milvus can store."""
    return text.encode(errors="replace")[:_MAX_BYTES].decode(errors="ignore")


def key(text: str | None) -> str:
    """Return the key of a tag for filters; empty for a missing tag."""
    return "" if text is None else folded(f"={fold(text)}")


def words_of(track: Track) -> list[str]:
    """Return the words of a track's tags and path, at most as many as Milvus can store."""
    tags = (track.title, track.artist, track.album, track.album_artist, track.genre)
    words = [word for text in (*tags, track.path) if text for word in split(text)]
    n_bytes = np.cumsum([len(word.encode()) + 1 for word in words])
    return words[: int(np.searchsorted(n_bytes, _MAX_BYTES - 2))]


def split(text: str) -> list[str]:
    """Return the words of a text, without case and accents."""
    return list(map(coded, plain_words(text)))


def coded(path: str) -> str:
    """Encode a path as valid UTF-8 text. A folder stays a prefix of the files in it."""
    return _STRAY.sub(
        lambda match: "".join(chr(0x10FF00 + byte) for byte in os.fsencode(match[0])), path
    )


def decoded(text: str) -> str:
    """Decode a text from `coded`, and return the path."""
    if not _STRAY.search(text):
        return text
    parts = (
        bytes([ord(char) - 0x10FF00]) if _FIRST_BYTE <= ord(char) <= _LAST_BYTE else char.encode()
        for char in text
    )
    return path_from_bytes(b"".join(parts))
