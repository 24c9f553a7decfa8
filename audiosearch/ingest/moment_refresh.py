"""Add moments to an index that was made without them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from audiosearch.ingest.moments import (
    bytes_of,
    check_unchanged_hop,
    hop_to_refresh,
    require_space,
)
from audiosearch.ingest.refresh import FileRefresh
from audiosearch.ingest.sounds import put_sounds
from audiosearch.library.runtimes import RuntimeRecord
from audiosearch.models import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.embedding.embedder import Embedding
    from audiosearch.errors import AudioError
    from audiosearch.library.index import Index, Track


class MomentRefresh(FileRefresh):
    """Tracks of an index that have no moments yet.

    The constructor makes the index one with moments. Iterating adds those that are missing, and
    the sounds of tracks that lack them: see `FileRefresh`.

    Parameters
    ----------
    index : Index
    hop : float, optional
        Seconds from one moment to the next. Default: as in the index, else 0.96.
    request : ModelRequest
        The model of the index, if it isn't found by itself.
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.

    Raises
    ------
    UsageError
        If moments can't start so often.
    LibraryError
        If the index has moments of another hop, holds excerpts, or can't have moments.
    IndexUnwritable
        If the disk has no room for them.
    ModelError
        If the model is unavailable.
    """

    def __init__(
        self,
        index: Index,
        *,
        hop: float | None = None,
        request: registry.ModelRequest = registry.AUTO_REQUEST,
        n_jobs: int | None = None,
    ) -> None:
        self._hop = hop_to_refresh(index, hop)
        self._runtimes = RuntimeRecord()
        storage = index.moments
        spec = index.spec
        model = registry.resolve_for_index(spec.model, spec.weights_digest, request)
        index.require(
            replace(
                spec,
                model=model.name,
                weights_digest=model.weights_digest,
                dimension=model.dimension,
            )
        )
        tracks = list(index) if index.moment_hop is None else storage.missing()
        n_moments = sum(track.seconds for track in tracks) / self._hop
        require_space(index.location, bytes_of(n_moments, spec.dimension))
        index.set_moment_hop(self._hop)
        super().__init__(index, tracks, model, n_jobs=n_jobs, moment_hop=self._hop)

    def __iter__(self) -> Iterator[tuple[str, AudioError | None]]:
        """Add the moments."""
        try:
            yield from super().__iter__()
        finally:
            self._index.sync()

    def _store(self, tracks: list[Track], embedding: Embedding) -> None:
        check_unchanged_hop(self._index, self._hop)
        stored = {track.id: track for track in self._index.storage.tracks([t.id for t in tracks])}
        unchanged = [
            track
            for track in tracks
            if track.id in stored and stored[track.id].content_hash == track.content_hash
        ]
        self._index.moments.put({track.id: embedding.moments for track in unchanged})
        self._runtimes.add(self._index.storage, {embedding.runtime})
        if self._index.keeps_sounds:
            put_sounds(self._index, unchanged, embedding)
