"""The table of sounds that are heard in tracks."""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from audiosearch.library.sqlite.conditions import one_of
from audiosearch.models.sound import Sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.library.sqlite.database import Database

#: Begins a query of the table in a database of an older version, which lacks it.
EMPTY_TABLE = "WITH sounds(track_id, name, score, mean) AS (SELECT 0, '', 0.0, 0.0 WHERE 0) "
_INVALID = "the table sounds holds invalid values"
_BATCH_TRACKS = 500  # whose sounds are read at a time


def put_sounds(database: Database, track_id: int, sounds: Sequence[Sound]) -> None:
    """Replace the stored sounds of a track. Call it inside a transaction."""
    database.db.execute("DELETE FROM sounds WHERE track_id = ?", [track_id])
    database.db.conn.executemany(
        "INSERT INTO sounds (track_id, name, score, mean, at) VALUES (?, ?, ?, ?, ?)",
        [(track_id, sound.name, sound.score, sound.mean, sound.at) for sound in sounds],
    )


def with_sounds(database: Database, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows of the table of tracks with their sounds, best first.

    A database of an older version has none.
    """
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH_TRACKS)):
        if "tagger" in batch[0]:
            sounds = sounds_of(database, [row["id"] for row in batch])
            for row in batch:
                row["sounds"] = tuple(sounds.get(row["id"], ()))
        yield from batch


def require_values(name: Any, *scores: Any) -> None:
    """Check a name and scores from the table.

    Raises
    ------
    sqlite3.DatabaseError
        If one has a wrong type, or is out of range.
    """
    is_valid = type(name) is str and all(type(n) is float and 0 <= n <= 1 for n in scores)
    if not is_valid:
        raise sqlite3.DatabaseError(_INVALID)


def sounds_of(database: Database, ids: Sequence[int]) -> dict[int, list[Sound]]:
    """Return the sounds of at most 500 tracks by id, best first."""
    sql = (
        f"SELECT track_id, name, score, mean, at FROM sounds WHERE {one_of('track_id', ids)} "
        "ORDER BY score DESC, name"
    )
    sounds: defaultdict[int, list[Sound]] = defaultdict(list)
    with database.errors():
        for track_id, name, score, mean, at in database.db.execute(sql, ids):
            require_values(name, score, mean)
            if type(at) is not float or not 0 <= at < math.inf:
                raise sqlite3.DatabaseError(_INVALID)
            sounds[track_id].append(Sound(name, score, mean, at))
    return sounds
