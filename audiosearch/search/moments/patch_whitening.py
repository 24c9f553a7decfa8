"""Whitened patches: embeddings without the directions that all patches share.

Some models give all patches nearly the same embedding, and loudness makes most of the difference.
Whitening brings out the rest, so that a recording is found although it is louder or softer. Plain
cosines say better which sounds are alike: they rank the hits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from audiosearch.library.filters import EVERYTHING
from audiosearch.search.moments.clip import unit_rows

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.search.moments.clip import Clip
    from audiosearch.types import Float32

_MAX_TRACKS, _MAX_PATCHES_PER_TRACK = 400, 60  # to which the transform is fitted
_MIN_PATCHES_PER_DIMENSION = 4
_SHRINKAGE = 1e-3  # part of the largest variance that is added to all

_fitted: WeakKeyDictionary[Index, tuple[tuple[int, int], PatchWhitening | None]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, slots=True, eq=False)
class PatchWhitening:
    """A transform of the embeddings of patches.

    Attributes
    ----------
    mean : ndarray of float32, shape (dimension,)
    matrix : ndarray of float32, shape (dimension, dimension)
    """

    mean: Float32
    matrix: Float32

    def whitened(self, vectors: Float32) -> Float32:
        """Return whitened vectors of unit length: float32, shape (n, dimension)."""
        return unit_rows(np.asarray((vectors - self.mean) @ self.matrix, dtype=np.float32))

    def directions(self, vectors: Float32) -> Float32:
        """Return vectors to search plain patches with, in place of clips' vectors.

        Their inner products with plain vectors are, up to a constant, those of the whitened ones
        before these are scaled to unit length.
        """
        return unit_rows(self.whitened(vectors) @ self.matrix.T)


@dataclass(frozen=True, slots=True, eq=False)
class WhitenedClip:
    """A clip with whitened vectors.

    Attributes
    ----------
    whitening : PatchWhitening
    clip : Clip
    directions : ndarray of float32, shape (n, dimension)
        See `PatchWhitening.directions`.
    """

    whitening: PatchWhitening
    clip: Clip
    directions: Float32


def whitened_clip(clip: Clip, whitening: PatchWhitening) -> WhitenedClip:
    """Return a clip with whitened vectors."""
    whitened = replace(clip, vectors=tuple(map(whitening.whitened, clip.vectors)))
    return WhitenedClip(whitening, whitened, whitening.directions(np.concatenate(clip.vectors)))


def patch_whitening(index: Index) -> PatchWhitening | None:
    """Return the whitening of the patches of an index; None if there are too few.

    It is fitted to a sample of the patches, and kept while the index doesn't change.
    """
    token = index.version_token()
    if index not in _fitted or _fitted[index][0] != token:
        _fitted[index] = token, fit_whitening(_sample(index))
    return _fitted[index][1]


def _sample(index: Index) -> Float32:
    """Return embeddings of patches of random tracks: float32, shape (n, dimension)."""
    rng = np.random.default_rng(0)
    ids = index.storage.ids(EVERYTHING)
    chosen = rng.choice(ids, min(len(ids), _MAX_TRACKS), replace=False)
    parts = [np.empty((0, index.spec.dimension), dtype=np.float32)]
    for _, moments in index.moments.of(chosen.tolist()):
        step = -(-len(moments) // _MAX_PATCHES_PER_TRACK) or 1
        parts.append(moments.vectors(slice(None, None, step)))
    return np.concatenate(parts)


def fit_whitening(vectors: Float32) -> PatchWhitening | None:
    """Return the whitening of vectors of unit length, (n, dimension); None if they are too few."""
    n_patches, dimension = vectors.shape
    if n_patches < _MIN_PATCHES_PER_DIMENSION * dimension:
        return None
    mean = vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov((vectors - mean).T, dtype=np.float64))
    scales = 1 / np.sqrt(np.maximum(variances, 0) + _SHRINKAGE * variances[-1] + 1e-12)
    return PatchWhitening(mean, np.asarray(axes * scales, dtype=np.float32))
