"""Tracks as Milvus's entities: their fields, and what is kept besides for filters and words."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.library.filters import split_values
from audiosearch.library.track import Track
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from audiosearch.types import Float32

#: Stands for a number that is not known; no track has it.
UNKNOWN = -(2**63)

_MOST_BYTES = 65_535  # of a text
_MOST_GENRES = 64
_TEXTS = ("title", "artist", "album", "album_artist", "genre")  # may be missing
_NUMBERS = ("year", "track_number")  # may be missing
_KEYS = ("artist_key", "album_artist_key", "album_key")  # that filters compare
TRACK_FIELDS = tuple(field.name for field in fields(Track))

# A byte that is no UTF-8 becomes a character of those that no text has; and so do the bytes of
# Han characters beyond U+FFFF, of which Milvus's parser of expressions takes 16 bits only.
_FIRST_BYTE, _LAST_BYTE = 0x10FF80, 0x10FFFF
_STRAY = re.compile(
    f"[\U00016fe0-\U00016fff\U00020000-\U0003ffff{chr(_FIRST_BYTE)}-{chr(_LAST_BYTE)}\udc80-\udcff]"
)


def track_schema(client: Any) -> Any:
    """Return the schema of a collection of tracks.

    ``artist_key`` and its like hold what filters compare: "=" and the text, whatever its case,
    or nothing. ``words`` holds what is searched for by words.
    """
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=EMBEDDING_SIZE)
    for name in ("path", "content_hash", "format", "words", *_KEYS):
        schema.add_field(name, DataType.VARCHAR, max_length=_MOST_BYTES)
    for name in ("size", "mtime_ns", "sample_rate_hz", "channels", *_NUMBERS):
        schema.add_field(name, DataType.INT64)
    schema.add_field("seconds", DataType.DOUBLE)
    for name in _TEXTS:
        schema.add_field(name, DataType.VARCHAR, max_length=_MOST_BYTES, nullable=True)
    schema.add_field(
        "genres",
        DataType.ARRAY,
        element_type=DataType.VARCHAR,
        max_capacity=_MOST_GENRES,
        max_length=_MOST_BYTES,
    )
    return schema


def notes_schema(client: Any) -> Any:
    """Return the schema of a collection of settings and failures; it must have some vector."""
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=_MOST_BYTES)
    schema.add_field("kind", DataType.VARCHAR, max_length=64)
    schema.add_field("text", DataType.VARCHAR, max_length=_MOST_BYTES)
    schema.add_field("nothing", DataType.FLOAT_VECTOR, dim=2)
    return schema


def entity(track: Track, vector: Float32) -> dict[str, Any]:
    """Return a track with its vector as Milvus keeps it."""
    row = asdict(track) | {"path": coded(track.path), "embedding": vector.astype(np.float32)}
    for name in _NUMBERS:
        row[name] = UNKNOWN if row[name] is None else row[name]
    for name in _TEXTS:
        row[name] = row[name] and _cut(row[name])
    for name in _KEYS:
        row[name] = key(getattr(track, name.removesuffix("_key")))
    row["genres"] = _genres(track.genre)
    row["words"] = f" {' '.join(words_of(track))} "
    return row


def track_of(row: dict[str, Any]) -> Track:
    """Return the track that an entity stands for."""
    values = {name: row[name] for name in TRACK_FIELDS} | {"path": decoded(row["path"])}
    for name in _NUMBERS:
        values[name] = None if values[name] == UNKNOWN else values[name]
    return Track(**values)


def _genres(genre: str | None) -> list[str]:
    if genre is None:
        return []
    return list(dict.fromkeys(map(folded, [genre, *split_values(genre)])))[:_MOST_GENRES]


def folded(text: str) -> str:
    """Return a text without regard to case, as expressions have it."""
    return _cut(coded(text.casefold()))


def _cut(text: str) -> str:
    """Return as much of a text as Milvus keeps."""
    return text.encode(errors="replace")[:_MOST_BYTES].decode(errors="ignore")


def key(text: str | None) -> str:
    """Return what a text is compared by: nothing, where it is not known."""
    return "" if text is None else folded(f"={text}")


def words_of(track: Track) -> list[str]:
    """Return the words of a track's tags and path."""
    texts = (track.title, track.artist, track.album, track.album_artist, track.path)
    found = [word for text in texts if text for word in split(text)]
    n_bytes = np.cumsum([len(word.encode()) + 1 for word in found])
    return found[: int(np.searchsorted(n_bytes, _MOST_BYTES - 2))]


def split(text: str) -> list[str]:
    """Return the words of a text, without regard to case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return [coded(word) for word in re.findall(r"[^\W_]+", plain)]


def coded(path: str) -> str:
    """Return a path as a text that is UTF-8; its beginning is that of its folder's."""
    return _STRAY.sub(
        lambda found: "".join(chr(0x10FF00 + byte) for byte in os.fsencode(found[0])), path
    )


def decoded(text: str) -> str:
    """Return the path that a text stands for."""
    if not _STRAY.search(text):
        return text
    parts = (
        bytes([ord(char) - 0x10FF00]) if _FIRST_BYTE <= ord(char) <= _LAST_BYTE else char.encode()
        for char in text
    )
    return os.fsdecode(b"".join(parts))
