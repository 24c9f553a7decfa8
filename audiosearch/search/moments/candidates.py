"""The patches of an index that are nearest to those of clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from audiosearch.library.storage import MomentStorage
    from audiosearch.types import Float32, Int64

_MAX_VECTORS = 64  # patches of the clips whose neighbors are searched
_MAX_PATCHES = 400_000  # patches that may have to be compared around the nearest ones
_MIN_NEAREST = 200


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
