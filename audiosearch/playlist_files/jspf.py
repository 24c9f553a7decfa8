"""JSPF: a JSON document with the fields of XSPF.

References
----------
.. [1] "JSPF", https://www.xspf.org/jspf
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from audiosearch.json_input import parse_json
from audiosearch.playlist_files.entry import Entry, make_entry
from audiosearch.playlist_files.text import decode_text, parse_seconds, readable
from audiosearch.playlist_files.uri import path_to_uri, possible_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def write(entries: Sequence[Entry], name: str) -> bytes:
    """Return the contents of a JSPF file."""
    document = {"playlist": {"title": name, "track": [_track_fields(entry) for entry in entries]}}
    return (json.dumps(document, ensure_ascii=True, indent=2) + "\n").encode()


def read(content: bytes) -> Iterator[Entry | str]:
    """Yield the entries of a JSPF file, and a warning for each one without a usable path.

    Raises
    ------
    ValueError
        If the file isn't a JSPF playlist.
    """
    # Numbers stay texts, so that none of them can be out of range.
    document = parse_json(
        readable(decode_text(content)),
        strict=False,
        parse_int=str,
        parse_float=str,
        parse_constant=str,
    )
    fields = document if isinstance(document, dict) else {}
    playlist = fields if "track" in fields else fields.get("playlist")
    if not isinstance(playlist, dict):
        raise ValueError("it has no playlist object")  # noqa: TRY004
    for track in _list(playlist.get("track")):
        if isinstance(track, dict):
            locations = [text for text in _list(track.get("location")) if isinstance(text, str)]
            yield entry_from_fields(track, locations)
        else:
            yield f"an entry is not a JSON object: {json.dumps(track)[:80]}"


def entry_from_fields(fields: Mapping[str, Any], locations: Iterable[str]) -> Entry | str:
    """Return an entry from the fields that JSPF and XSPF share, or a warning if it has no path.

    Parameters
    ----------
    fields : mapping of str to str
        ``title``, ``creator``, ``album`` and ``duration`` (milliseconds). Each may be missing.
        A value that isn't a text is ignored.
    locations : iterable of str
        URIs of the track, or references relative to the playlist, the most important first.
    """
    texts = {
        key: readable(value).strip() for key, value in fields.items() if isinstance(value, str)
    }
    return make_entry(
        [path for location in locations for path in possible_paths(location, is_uri=True)],
        title=texts.get("title") or None,
        artist=texts.get("creator") or None,
        album=texts.get("album") or None,
        seconds=parse_seconds(texts.get("duration", ""), units_per_second=1_000),
    )


def _list(value: Any) -> list[Any]:
    """Return a value as a list. Some programs write a single item without brackets."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _track_fields(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = {"location": [path_to_uri(entry.path)]}
    tags = {"title": entry.title, "creator": entry.artist, "album": entry.album}
    fields |= {key: value for key, value in tags.items() if value}
    if entry.seconds:
        fields["duration"] = round(1_000 * entry.seconds)  # milliseconds
    return fields
