"""Inverted lists of a FAISS index: filling them fast, and writing them with changes to a file."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

    import numpy.typing as npt

    from audiosearch.types import Float32, Int64, UInt8

_FAISS: Any = faiss  # its type stubs lack the classes that SWIG generates

_ITERATIONS = 10  # of k-means; more hardly change the recall of searches that are wide enough
# From this number of centroids on, a graph finds the nearest one faster than comparing all.
_MIN_GRAPH_CENTROIDS = 2_048
_GRAPH_LINKS, _GRAPH_BUILD_WIDTH, _GRAPH_WIDTH = 16, 40, 16
_EMPTY_LISTS_BYTES = 32  # what FAISS writes for lists that are all empty, at the end of a file


def trained_centroids(sample: Float32, nlist: int) -> Any:
    """Return a FAISS index of the centroids of vectors: `IndexFlatIP`, by k-means.

    Parameters
    ----------
    sample : ndarray of float32, shape (n, dimension)
        At least ``nlist`` vectors.
    nlist : int
        Number of centroids.
    """
    dimension = sample.shape[1]
    clustering = faiss.Clustering(dimension, nlist)
    clustering.niter = _ITERATIONS
    clustering.spherical = True
    clustering.min_points_per_centroid = 1  # or FAISS prints a warning about too few vectors
    clustering.train(np.ascontiguousarray(sample), _centroid_finder(dimension, nlist))
    centroids = faiss.IndexFlatIP(dimension)
    centroids.add(faiss.vector_to_array(clustering.centroids).reshape(nlist, dimension))
    return centroids


def _centroid_finder(dimension: int, nlist: int) -> Any:
    """Return an empty FAISS index that finds the nearest of many centroids fast."""
    if nlist < _MIN_GRAPH_CENTROIDS:
        return faiss.IndexFlatIP(dimension)
    graph = faiss.IndexHNSWFlat(dimension, _GRAPH_LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _GRAPH_BUILD_WIDTH
    graph.hnsw.efSearch = _GRAPH_WIDTH
    return graph


class ListFiller:
    """Adds many vectors to the lists of a trained FAISS index.

    Parameters
    ----------
    index : faiss.IndexIVF
    """

    def __init__(self, index: Any) -> None:
        self._index = index
        self._finder = _centroid_finder(index.d, index.nlist)
        self._finder.add(index.quantizer.reconstruct_n(0, index.nlist))

    def add(self, vectors: Float32, ids: Int64) -> None:
        """Add vectors, float32 of shape (n, dimension), with their ids, int64 of shape (n,)."""
        vectors = np.ascontiguousarray(vectors)
        _, numbers = self._finder.search(vectors, 1)
        self._index.add_core(len(ids), *map(faiss.swig_ptr, (vectors, ids, numbers.ravel())))


def ids_in_lists(index: Any) -> Int64:
    """Return the ids in all lists of a FAISS index, list by list: int64, shape (n,)."""
    ids = [_ids(index.invlists, number) for number in range(index.nlist)]
    return np.concatenate([np.empty(0, dtype=np.int64), *ids])


def _ids(lists: Any, number: int) -> Int64:
    """Return the ids in a list: int64, shape (n,). It is a view, if there are any."""
    size = lists.list_size(number)
    if not size:
        return np.empty(0, dtype=np.int64)
    ids: Int64 = faiss.rev_swig_ptr(lists.get_ids(number), size)
    return ids


def _codes(lists: Any, number: int) -> UInt8:
    """Return the codes in a list: uint8, shape (n, bytes of a code). It is a view."""
    size, code_size = lists.list_size(number), lists.code_size
    if not size:
        return np.empty((0, code_size), dtype=np.uint8)
    codes: UInt8 = faiss.rev_swig_ptr(lists.get_codes(number), size * code_size)
    return codes.reshape(size, code_size)


def write_changed(
    content: UInt8,
    outdated_ids: Int64,
    added: Iterable[tuple[Int64, Float32]],
    file: BinaryIO,
) -> None:
    """Write a FAISS index with changes, as `faiss.write_index` writes it.

    Only the vectors that are added are held in memory.

    Parameters
    ----------
    content : ndarray of uint8, shape (n_bytes,)
        The FAISS index as it is: an `IndexIVF`, or an `IndexPreTransform` over one.
    outdated_ids : ndarray of int64, shape (n_outdated,)
        Ids to leave out.
    added : iterable of (ndarray of int64, ndarray of float32)
        Ids, shape (n,), and vectors, shape (n, dimension), to add.
    file : binary file
    """
    before, changed = (_read(content) for _ in range(2))
    old_lists, inner = _inner(before).invlists, _inner(changed)
    new_lists, no_lists = (faiss.ArrayInvertedLists(inner.nlist, inner.code_size) for _ in "12")
    inner.replace_invlists(new_lists, False)  # they are freed by Python
    for ids, vectors in added:
        changed.add_with_ids(np.ascontiguousarray(vectors), ids)
    inner.replace_invlists(no_lists, False)
    removed = {
        number: is_outdated
        for number in range(inner.nlist)
        if len(outdated_ids)
        and (is_outdated := np.isin(_ids(old_lists, number), outdated_ids)).any()
    }
    sizes = np.array(
        [old_lists.list_size(n) + new_lists.list_size(n) for n in range(inner.nlist)], np.uint64
    )
    for number, is_outdated in removed.items():
        sizes[number] -= np.uint64(is_outdated.sum())
    inner.ntotal = changed.ntotal = int(sizes.sum())
    file.write(faiss.serialize_index(changed)[:-_EMPTY_LISTS_BYTES].data)
    file.write(struct.pack("<4sQQ4sQ", b"ilar", inner.nlist, inner.code_size, b"full", len(sizes)))
    file.write(sizes.tobytes())
    for number in range(inner.nlist):
        file.writelines(_merged(old_lists, new_lists, number, removed.get(number)))


def _merged(
    old_lists: Any, new_lists: Any, number: int, is_outdated: npt.NDArray[np.bool_] | None
) -> Iterator[memoryview]:
    """Yield the codes of a list with changes, in two parts, and then its ids."""
    kept = slice(None) if is_outdated is None else ~is_outdated
    for part in (_codes, _ids):
        yield part(old_lists, number)[kept].data
        yield part(new_lists, number).data


def _read(content: UInt8) -> Any:
    return faiss.read_index(_FAISS.ZeroCopyIOReader(faiss.swig_ptr(content), len(content)))


def _inner(index: Any) -> Any:
    """Return the FAISS index under the transforms of an index, if it has any."""
    is_transformed = isinstance(index, faiss.IndexPreTransform)
    return faiss.downcast_index(index.index) if is_transformed else index
