"""Embed all tracks of an index with another model; until that is done, searches use the old one."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import is_missing
from audiosearch.audio.file_stat import ALWAYS_RETRY
from audiosearch.counting import counted
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.errors import AudioError, LibraryError
from audiosearch.ingest.refresh import opener
from audiosearch.ingest.sounds import lacks_sounds, sound_fields
from audiosearch.library.index import Failure, Index, Track
from audiosearch.library.runtimes import PENDING_RUNTIMES, RuntimeRecord
from audiosearch.models import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.embedding.embedder import Embedding
    from audiosearch.embedding.result import EmbeddingResult
    from audiosearch.types import Float32, StrPath


class Reembedding:
    """Tracks of an index to be embedded with another model.

    Iterating, which is possible once, embeds them, several at a time. It yields for each track
    its path and its error, or None if it was embedded. New vectors are staged: they are kept even
    if the run is interrupted, and the next run with the same model continues from there.
    `commit` replaces the old vectors by the staged ones.

    Parameters
    ----------
    directory : str or path-like
        Location of the index.
    request : ModelRequest
        The other model.
    sounds : bool
        Whether to find the sounds of tracks that have none yet, or those of another tagger.
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.

    Attributes
    ----------
    spec : EmbeddingSpec
        The other model, and the excerpt of the index.
    sizes : dict of str to float
        Lengths of the tracks in seconds, by path.

    Raises
    ------
    IndexNotFound, IndexUnwritable, LibraryError
        If there is no index that can be written, or it already holds vectors of that model.
    ModelError
        If the model is unavailable.
    """

    def __init__(
        self,
        directory: StrPath,
        request: registry.ModelRequest,
        *,
        sounds: bool = True,
        n_jobs: int | None = None,
    ) -> None:
        Index.check_writable(directory)
        self._index = Index(directory)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._index.close)
            model = registry.resolve_request(request, may_fetch=True)
            self.spec = replace(
                self._index.spec,
                model=model.name,
                weights_digest=model.weights_digest,
                dimension=model.dimension,
            )
            if self.spec == self._index.spec:
                raise LibraryError(
                    f"The index {self._index.location} already holds vectors of {self.spec}.",
                    hint="Name another model with --model, or other weights with --weights.",
                )
            self._staged = self._index.staged_vectors(self.spec)
            self._tracks = {track.path: track for track in self._staged.missing()}
            self.sizes = {path: track.seconds for path, track in self._tracks.items()}
            self._staged_ids = self._staged.vectors_by_content()
            on_failure.pop_all()
        self._failed: list[tuple[Track, Failure]] = []
        self._runtimes = RuntimeRecord(PENDING_RUNTIMES)
        hop = self._index.moment_hop
        lacks_moments = hop is not None and bool(self._index.moments.missing())
        self._has_sounds = sounds and (
            lacks_moments or any(map(lacks_sounds, self._tracks.values()))
        )
        self._pipeline = Pipeline(
            list(self._tracks),
            model,
            excerpt_seconds=self.spec.excerpt_seconds,
            n_jobs=n_jobs,
            known_hashes=self._staged_ids,
            open_local=opener(self._tracks),
            has_sounds=self._has_sounds,
            moment_hop=hop,
        )

    def __len__(self) -> int:
        """Return the number of tracks without a staged vector when the run started."""
        return len(self._tracks)

    def __enter__(self) -> Reembedding:
        return self

    def __exit__(self, *exception: object) -> None:
        self._index.close()

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio embedded so far."""
        return self._pipeline.audio_seconds

    def __iter__(self) -> Iterator[tuple[str, AudioError | None]]:
        """Embed the tracks."""
        with contextlib.closing(iter(self._pipeline)) as batches:
            for batch in batches:
                with self._index.transaction():
                    for result in batch:
                        self._stage(result)
                for result in batch:
                    yield result.path, result.error

    def _stage(self, result: EmbeddingResult) -> None:
        track = self._tracks[result.path]
        if result.error is not None:
            failure = Failure(track.path, result.error.reason, *ALWAYS_RETRY)
            self._failed.append((track, failure))
            return
        content_hash = result.file_stat.content_hash if result.file_stat else ""
        source: Embedding | Track | None = result.embedding
        if result.embedding is not None:
            vector: Float32 | None = result.embedding.vector
            moments = result.embedding.moments
            self._runtimes.add(self._index.storage, {result.embedding.runtime})
        else:
            duplicate_id = result.duplicate_of and self._tracks[result.duplicate_of].id
            source_id = duplicate_id or self._staged_ids[content_hash]
            vector, moments = self._staged.vector(source_id), self._staged.moments(source_id)
            source = next(self._index.storage.tracks([source_id]), None)
        if vector is not None:
            self._staged.put(track, content_hash, vector, moments)
        if self._has_sounds and lacks_sounds(track) and source and not lacks_sounds(source):
            self._index.storage.set_fields([(track, sound_fields(source))])

    def commit(self, *, force: bool = False) -> list[Failure]:
        """Replace the old vectors of the index by the staged ones.

        Parameters
        ----------
        force : bool
            Turn tracks that can't be embedded into failures.

        Returns
        -------
        list of Failure
            Tracks that became failures.

        Raises
        ------
        LibraryError
            If tracks have no staged vector. The index is unchanged and staged vectors are kept.
        """
        path = self._index.location
        unchanged = f"the index {path} still uses {self._index.spec}"
        if self._failed and len(self._failed) == self._index.n_tracks:
            raise LibraryError(
                f"None of the tracks can be embedded with {self.spec}; {unchanged}.",
                hint="Check that the disk with the files is mounted, and that the model works.",
            )
        if self._failed and not force:
            n_missing = sum(is_missing(track.path) for track, _ in self._failed)
            raise LibraryError(
                f"{counted(len(self._failed), 'track')} can't be embedded, {n_missing} of them "
                f"because of a missing file; {unchanged}.",
                hint="Restore the files and run the command again, or drop these tracks from the "
                "index with --force.",
            )
        if not self._staged.commit(self._failed):
            raise LibraryError(
                f"Tracks of the index {path} were added or changed in the meantime; it still uses "
                f"{self._index.spec}.",
                hint="Run the same command again: it embeds only those tracks.",
            )
        self._index.spec = self.spec
        self._index.sync()
        return [failure for _, failure in self._failed]
