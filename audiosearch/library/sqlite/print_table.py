"""Spectral prints of files, in the database of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.library.sqlite.conditions import batches, one_of
from audiosearch.models.spectral_print import SpectralPrint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audiosearch.library.sqlite.database import Database
    from audiosearch.types import UInt16
_MAX_BYTES = 10_000_000  # of the words of a file; those of a week have as many
# SQL condition that a print is valid. Others count as missing, and are made again.
_IS_VALID = " AND ".join(
    [
        "typeof(seconds) = 'real' AND seconds BETWEEN 0 AND 1e9",
        *(
            f"typeof({name}) = 'blob' AND length({name}) % 2 = 0 AND length({name}) < {_MAX_BYTES}"
            for name in ("words", "fine_words")
        ),
    ]
)


class PrintTable:
    """The table of spectral prints; it implements `PrintStorage`.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def prints(self, sound_hashes: Sequence[str]) -> dict[str, SpectralPrint]:
        """Return the stored prints of files with the given hashes."""
        result: dict[str, SpectralPrint] = {}
        if not self.has_prints():
            return result
        for batch in batches(sound_hashes):
            sql = f"SELECT * FROM prints WHERE {one_of('sound_hash', batch)} AND {_IS_VALID}"
            for row in self._database.rows(sql, batch):
                words, fine_words = _from_blob(row["words"]), _from_blob(row["fine_words"])
                result[row["sound_hash"]] = SpectralPrint(row["seconds"], words, fine_words)
        return result

    def has_prints(self) -> bool:
        """Return whether any prints are stored."""
        # An index of an older version lacks the table, or names the column otherwise.
        sql = "SELECT 1 FROM pragma_table_info('prints') WHERE name = 'sound_hash'"
        is_current = bool(self._database.rows(sql))
        return is_current and bool(self._database.rows("SELECT 1 FROM prints LIMIT 1"))

    def put_prints(self, prints: Mapping[str, SpectralPrint]) -> None:
        """Store prints by hash."""
        rows = [
            (key, value.seconds, _to_blob(value.words), _to_blob(value.fine_words))
            for key, value in prints.items()
        ]
        database = self._database
        with database.transaction():
            sql = "INSERT OR REPLACE INTO prints VALUES (?, ?, ?, ?)"
            database.db.conn.executemany(sql, rows)

    def prune_prints(self) -> None:
        """Remove the prints of files that are no longer tracks."""
        with self._database.transaction():
            self._database.db.execute(
                "DELETE FROM prints WHERE sound_hash NOT IN "
                "(SELECT content_hash FROM tracks UNION SELECT audio_hash FROM tracks)"
            )


def _to_blob(words: UInt16) -> bytes:
    return words.astype("<u2").tobytes()


def _from_blob(blob: bytes) -> UInt16:
    return np.frombuffer(blob, dtype="<u2").astype(np.uint16)
