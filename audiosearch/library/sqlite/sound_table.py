"""The table of sounds that are heard in tracks."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from audiosearch.library.sqlite.stored_types import require_sound
from audiosearch.models.sound import Sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from audiosearch.library.sqlite.database import Database

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


def sounds_of(database: Database, ids: Sequence[int]) -> dict[int, list[Sound]]:
    """Return the sounds of at most 500 tracks by id, best first."""
    marks = ", ".join("?" * len(ids))
    sql = (
        f"SELECT track_id, name, score, mean, at FROM sounds WHERE track_id IN ({marks}) "
        "ORDER BY score DESC, name"
    )
    sounds: defaultdict[int, list[Sound]] = defaultdict(list)
    with database.errors():
        for track_id, *values in database.db.execute(sql, ids):
            require_sound(values)
            sounds[track_id].append(Sound(*values))
    return sounds
