"""Clips and tracks as vectors to search with."""

from __future__ import annotations

import contextlib
import os
import shlex
from copy import copy
from typing import TYPE_CHECKING, TypeVar

from audiosearch.audio.pipes import seekable
from audiosearch.errors import AudioError, LibraryError, TrackNotFound
from audiosearch.library.track import EmbeddingSpec
from audiosearch.models import registry
from audiosearch.paths import is_url, why_missing
from audiosearch.playlist_files import read_playlist, warnings_about
from audiosearch.search.clip_parts import is_playlist_file
from audiosearch.search.named_track import named_track
from audiosearch.search.playlist_tracks import PlaylistTracks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.embedding.embedder import Embedder, Embedding
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.search.options import TimeRange
    from audiosearch.types import Float32, Float64, StrPath

_Vectors = TypeVar("_Vectors", bound="QueryVectors")


class QueryVectors:
    """Vectors to search with.

    A track of the index contributes its stored vector. An audio file is embedded with the index's
    model.

    Parameters
    ----------
    index : Index
    request : ModelRequest
        Embedding model. It must be the model of the index.
    part : TimeRange, optional
        The part of each clip to use. The part of a track is read from its file and embedded.

    Attributes
    ----------
    vectors : list of ndarray of float32, shape (dimension,)
        Vectors of unit length, one for each clip or track.
    weights : list of float or None
        Weight of each vector. None: all weigh the same.
    tracks : list of Track
        The tracks of the index among the clips.
    track_ids : set of int
        Ids of the tracks that were added with their stored vectors.
    warnings : list of str
        Sentences about clips that were read only in part, and about missing files.
    playlist_tracks : PlaylistTracks
        Finds the tracks that playlist files name. Copies share it.

    Raises
    ------
    ModelMismatch
        If the request names another model than that of the index.
    ModelError
        If the requested model can't be loaded.
    """

    def __init__(
        self,
        index: Index,
        request: registry.ModelRequest,
        *,
        part: TimeRange | None = None,
    ) -> None:
        self._index = index
        self._request = request
        self._part = part
        self.playlist_tracks = PlaylistTracks(index)
        # At most one, loaded when a clip needs it. Copies share the list.
        self._embedders: list[Embedder] = []
        self.vectors: list[Float32] = []
        self.weights: list[float] | None = None
        self.tracks: list[Track] = []
        self.track_ids: set[int] = set()
        self.warnings: list[str] = []
        if request.model != registry.AUTO or request.weights is not None:
            self._model()

    def empty_copy(self: _Vectors) -> _Vectors:  # noqa: PYI019  (Python 3.10 has no Self)
        """Return an empty collection of whole clips that shares the index and the loaded model."""
        other = copy(self)
        other._part = None  # noqa: SLF001
        other.vectors, other.tracks, other.warnings = [], [], []
        other.weights = None
        other.track_ids = set()
        return other

    def with_tracks(self: _Vectors, tracks: Iterable[Track]) -> _Vectors:  # noqa: PYI019
        """Return a copy with more tracks, which are added as whole tracks."""
        other = self.empty_copy()
        for name in ("vectors", "weights", "tracks", "warnings", "track_ids"):
            setattr(other, name, copy(getattr(self, name)))
        for track in tracks:
            other.add_track(track)
        return other

    def add_all(self, clips: StrPath | Iterable[StrPath], *, named: Iterable[str] = ()) -> None:
        """Add clips.

        Parameters
        ----------
        clips : str, path-like, or iterable of them
            Each is a track's path or ``#ID``, an audio file, or a playlist file. All tracks and
            files in a playlist are added.
        named : iterable of str
            More clips. Each text stands for the one track with these words in its artist, title,
            album or path.

        Raises
        ------
        TrackNotFound
            If a clip is neither a track nor a file, or a playlist contains neither, or no track has
            the words.
        AmbiguousTrack
            If words match several tracks.
        LibraryError
            If a playlist can't be read.
        AudioError, ModelError
            If a clip can't be embedded.
        """
        for clip in [clips] if isinstance(clips, (str, os.PathLike)) else clips:
            name = os.fspath(clip)
            if is_playlist_file(name):
                self._add_playlist(name)
            else:
                self._add(name)
        for words in named:
            self.add_track(named_track(self._index, words))

    def add_track(self, track: Track) -> None:
        """Add a track of the index, unless it was added before."""
        if track.id in self.track_ids:
            return
        self.track_ids.add(track.id)
        self.tracks.append(track)
        if self._part is None:
            self._append(self._index.vector(track))
        else:
            self._add_part(track.path, name=track.path, real_path=track.real_path)

    def add_embedding(self, embedding: Embedding, name: str = "") -> None:
        """Add the embedding of a clip.

        Parameters
        ----------
        embedding : Embedding
        name : str
            Prefix of a warning about the clip, such as its path and a colon.
        """
        self._append(embedding.vector)
        if embedding.warning:
            self.warnings.append(name + embedding.warning)

    def _append(self, vector: Float32) -> None:
        self.vectors.append(vector)
        if self.weights is not None:
            self.weights.append(1.0)

    def add_weighted(self, vectors: Float32, weights: Float64) -> None:
        """Add vectors after all clips. Together, they weigh as much as all clips.

        Parameters
        ----------
        vectors : ndarray of float32, shape (n, dimension)
            Of unit length.
        weights : ndarray of float64, shape (n,)
            Above 0.
        """
        n_clips = len(self.vectors)
        share = max(n_clips, 1) / weights.sum()
        self.vectors += list(vectors)
        self.weights = [*[1.0] * n_clips, *(share * weights).tolist()]

    def _add_playlist(self, path: str) -> None:
        playlist = read_playlist(path)
        matches = list(self.playlist_tracks.find(playlist, with_files=True))
        problems = []
        for match in matches:
            if match.track is not None:
                self.add_track(match.track)
            elif match.file is None:
                problems.append(match.problem)
            else:
                try:
                    self._add(match.file)
                except AudioError as exc:
                    problems.append(str(exc))
        self.warnings += [*playlist.warnings, *warnings_about(path, problems)]
        if len(problems) == len(matches):
            raise TrackNotFound(
                f"{path} contains neither a track of the index {self._index.location} nor a file.",
                hint="Add its files with `audiosearch add`, or use another playlist.",
            )

    def _add(self, clip: str) -> None:
        track = self._index.resolve(clip)
        if track is not None:
            self.add_track(track)
            return
        self._require_file(clip)
        with seekable(clip) as path:
            self._add_file(path, name=clip)

    def _add_file(self, path: str, *, name: str) -> None:
        """Add a file that isn't a track.

        Parameters
        ----------
        path : str
            Path at which it can be read.
        name : str
            Its name, for messages.
        """
        if self._part is None:
            self.add_embedding(self._embedder().embed(path), name=f"{name}: ")
        else:
            self._add_part(os.path.realpath(path), name=name)

    def _add_part(self, path: str, *, name: str, real_path: str = "") -> None:
        from audiosearch.search.part_frames import PartFrames, stretch_of, stretch_reader

        stretch = stretch_of(path, self._part, real_path=real_path)
        frames = PartFrames(stretch_reader(self._index), stretch, name=name)
        self._append(self._embedder().embed_frames(frames, name))
        if frames.warning:
            self.warnings.append(f"{name}: {frames.warning}")

    def _require_file(self, clip: str) -> None:
        if is_url(clip):
            raise TrackNotFound(
                f"{clip} is not a track of the index {self._index.location}, and queries don't "
                "download URLs.",
                hint="Add it with `audiosearch add`, or download the file.",
            )
        if os.path.islink(clip) and not os.path.exists(clip):
            raise TrackNotFound(
                f"{clip} can't be read: {why_missing(clip)}.",
                hint="Restore the file, or use a path or #ID from `audiosearch list`.",
            )
        if not os.path.exists(clip):
            raise TrackNotFound(
                f"{clip or 'An empty text'} is neither a track of the index "
                f"{self._index.location} nor a file.",
                hint=self._words_hint(clip)
                or "Use an audio file, or a path or #ID from `audiosearch list`.",
            )

    def _words_hint(self, clip: str) -> str | None:
        """Return a hint to search by words instead, if a track has the words of a clip's name."""
        with contextlib.suppress(LibraryError):  # this SQLite has no full-text search
            if self._index.search_text(clip, limit=1):
                words = shlex.quote(clip)
                return (
                    f"To search with the track that has these words, use `--track {words}`. "
                    f"`audiosearch list {words}` shows all that have them."
                )
        return None

    def _embedder(self) -> Embedder:
        if not self._embedders:
            from audiosearch.embedding.embedder import Embedder

            excerpt = self._index.spec.excerpt_seconds
            self._embedders.append(Embedder(self._model(), excerpt_seconds=excerpt))
        return self._embedders[0]

    def _model(self) -> registry.Model:
        spec = self._index.spec
        model = registry.resolve_for_index(spec.model, spec.weights_digest, self._request)
        if model.weights_digest != spec.weights_digest:  # equal weights have equal dimensions
            self._index.require(
                EmbeddingSpec(
                    model.name, model.weights_digest, spec.excerpt_seconds, model.dimension
                )
            )
        return model
