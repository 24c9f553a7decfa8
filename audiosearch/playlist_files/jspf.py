"""JSPF: a JSON document with the fields of XSPF.

References
----------
.. [1] "JSPF", https://www.xspf.org/jspf
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from audiosearch.playlist_files.entry import Entry
from audiosearch.playlist_files.uri import path_to_uri, uri_to_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def write(entries: Sequence[Entry], name: str) -> bytes:
    """Return the contents of a JSPF file."""
    document = {"playlist": {"title": name, "track": [_track_fields(entry) for entry in entries]}}
    return (json.dumps(document, ensure_ascii=True, indent=2) + "\n").encode()


def read(content: bytes) -> list[Entry]:
    """Return the entries of a JSPF file.

    Raises
    ------
    ValueError, LookupError, TypeError, AttributeError, RecursionError
        If the file isn't a JSPF playlist.
    """
    entries = []
    for track in json.loads(content)["playlist"]["track"]:
        locations = track.get("location") or []
        if locations:
            location = locations if isinstance(locations, str) else locations[0]
            entries.append(entry_from_fields(track, location))
    return entries


def entry_from_fields(fields: Mapping[str, Any], location: str) -> Entry:
    """Return an entry from the fields that JSPF and XSPF share.

    Parameters
    ----------
    fields : mapping of str to str or float
        ``title``, ``creator``, ``album`` and ``duration`` (milliseconds); each may be missing.
    location : str
        URI of the track, or a reference relative to the playlist.
    """
    return Entry(
        uri_to_path(location),
        fields.get("title") or None,
        fields.get("creator") or None,
        fields.get("album") or None,
        float(fields.get("duration") or 0) / 1_000,
    )


def _track_fields(entry: Entry) -> dict[str, Any]:
    fields: dict[str, Any] = {"location": [path_to_uri(entry.path)]}
    tags = {"title": entry.title, "creator": entry.artist, "album": entry.album}
    fields |= {key: value for key, value in tags.items() if value}
    if entry.seconds:
        fields["duration"] = round(1_000 * entry.seconds)  # milliseconds
    return fields
