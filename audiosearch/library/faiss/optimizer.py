"""Choosing the type of the FAISS indexes of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.library.search_target import SearchTarget

if TYPE_CHECKING:
    from audiosearch.library.faiss.vector_index import VectorIndexes
    from audiosearch.library.tuning import OptimizeResult


class FaissOptimizer:
    """Chooses the type of FAISS indexes; it implements `Optimizer`. FAISS is imported when needed.

    Parameters
    ----------
    indexes : VectorIndexes
    """

    def __init__(self, indexes: VectorIndexes) -> None:
        self._indexes = indexes

    def optimize(self, target: SearchTarget, *, whiten: bool) -> OptimizeResult:
        """Choose a type: see `Optimizer`."""
        from audiosearch.library.faiss.optimization import Optimization

        return Optimization(self._indexes, target, whiten=whiten).run()

    def make_exact(self) -> OptimizeResult:
        """Return to exact search."""
        from audiosearch.library.faiss.optimization import Optimization

        return Optimization(self._indexes, SearchTarget()).make_exact()
