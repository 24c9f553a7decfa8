"""Neighbors of a query vector: track ids with their inner products, best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from audiosearch.types import Float32, Int64


class PatchNeighbors(NamedTuple):
    """Patches near a query vector, best first.

    Attributes
    ----------
    track_ids : ndarray of int64, shape (n,)
    patches : ndarray of int64, shape (n,)
        Number of each patch in its track. It starts at that number times the hop of the index.
    products : ndarray of float32, shape (n,)
        Inner products with the query vector.
    """

    track_ids: Int64
    patches: Int64
    products: Float32


def no_neighbors() -> tuple[Int64, Float32]:
    """Return empty neighbors: two arrays of shape (0,), int64 ids and float32 products."""
    return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)


def top_k(ids: Int64, products: Float32, k: int) -> tuple[Int64, Float32]:
    """Return the k neighbors with the largest inner products, best first.

    Of neighbors with equal products, the one with the lower id comes first.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
    products : ndarray of float32, shape (n,)
        Inner products with the query vector.
    k : int

    Returns
    -------
    ids : ndarray of int64, shape (min(k, n),)
    products : ndarray of float32, shape (min(k, n),)
    """
    order = np.lexsort((ids, -products))[:k]
    return ids[order], products[order]


def merged(
    first: tuple[Int64, Float32], second: tuple[Int64, Float32], k: int
) -> tuple[Int64, Float32]:
    """Return the k best of two lists of neighbors, best first: see `top_k`."""
    ids = np.concatenate([first[0], second[0]])
    return top_k(ids, np.concatenate([first[1], second[1]]), k)


def nearest(
    vectors: Float32, blocks: Iterable[tuple[Int64, Float32]], k: int
) -> list[tuple[Int64, Float32]]:
    """Compare vectors with all others, and return the k nearest of each, best first.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimension)
    blocks : iterable of (ndarray of int64, ndarray of float32)
        Ids, shape (n_block,), and vectors, shape (n_block, dimension).
    k : int

    Returns
    -------
    list of (ndarray of int64, ndarray of float32)
        Ids and inner products with each vector.
    """
    best = [no_neighbors()] * len(vectors)
    for ids, block in blocks:
        for n, products in enumerate(vectors @ block.T):
            n_kept = min(k, len(products))
            kept = np.argpartition(products, -n_kept)[-n_kept:]
            best[n] = merged(best[n], (ids[kept], products[kept]), k)
    return best


def drop_excluded(
    ids: Int64, products: Float32, k: int, exclude_ids: Sequence[int]
) -> tuple[Int64, Float32]:
    """Return the first k neighbors that are not excluded.

    Parameters
    ----------
    ids : ndarray of int64, shape (n,)
    products : ndarray of float32, shape (n,)
        Inner products with the query vector, best first.
    k : int
    exclude_ids : sequence of int

    Returns
    -------
    ids : ndarray of int64, shape (n_kept,)
    products : ndarray of float32, shape (n_kept,)
    """
    kept = np.flatnonzero(~np.isin(ids, exclude_ids))[:k]
    return ids[kept], products[kept]
