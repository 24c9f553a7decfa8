"""Vectors of another model, kept beside the current ones until they replace them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.errors import LibraryError, ModelMismatch
from audiosearch.library.runtimes import PENDING_RUNTIMES, RUNTIMES
from audiosearch.library.sqlite.moment_table import MomentTable
from audiosearch.library.sqlite.vector_table import from_blob, to_blob
from audiosearch.library.storage import MOMENT_HOP
from audiosearch.library.track import EmbeddingSpec
from audiosearch.models.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.library.track import Failure, Track
    from audiosearch.types import Float32

_PREFIX = "pending_"  # of the names of the settings that hold the spec of the staged vectors
_BATCH_TRACKS = 100  # whose moments are in memory at a time


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
    spec are deleted, and those with moments of another hop than that of the index.

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
            if not self._is_stored():
                catalog.db.execute("DELETE FROM pending_vectors")
                settings = spec.to_settings() | {MOMENT_HOP: self._moment_hop(), RUNTIMES: ""}
                catalog.set_settings({_PREFIX + name: text for name, text in settings.items()})

    def _moment_hop(self) -> str:
        return self._catalog.settings().get(MOMENT_HOP, "")

    def _is_stored(self) -> bool:
        """Return whether what is staged has this spec, and the moments of the index its hop."""
        settings = {
            name.removeprefix(_PREFIX): text
            for name, text in self._catalog.settings().items()
            if name.startswith(_PREFIX)
        }
        try:
            spec = EmbeddingSpec.from_settings(settings)
        except (KeyError, ValueError):
            return False
        return spec == self._spec and settings.get(MOMENT_HOP, "") == self._moment_hop()

    def _check_spec(self) -> None:
        if not self._is_stored():
            raise LibraryError(
                "Another process is re-embedding the index, or has just done so, or has added or "
                "dropped its moments.",
                hint="Wait until it has finished, then run the same command again.",
            )

    def missing(self) -> list[Track]:
        """Return the tracks that have no staged vector yet."""
        return list(self._catalog.tracks_where("id NOT IN (SELECT track_id FROM pending_vectors)"))

    def vectors_by_content(self) -> dict[str, int]:
        """Return, for each content hash that was embedded, the id of a track that has it."""
        rows = self._catalog.rows("SELECT content_hash, track_id FROM pending_vectors")
        return {row["content_hash"]: row["track_id"] for row in rows}

    def put(
        self, track: Track, content_hash: str, vector: Float32, moments: Moments | None = None
    ) -> None:
        """Stage a track's vector and moments, unless the stored track was changed or removed.

        See `audiosearch.library.storage.StagedVectors.put` for parameters and errors.
        """
        if vector.shape != (self._spec.dimension,):
            raise ModelMismatch(
                f"A vector of {vector.size} numbers is not one of {self._spec}: its vectors have "
                f"{self._spec.dimension}.",
                hint=f"Use vectors of {self._spec.dimension} numbers.",
            )
        codes = sounds = prints = None
        if moments is not None:
            codes, sounds = moments.codes.tobytes(), moments.sounds and moments.sounds.to_bytes()
            prints = moments.prints_to_bytes()
        with self._catalog.transaction():
            self._check_spec()
            self._catalog.db.execute(
                "INSERT OR REPLACE INTO pending_vectors "
                "(track_id, content_hash, embedding, codes, sounds, prints) "
                "SELECT id, ?, ?, ?, ?, ? FROM tracks WHERE id = ? AND content_hash = ?",
                [
                    content_hash,
                    to_blob(vector),
                    codes,
                    sounds,
                    prints,
                    track.id,
                    track.content_hash,
                ],
            )

    def vector(self, track_id: int) -> Float32 | None:
        """Return the staged vector of a track, float32 of shape (dimension,); None if missing."""
        sql = "SELECT embedding FROM pending_vectors WHERE track_id = ?"
        rows = self._catalog.rows(sql, [track_id])
        return from_blob(rows[0]["embedding"]) if rows else None

    def moments(self, track_id: int) -> Moments | None:
        """Return the staged moments of a track; None if it has none."""
        sql = "SELECT codes, sounds, prints FROM pending_vectors WHERE track_id = ?"
        rows = self._catalog.rows(sql, [track_id])
        if not rows or rows[0]["codes"] is None:
            return None
        return Moments.from_bytes(**rows[0], dimension=self._spec.dimension)

    def commit(self, lost: Iterable[tuple[Track, Failure]]) -> bool:
        """Replace the current vectors and moments with the staged ones, in one transaction.

        A file's moments whose sounds are not staged keep the sounds that they have.

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
            runtimes = {RUNTIMES: catalog.settings().get(PENDING_RUNTIMES, "")}
            # Moments are stored with the dimension of the spec.
            catalog.set_settings(self._spec.to_settings() | runtimes)
            if self._moment_hop():
                self._commit_moments()
            # Clear the hashes of each track whose file has changed: the next `add` embeds it again.
            catalog.db.execute(
                "UPDATE tracks SET content_hash = '', audio_hash = '', mtime_ns = -1 "
                "WHERE content_hash <> "
                "(SELECT content_hash FROM pending_vectors WHERE track_id = id)"
            )
            catalog.db.execute("DELETE FROM pending_vectors")
            catalog.db.execute("DELETE FROM settings WHERE key LIKE ?", [f"{_PREFIX}%"])
        return True

    def _commit_moments(self) -> None:
        """Replace the moments of all tracks, those of a few at a time."""
        catalog = self._catalog
        catalog.db.execute(
            "UPDATE pending_vectors AS new SET sounds = (SELECT old.sounds FROM moments AS old "
            "JOIN tracks ON id = old.track_id WHERE old.track_id = new.track_id "
            "AND tracks.content_hash = new.content_hash "
            "AND n_patches * ? = length(new.codes)) WHERE sounds IS NULL",
            [self._spec.dimension],
        )
        table = MomentTable(catalog)
        ids = [row["track_id"] for row in catalog.rows("SELECT track_id FROM pending_vectors")]
        for start in range(0, len(ids), _BATCH_TRACKS):
            table.put({i: self.moments(i) for i in ids[start : start + _BATCH_TRACKS]})
