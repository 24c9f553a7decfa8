"""Choose the type of the vector index: build each type and measure it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.errors import UsageError
from audiosearch.library.search_target import SearchTarget

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.library.tuning import OptimizeResult


def optimize(
    index: Index,
    *,
    target_recall: float = defaults.TARGET_RECALL,
    max_bytes: int | None = None,
    whiten: bool = False,
) -> OptimizeResult:
    """Choose the index type that makes searches fast, with enough recall and little memory.

    Exact search is kept if it is fast enough, or if no other type with enough recall is at least
    twice as fast. Whitened vectors get the same type if they have a FAISS index. In Milvus,
    searches fail while an index is built.

    Parameters
    ----------
    index : Index
    target_recall : float
        Smallest share of the ten nearest tracks that a search must find, in (0, 1].
    max_bytes : int, optional
        Limit of the memory that searches keep, for plain and whitened vectors together. Default: no
        limit.
    whiten : bool
        Make a FAISS index of the whitened vectors if there is none.

    Raises
    ------
    UsageError
        If the recall is out of range, or the backend keeps no index of whitened vectors.
    LibraryError
        If the index is empty, if its backend has one type only, if there are too few tracks to
        whiten, or if no type within the memory limit has enough recall.
    """
    if not 0.0 < target_recall <= 1.0:
        raise UsageError(
            f"A recall of {target_recall:g} is out of range.",
            hint="Choose a number above 0, at most 1: --target-recall 0.95.",
        )
    index.require_vectors()
    return index.optimizer.optimize(SearchTarget(target_recall, max_bytes), whiten=whiten)


def make_exact(index: Index) -> OptimizeResult:
    """Return to exact search, for plain and whitened vectors.

    Raises
    ------
    LibraryError
        If the index is empty or its backend has one type only.
    """
    index.require_vectors()
    return index.optimizer.make_exact()
