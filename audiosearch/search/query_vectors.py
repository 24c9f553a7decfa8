"""What is searched with: clips and tracks as vectors."""

from __future__ import annotations

import os
from copy import copy
from typing import TYPE_CHECKING

from audiosearch.errors import TrackNotFound
from audiosearch.library.index import EmbeddingSpec, Index, Track
from audiosearch.models import registry
from audiosearch.paths import is_url
from audiosearch.playlist_files.formats import SUFFIXES, beside, read_playlist

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.embedding.embedder import Embedder, Embedding
    from audiosearch.types import Float32, StrPath


class QueryVectors:
    """Clips as vectors: those of stored tracks from the index, others by its model.

    Parameters
    ----------
    index : Index
    request : Request
        A model that was asked for must be the index's own.

    Attributes
    ----------
    vectors : list of ndarray of float32, shape (128,)
    tracks : list of Track
        Those that are the clips themselves.
    warnings : list of str
        What kept a clip from being heard to its end.
    """

    def __init__(self, index: Index, request: registry.ModelRequest) -> None:
        self._index = index
        self._request = request
        self._embedders: list[Embedder] = []  # one, once a clip needs it
        self.vectors: list[Float32] = []
        self.tracks: list[Track] = []
        self.warnings: list[str] = []
        if request.model != registry.AUTO or request.weights is not None:
            self._model()

    def empty_copy(self) -> QueryVectors:
        """Return seeds that are none yet, heard by the same network."""
        other = copy(self)
        other.vectors, other.tracks, other.warnings = [], [], []
        return other

    def add_all(self, clips: StrPath | Iterable[StrPath]) -> None:
        """Add clips, and the tracks in playlists; errors as of `audiosearch.search.similar`."""
        for clip in [clips] if isinstance(clips, (str, os.PathLike)) else clips:
            name = os.fspath(clip)
            if os.path.splitext(name)[1].lower() in SUFFIXES and os.path.isfile(name):
                self._add_playlist(name)
            else:
                self._add(name)

    def add_track(self, track: Track) -> None:
        """Add a stored track."""
        self.tracks.append(track)
        self.vectors.append(self._index.vector(track))

    def add_embedding(self, embedding: Embedding, name: str = "") -> None:
        """Add what a clip sounds like; warnings about it begin with a name."""
        self.vectors.append(embedding.vector)
        if embedding.warning:
            self.warnings.append(name + embedding.warning)

    def _add_playlist(self, path: str) -> None:
        n_before = len(self.vectors)
        for entry in read_playlist(path):
            resolved = beside(path, entry.path)
            track = self._index.resolve(entry.path)
            if track is not None:
                self.add_track(track)
            elif self._index.resolve(resolved) or os.path.exists(resolved):
                self._add(resolved)
            else:
                self.warnings.append(f"{path}: {entry.path} is neither a track nor a file")
        if len(self.vectors) == n_before:
            raise TrackNotFound(
                f"{path} names no track of the index {self._index.location}, and no file.",
                hint="Add its files first, or name another playlist.",
            )

    def _add(self, clip: str) -> None:
        track = self._index.resolve(clip)
        if track is not None:
            self.add_track(track)
            return
        if is_url(clip):
            raise TrackNotFound(
                f"{clip} is no track of the index {self._index.location}, and URLs are not heard.",
                hint="Download it, or add it by `audiosearch add --ray`.",
            )
        if not os.path.exists(clip):
            raise TrackNotFound(
                f"{clip} is neither a track of the index {self._index.location} nor a file.",
                hint="Name an audio file, or a path or #ID that `audiosearch list` shows.",
            )
        if not self._embedders:
            from audiosearch.embedding.embedder import Embedder

            excerpt = self._index.spec.excerpt_seconds
            self._embedders.append(Embedder(self._model(), excerpt_seconds=excerpt))
        behind_link = self._index.resolve(os.path.realpath(clip))
        if behind_link is not None:
            self.tracks.append(behind_link)
        self.add_embedding(self._embedders[0].embed(clip), name=f"{clip}: ")

    def _model(self) -> registry.Model:
        own = self._index.spec
        model = registry.resolve_for_index(own.model, own.weights_digest, self._request)
        self._index.require(EmbeddingSpec(model.name, model.weights_digest, own.excerpt_seconds))
        return model
