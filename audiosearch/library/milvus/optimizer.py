"""Choosing the type of Milvus's index of the vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.errors import UsageError

if TYPE_CHECKING:
    from audiosearch.library.milvus.catalog import MilvusCatalog
    from audiosearch.library.search_target import SearchTarget
    from audiosearch.library.tuning import OptimizeResult


class MilvusOptimizer:
    """Chooses the type of Milvus's index; it implements `Optimizer`.

    Parameters
    ----------
    catalog : MilvusCatalog
    """

    def __init__(self, catalog: MilvusCatalog) -> None:
        self._catalog = catalog

    def optimize(self, target: SearchTarget, *, whiten: bool) -> OptimizeResult:
        """Choose a type: see `Optimizer`.

        Raises
        ------
        UsageError
            If an index of the whitened vectors is asked for.
        """
        from audiosearch.library.milvus.optimization import MilvusOptimization

        if whiten:
            raise UsageError(
                "Milvus keeps no index of whitened vectors.",
                hint="Leave out --whiten: whitened searches use the index of the plain ones.",
            )
        return MilvusOptimization(self._catalog).run(target)

    def make_exact(self) -> OptimizeResult:
        """Return to exact search."""
        from audiosearch.library.milvus.optimization import MilvusOptimization

        return MilvusOptimization(self._catalog).make_exact()
