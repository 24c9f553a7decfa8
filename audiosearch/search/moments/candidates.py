"""The patches of an index that are nearest to those of clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from audiosearch import time_limit
from audiosearch.library.neighbors import top_k

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from audiosearch.library.storage import MomentStorage
    from audiosearch.types import Float32, Int64

_MAX_VECTORS = 64  # patches of the clips whose neighbors are searched
_MAX_PATCHES = 400_000  # patches that may have to be compared around the nearest ones
_MIN_NEAREST = 200
_BLOCK_TRACKS = 500  # whose patches are compared at a time


class NearestPatches(NamedTuple):
    """Patches near those of clips.

    Attributes
    ----------
    by_track : dict of int to ndarray of int64, shape (n_patches,)
        Numbers of patches, by the id of their track.
    is_complete : bool
        Whether the index has no more patches.
    """

    by_track: dict[int, Int64]
    is_complete: bool


def nearest_patches(
    storage: MomentStorage,
    vectors: Float32,
    n_neighbors: int,
    *,
    ids: Int64 | None,
    reach: int,
) -> NearestPatches:
    """Return the patches of an index that are nearest to those of clips.

    Parameters
    ----------
    storage : MomentStorage
    vectors : ndarray of float32, shape (n, dimension)
        The patches of the clips. If there are many, only some of them are searched.
    n_neighbors : int
        Patches for each patch of a clip.
    ids : ndarray of int64, shape (n_tracks,), or None
        Ids of the tracks to search in; None for all.
    reach : int
        Patches around each one that will be compared. If there are many, fewer neighbors are used.
    """
    neighbors = storage.search(_spread(vectors), n_neighbors, ids=ids)
    is_complete = all(len(found.products) < n_neighbors for found in neighbors)
    track_ids, patches, products = map(np.concatenate, zip(*neighbors, strict=True))
    if not len(track_ids):
        return NearestPatches({}, is_complete)
    n_used = max(_MIN_NEAREST, _MAX_PATCHES // (2 * reach + 1))
    best = np.argsort(-products, kind="stable")[:n_used]
    order = best[np.argsort(track_ids[best], kind="stable")]
    unique_ids, firsts = np.unique(track_ids[order], return_index=True)
    groups = np.split(patches[order], firsts[1:])
    return NearestPatches(dict(zip(unique_ids.tolist(), groups, strict=True)), is_complete)


def _spread(vectors: Float32) -> Float32:
    """Return at most `_MAX_VECTORS` of the vectors, evenly spread over them."""
    if len(vectors) > _MAX_VECTORS:
        rows = np.linspace(0, len(vectors) - 1, _MAX_VECTORS).round().astype(np.int64)
        vectors = vectors[rows]
    return np.ascontiguousarray(vectors)


def best_alignments(
    storage: MomentStorage,
    ids: Sequence[int],
    clips: Sequence[Sequence[Float32]],
    n: int,
    *,
    transform: Callable[[Float32], Float32],
    step: int,
) -> dict[int, Int64]:
    """Return the patches of tracks at which clips are most like what follows, patch by patch.

    All patches are compared. So sequences are found of which no patch is among the nearest.

    Parameters
    ----------
    storage : MomentStorage
    ids : sequence of int
        Ids of the tracks.
    clips : sequence of sequence of ndarray of float32, shape (n_patches, dimension)
        The vectors of each clip at several offsets, of unit length.
    n : int
        Number of patches.
    transform : callable
        Turns the embeddings of patches into vectors like those of the clips.
    step : int
        Patches of a track from one patch of a clip to the next.

    Returns
    -------
    dict of int to ndarray of int64, shape (n_patches,)
        Numbers of patches, by the id of their track.
    """
    sequences = [vectors for clip in clips for vectors in clip if len(vectors)]
    best_ids, best_patches = np.empty(0, np.int64), np.empty(0, np.int64)
    best_values = np.empty(0, np.float32)
    for start in range(0, len(ids), _BLOCK_TRACKS):
        time_limit.check()
        found = list(storage.of(ids[start : start + _BLOCK_TRACKS]))
        if not found:
            continue
        counts = [len(moments) for _, moments in found]
        track_ids = np.repeat([track_id for track_id, _ in found], counts)
        patches = np.concatenate([np.arange(count) for count in counts])
        vectors = transform(np.concatenate([moments.vectors() for _, moments in found]))
        values = np.max([_means(s, vectors, track_ids, step) for s in sequences], axis=0)
        best_ids = np.concatenate([best_ids, track_ids])
        best_patches = np.concatenate([best_patches, patches])
        best_values = np.concatenate([best_values, values])
        order, best_values = top_k(np.arange(len(best_values)), best_values, n)
        best_ids, best_patches = best_ids[order], best_patches[order]
    unique_ids = np.unique(best_ids).tolist()
    return {track_id: best_patches[best_ids == track_id] for track_id in unique_ids}


def _means(sequence: Float32, vectors: Float32, track_ids: Int64, step: int) -> Float32:
    """Return the mean cosine of a sequence with the patches from each one on: shape (n_patches,).

    It is minus infinity where the track ends before the sequence.
    """
    cosines = vectors @ sequence.T
    n_starts = len(vectors) - (len(sequence) - 1) * step
    means = np.full(len(vectors), -np.inf, dtype=np.float32)
    if n_starts > 0:
        total = sum(cosines[i * step :, i][:n_starts] for i in range(len(sequence)))
        is_one_track = track_ids[:n_starts] == track_ids[len(vectors) - n_starts :]
        means[:n_starts] = np.where(is_one_track, total / len(sequence), -np.inf)
    return means
