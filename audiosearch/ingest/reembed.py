"""A whole index by another model: the old one answers until the new one is whole."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from audiosearch.audio.discovery import is_gone
from audiosearch.audio.remote import open_local
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.errors import AudioError, LibraryError
from audiosearch.library.index import Failure, Index, Track
from audiosearch.models import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.embedding.pipeline import EmbeddingResult
    from audiosearch.types import Float32, StrPath


class Reembedding:
    """The tracks of an index on their way to another model's vectors.

    Iterating, which can be done once, embeds them, several at a time, and yields for each its
    path and why it failed, or None. What was embedded is kept whatever happens, and taken up
    by the next of the same model. `succeed` ends it.

    Parameters
    ----------
    directory : str or path-like
    request : Request
        The other model.
    n_jobs : int, optional
        How many processes decode; as many as there are cores, unless given.

    Raises
    ------
    IndexNotFound, IndexUnwritable, LibraryError
        Where there is no index that can be written, or it holds that model's vectors already.
    ModelError
        Where the model cannot be had.
    """

    def __init__(
        self, directory: StrPath, request: registry.ModelRequest, *, n_jobs: int | None = None
    ) -> None:
        Index.check_writable(directory)
        self._index = Index(directory)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self._index.close)
            model = registry.resolve(
                request.model, weights=request.weights, may_fetch=True, progress=request.progress
            )
            self.spec = replace(
                self._index.spec, model=model.name, weights_digest=model.weights_digest
            )
            if self.spec == self._index.spec:
                raise LibraryError(
                    f"The index {self._index.location} already holds vectors of {self.spec}.",
                    hint="Name another model with --model, or other weights with --weights.",
                )
            self._succession = self._index.staged_vectors(self.spec)
            self._tracks = {track.path: track for track in self._succession.missing()}
            self._embedded = self._succession.vectors_by_content()
            on_failure.pop_all()
        self._lost: list[tuple[Track, Failure]] = []
        self._pipeline = Pipeline(
            list(self._tracks),
            model,
            excerpt_seconds=self.spec.excerpt_seconds,
            n_jobs=n_jobs,
            known=self._embedded,
            open_local=open_local,
        )

    def __len__(self) -> int:
        """Return how many tracks have no vector by the model yet."""
        return len(self._tracks)

    def __enter__(self) -> Reembedding:
        return self

    def __exit__(self, *exception: object) -> None:
        self._index.close()

    @property
    def audio_seconds(self) -> float:
        """How much sound was embedded so far."""
        return self._pipeline.audio_seconds

    def __iter__(self) -> Iterator[tuple[str, AudioError | None]]:
        """Embed the tracks."""
        with contextlib.closing(iter(self._pipeline)) as batches:
            for readings in batches:
                with self._index.transaction():
                    for reading in readings:
                        self._keep(reading)
                for reading in readings:
                    yield reading.path, reading.error

    def _keep(self, reading: EmbeddingResult) -> None:
        track = self._tracks[reading.path]
        if reading.error is not None:
            # Of no size and time: so the file is tried again when it is back.
            self._lost.append((track, Failure(track.path, reading.error.reason, -1, -1)))
            return
        content = reading.found.content_hash if reading.found else ""
        if reading.embedding is not None:
            vector: Float32 | None = reading.embedding.vector
        else:
            duplicate_of = reading.duplicate_of and self._tracks[reading.duplicate_of].id
            vector = self._succession.vector(duplicate_of or self._embedded[content])
        if vector is not None:
            self._succession.put(track, content, vector)

    def commit(self, *, force: bool = False) -> list[Failure]:
        """Put the new vectors in the place of the old ones.

        Parameters
        ----------
        force : bool
            Let tracks that cannot be embedded become failures.

        Returns
        -------
        list of Failure
            Those tracks.

        Raises
        ------
        LibraryError
            Where tracks are missing; the index is as it was, and the new vectors are kept.
        """
        path = self._index.location
        if self._lost and len(self._lost) == self._index.n_tracks:
            raise LibraryError(
                f"None of the tracks can be embedded by {self.spec}; the index {path} still "
                f"answers by {self._index.spec}.",
                hint="Is their disk mounted, and the model a good one?",
            )
        if self._lost and not force:
            gone = sum(is_gone(track.path) for track, _ in self._lost)
            raise LibraryError(
                f"{len(self._lost)} tracks cannot be embedded anew, {gone} of them because their "
                f"files are gone; the index {path} still answers by {self._index.spec}.",
                hint="Bring the files back and run it again, or forget them with --force.",
            )
        if not self._succession.commit(self._lost):
            raise LibraryError(
                f"Tracks of the index {path} were added or changed meanwhile; it still answers by "
                f"{self._index.spec}.",
                hint="Run the same command again: it embeds only those.",
            )
        self._index.spec = self.spec
        self._index.sync()
        return [failure for _, failure in self._lost]
