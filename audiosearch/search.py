"""Finding what sounds like something."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import TrackNotFound, UsageError
from audiosearch.library.index import Identity, Index, Track
from audiosearch.models import registry
from audiosearch.models.download import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.params import Float32, StrPath
    from audiosearch.sound.embedder import Embedder


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer to a query, best first."""

    rank: int  # from 1
    track: Track
    similarity: float  # cosine, in [-1, 1]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query found, and what there is to know about how.

    Attributes
    ----------
    identity : Identity
        Whose embeddings were compared.
    hits : list of Hit
        Best first.
    warnings : list of str
        What kept a clip from being heard to its end.
    """

    identity: Identity
    hits: list[Hit]
    warnings: list[str]


def similar(
    index: Index | StrPath,
    clips: StrPath | Iterable[StrPath],
    *,
    k: int = 10,
    include_self: bool = False,
    model: str = registry.AUTO,
    weights: StrPath | None = None,
    progress: Progress = no_progress,
) -> Answer:
    """Find the tracks that sound most like one clip, or like several taken together.

    Parameters
    ----------
    index : Index, str or path-like
        An open index, or the folder of one.
    clips : str, path-like, or iterable of them
        Each is, in this order: a stored path as given, a stored path once made absolute,
        ``#ID``, or a file on disk. Several stand for their centroid.
    k : int
        How many hits.
    include_self : bool
        Let tracks that are among the clips be hits too.
    model, weights
        As for `audiosearch.models.registry.choose`; the index's own unless given.

    Raises
    ------
    UsageError
        Where there is no clip, or ``k`` is below 1.
    IndexNotFound, ModelMismatch, LibraryError
        Where the index cannot answer.
    TrackNotFound
        Where a clip is neither a track nor a file.
    AudioError, ModelError
        Where a clip cannot be embedded.
    """
    if k < 1:
        raise UsageError(f"{k} hits were asked for.", hint="Ask for one or more: -k 10.")
    if not isinstance(index, Index):
        with Index(index) as opened:
            return similar(
                opened,
                clips,
                k=k,
                include_self=include_self,
                model=model,
                weights=weights,
                progress=progress,
            )
    seeds = _Seeds(index, registry.Request(model, weights, progress))
    for clip in [clips] if isinstance(clips, (str, os.PathLike)) else clips:
        seeds.add(os.fspath(clip))
    exclude = [] if include_self else seeds.tracks
    found = index.nearest(seeds.centroid(), k, exclude=exclude)
    hits = [Hit(rank, track, cosine) for rank, (track, cosine) in enumerate(found, start=1)]
    return Answer(index.identity, hits, seeds.warnings)


class _Seeds:
    """Clips as vectors: those of stored tracks from the index, others by its model."""

    def __init__(self, index: Index, request: registry.Request) -> None:
        self._index = index
        self._request = request
        self._embedder: Embedder | None = None
        self._vectors: list[Float32] = []
        self.tracks: list[Track] = []  # that are the clips themselves
        self.warnings: list[str] = []
        if request.model != registry.AUTO or request.weights is not None:
            self._model()  # a model that was asked for must be the index's own

    def add(self, clip: str) -> None:
        track = self._index.stored(clip)
        if track is not None:
            self.tracks.append(track)
            self._vectors.append(self._index.vector(track))
            return
        if not os.path.exists(clip):
            raise TrackNotFound(
                f"{clip} is neither a track of the index {self._index.directory} nor a file.",
                hint="Name an audio file, or a path or #ID that `audiosearch list` shows.",
            )
        if self._embedder is None:
            from audiosearch.sound.embedder import Embedder

            excerpt = self._index.identity.excerpt_seconds
            self._embedder = Embedder(self._model(), excerpt_seconds=excerpt)
        behind_link = self._index.stored(os.path.realpath(clip))
        if behind_link is not None:
            self.tracks.append(behind_link)
        embedding = self._embedder.embed(clip)
        self._vectors.append(embedding.vector)
        if embedding.warning:
            self.warnings.append(f"{clip}: {embedding.warning}")

    def centroid(self) -> Float32:
        if not self._vectors:
            raise UsageError("No clip was named.", hint="Name a file to search with.")
        mean = np.mean(self._vectors, axis=0, dtype=np.float64)
        length = np.linalg.norm(mean)
        if length < 1e-6:
            raise UsageError(
                "The clips cancel each other out: nothing lies between them.",
                hint="Search with one of them at a time.",
            )
        return np.asarray(mean / length, dtype=np.float32)

    def _model(self) -> registry.Model:
        own = self._index.identity
        model = registry.choose_again(own.model, own.fingerprint, self._request)
        self._index.require(Identity(model.name, model.fingerprint, own.excerpt_seconds))
        return model
