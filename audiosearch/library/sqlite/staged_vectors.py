"""Vectors of another model, kept beside the current ones until they replace them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.errors import LibraryError, ModelMismatch
from audiosearch.library.sqlite.vector_table import from_blob, to_blob
from audiosearch.library.track import EmbeddingSpec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.library.track import Failure, Track
    from audiosearch.types import Float32

_PREFIX = "pending_"  # of the names of the settings that hold the spec of the staged vectors


class StagingTable:
    """The table of staged vectors; it implements `StagingStorage`.

    Parameters
    ----------
    catalog : Catalog
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def staged_vectors(self, spec: EmbeddingSpec) -> StagedVectors:
        """Return the staged vectors of a spec. Staged vectors of another spec are deleted."""
        return StagedVectors(self._catalog, spec)

    def pending(self) -> tuple[str | None, int]:
        """Return the name of the model whose vectors are staged, and their number."""
        (row,) = self._catalog.rows("SELECT count(*) AS number FROM pending_vectors")
        return self._catalog.settings().get(f"{_PREFIX}model"), row["number"]


class StagedVectors:
    """The staged vectors of one spec.

    Vectors of the same spec, staged by an interrupted run, are kept. Staged vectors of another
    spec are deleted.

    Parameters
    ----------
    catalog : Catalog
    spec : EmbeddingSpec
        Model of the staged vectors; their dimension may differ from the current one.
    """

    def __init__(self, catalog: Catalog, spec: EmbeddingSpec) -> None:
        self._catalog = catalog
        self._spec = spec
        with catalog.transaction():
            if self._stored_spec() != spec:
                catalog.db.execute("DELETE FROM pending_vectors")
                settings = spec.to_settings()
                catalog.set_settings({_PREFIX + name: text for name, text in settings.items()})

    def _stored_spec(self) -> EmbeddingSpec | None:
        settings = {
            name.removeprefix(_PREFIX): text
            for name, text in self._catalog.settings().items()
            if name.startswith(_PREFIX)
        }
        try:
            return EmbeddingSpec.from_settings(settings)
        except (KeyError, ValueError):
            return None

    def _check_spec(self) -> None:
        if self._stored_spec() != self._spec:
            raise LibraryError(
                "Another process is re-embedding the index, or has just done so.",
                hint="Wait until it has finished, then run the same command again.",
            )

    def missing(self) -> list[Track]:
        """Return the tracks that have no staged vector yet."""
        return list(self._catalog.tracks_where("id NOT IN (SELECT track_id FROM pending_vectors)"))

    def vectors_by_content(self) -> dict[str, int]:
        """Return, for each content hash that was embedded, the id of a track that has it."""
        rows = self._catalog.rows("SELECT content_hash, track_id FROM pending_vectors")
        return {row["content_hash"]: row["track_id"] for row in rows}

    def put(self, track: Track, content_hash: str, vector: Float32) -> None:
        """Stage a track's vector, unless the stored track was changed or removed.

        See `audiosearch.library.storage.StagedVectors.put` for parameters and errors.
        """
        if vector.shape != (self._spec.dimension,):
            raise ModelMismatch(
                f"A vector of {vector.size} numbers is not one of {self._spec}: its vectors have "
                f"{self._spec.dimension}.",
                hint=f"Use vectors of {self._spec.dimension} numbers.",
            )
        with self._catalog.transaction():
            self._check_spec()
            self._catalog.db.execute(
                "INSERT OR REPLACE INTO pending_vectors (track_id, content_hash, embedding) "
                "SELECT id, ?, ? FROM tracks WHERE id = ? AND content_hash = ?",
                [content_hash, to_blob(vector), track.id, track.content_hash],
            )

    def vector(self, track_id: int) -> Float32 | None:
        """Return the staged vector of a track, float32 of shape (dimension,); None if missing."""
        sql = "SELECT embedding FROM pending_vectors WHERE track_id = ?"
        rows = self._catalog.rows(sql, [track_id])
        return from_blob(rows[0]["embedding"]) if rows else None

    def commit(self, lost: Iterable[tuple[Track, Failure]]) -> bool:
        """Replace the current vectors with the staged ones, in one transaction.

        Parameters
        ----------
        lost : iterable of (Track, Failure)
            Tracks without a staged vector. They are removed, and their failures are stored.

        Returns
        -------
        bool
            False if any other track has no staged vector; nothing is changed then.
        """
        catalog, failures = self._catalog, dict(lost)
        with catalog.transaction():
            self._check_spec()
            if not set(self.missing()) <= failures.keys():
                return False
            catalog.remove(failures.keys())
            catalog.add_failures(failures.values())
            catalog.db.execute(
                "INSERT OR REPLACE INTO vectors (track_id, revision, embedding) "
                "SELECT track_id, ?, embedding FROM pending_vectors",
                [catalog.next_revision()],
            )
            # Clear the hashes of each track whose file has changed: the next `add` embeds it again.
            catalog.db.execute(
                "UPDATE tracks SET content_hash = '', audio_hash = '', mtime_ns = -1 "
                "WHERE content_hash <> "
                "(SELECT content_hash FROM pending_vectors WHERE track_id = id)"
            )
            catalog.db.execute("DELETE FROM pending_vectors")
            catalog.db.execute("DELETE FROM settings WHERE key LIKE ?", [f"{_PREFIX}%"])
            catalog.set_settings(self._spec.to_settings())
        return True
