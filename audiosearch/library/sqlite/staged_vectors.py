"""Another model's vectors on their way to take the place of an index's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import LibraryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.library.track import EmbeddingSpec, Failure, Track
    from audiosearch.types import Float32

_PREFIX = "pending_"  # of the settings that say whose vectors they are


def pending(catalog: Catalog) -> tuple[str | None, int]:
    """Return the name of the model whose vectors are on their way, and how many there are."""
    (row,) = catalog.rows("SELECT count(*) AS number FROM pending_vectors")
    return catalog.settings().get(f"{_PREFIX}model"), row["number"]


class StagedVectors:
    """The vectors of one spec, kept beside an index's own until there is one for each track.

    Those that an earlier, interrupted succession of the same spec left are its beginning;
    another identity's are discarded.

    Parameters
    ----------
    catalog : Catalog
    spec : EmbeddingSpec
        Whose vectors the index is to hold.
    """

    def __init__(self, catalog: Catalog, spec: EmbeddingSpec) -> None:
        self._catalog = catalog
        self._settings = spec.to_settings()
        self._ours = {_PREFIX + name: value for name, value in self._settings.items()}
        with catalog.transaction():
            if not self._is_ours():
                catalog.db.execute("DELETE FROM pending_vectors")
                catalog.set_settings(self._ours)

    def _is_ours(self) -> bool:
        return self._ours.items() <= self._catalog.settings().items()

    def _check_ours(self) -> None:
        if not self._is_ours():
            raise LibraryError(
                "Another process gives the index other vectors, or has just done so.",
                hint="Let one of them end, and run this again.",
            )

    def missing(self) -> list[Track]:
        """Return the tracks that have no such vector yet."""
        return list(self._catalog.tracks_where("id NOT IN (SELECT track_id FROM pending_vectors)"))

    def vectors_by_content(self) -> dict[str, int]:
        """Return for each content that was embedded, by its hash, the id of a track with it."""
        rows = self._catalog.rows("SELECT content_hash, track_id FROM pending_vectors")
        return {row["content_hash"]: row["track_id"] for row in rows}

    def put(self, track: Track, content_hash: str, vector: Float32) -> None:
        """Keep a track's vector, unless it was embedded anew or removed meanwhile.

        Parameters
        ----------
        track : Track
        content_hash : str
            Of the file as it is: another one than the track's where it changed since.
        vector : ndarray of float32, shape (128,)
            Of unit length.
        """
        with self._catalog.transaction():
            self._check_ours()
            self._catalog.db.execute(
                "INSERT OR REPLACE INTO pending_vectors "
                "SELECT id, ?, ? FROM tracks WHERE id = ? AND content_hash = ?",
                [content_hash, vector.astype("<f4").tobytes(), track.id, track.content_hash],
            )

    def vector(self, track_id: int) -> Float32 | None:
        """Return the vector that is kept for a track: float32, shape (128,)."""
        sql = "SELECT embedding FROM pending_vectors WHERE track_id = ?"
        rows = self._catalog.rows(sql, [track_id])
        return np.frombuffer(rows[0]["embedding"], dtype="<f4") if rows else None

    def commit(self, lost: Iterable[tuple[Track, Failure]]) -> bool:
        """Put the vectors in the place of the index's own, in one transaction.

        Parameters
        ----------
        lost : iterable of (Track, Failure)
            Tracks that become failures, for want of a vector.

        Returns
        -------
        bool
            Whether it was done; not while tracks are missing, such as new ones.
        """
        catalog, gone = self._catalog, dict(lost)
        with catalog.transaction():
            self._check_ours()
            if not set(self.missing()) <= gone.keys():
                return False
            for track, failure in gone.items():
                catalog.remove([track])
                catalog.put_failures([failure])
            catalog.db.execute(
                "INSERT OR REPLACE INTO vectors (track_id, revision, embedding) "
                "SELECT track_id, ?, embedding FROM pending_vectors",
                [catalog.next_revision()],
            )
            # What is known of files that changed since is old: the next `add` reads them anew.
            catalog.db.execute(
                "UPDATE tracks SET content_hash = '', mtime_ns = -1 WHERE content_hash <> "
                "(SELECT content_hash FROM pending_vectors WHERE track_id = id)"
            )
            catalog.db.execute("DELETE FROM pending_vectors")
            catalog.db.execute("DELETE FROM settings WHERE key LIKE ?", [f"{_PREFIX}%"])
            catalog.set_settings(self._settings)
        return True
