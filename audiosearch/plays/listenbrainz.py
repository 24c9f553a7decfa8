"""Listens as ListenBrainz exports them, and as its HTTP interface returns them.

The export is a zip file with a file for each month, ``listens/2024/5.jsonl``, which has one listen
a line. Older exports are one JSON list of listens. The HTTP interface returns
``{"payload": {"listens": [...]}}``. All of them are read object by object, so that the memory does
not grow with the file.

References
----------
.. [1] https://listenbrainz.readthedocs.io/en/latest/users/json.html
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any, TextIO

from audiosearch.plays.history import Recording, TooLarge

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 20  # characters that are read at a time
_MAX_OBJECT = 64 << 20  # characters of a JSON object
_MAX_CHARACTERS = 4_000_000_000  # of all listens
_LISTENS = re.compile(r'"(?:listens|payload)"\s*:\s*\[')
_LISTEN_FILE = re.compile(r"(?:.*/)?listens(?:[^/]*|/.*)\.jsonl?", re.IGNORECASE)


def plays_in_zip(file: io.BufferedReader) -> Iterator[tuple[Recording, float] | None]:
    """Yield the plays in an export, and None for each entry that isn't one.

    Raises
    ------
    ValueError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError
        If it is damaged, or can't be read.
    """
    with zipfile.ZipFile(file) as archive:
        members = [info for info in archive.infolist() if _LISTEN_FILE.fullmatch(info.filename)]
        _check_size(sum(info.file_size for info in members))
        for info in members:
            with archive.open(info) as member:
                yield from plays_in_json(member)


def plays_in_json(file: Any) -> Iterator[tuple[Recording, float] | None]:
    """Yield the plays in a JSON or JSONL file, and None for each entry that isn't one.

    Parameters
    ----------
    file : binary file

    Raises
    ------
    ValueError
        If it is damaged or cut off, or too large.
    RecursionError
        If it is nested too deeply.
    """
    with io.TextIOWrapper(file, encoding="utf-8-sig") as text:
        for value in _objects(text):
            yield from map(_play, _listens(value))


def _objects(file: TextIO) -> Iterator[Any]:
    """Yield the JSON objects in a file one by one.

    If an object is longer than a chunk and holds a list of listens, as an answer of the HTTP
    interface does, the elements of this list are yielded instead.
    """
    decoder = json.JSONDecoder()
    buffer, start, n_needed, n_read = "", -1, 1, 0
    is_end = False
    while True:
        if not is_end and (start < 0 or len(buffer) - start < n_needed):
            chunk = file.read(_CHUNK)
            is_end, n_read = not chunk, n_read + len(chunk)
            _check_size(n_read)
            buffer = (buffer[start:] if start >= 0 else "") + chunk
            start = buffer.find("{")
            continue
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(buffer, start)
        except json.JSONDecodeError:
            inside = _start_of_listens(buffer, start)
            if inside is None and (is_end or len(buffer) - start > _MAX_OBJECT):
                raise
            n_needed = 1 if inside else 2 * (len(buffer) - start)
            start = start if inside is None else buffer.find("{", inside)
        else:
            yield value
            start, n_needed = buffer.find("{", end), 1


def _check_size(n_characters: int) -> None:
    if n_characters > _MAX_CHARACTERS:
        raise TooLarge(f"it has more than {_MAX_CHARACTERS:,} characters")


def _start_of_listens(buffer: str, start: int) -> int | None:
    """Return the position after the bracket of an object's list of listens; None without one."""
    metadata = buffer.find('"track_metadata"', start)
    match = _LISTENS.search(buffer, start, len(buffer) if metadata < 0 else metadata)
    return match.end() if match else None


def _listens(value: Any) -> Iterator[Any]:
    """Yield the listens in an answer of the HTTP interface; any other object is a listen."""
    inner = value.get("payload", value)
    listens = inner.get("listens") if isinstance(inner, dict) else inner
    if isinstance(listens, list):
        yield from listens
    else:
        yield value


def _play(listen: Any) -> tuple[Recording, float] | None:
    try:
        metadata = listen["track_metadata"]
        time = listen["listened_at"] if "listened_at" in listen else listen["timestamp"]
        artist, title = metadata["artist_name"], metadata["track_name"]
        album = metadata.get("release_name")
        seconds = float(time)
    except (TypeError, LookupError, ValueError, AttributeError, OverflowError):
        return None
    if not (isinstance(artist, str) and isinstance(title, str) and artist and title):
        return None
    album = album if isinstance(album, str) else ""
    return Recording(artist=artist, title=title, album=album), seconds
