"""An index on a thread of its own."""

from __future__ import annotations

import math
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from audiosearch.errors import IndexNotFound
from audiosearch.library.backend import display_location
from audiosearch.library.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.library.index import EmbeddingSpec
    from audiosearch.types import StrPath

T = TypeVar("T")

_SECONDS_BETWEEN_CHECKS = 1.0  # of the model: Milvus reads it over the network


class IndexReader:
    """An index on a thread of its own, opened when it is first needed.

    If another process replaces it by an index of the same model, that one is opened.

    Parameters
    ----------
    location : str or path-like
        Folder or address of the index.
    name : str
        Name of the thread.
    spec : EmbeddingSpec, optional
        Model of the index. Default: that of the index that is opened first.

    Attributes
    ----------
    spec : EmbeddingSpec or None
    n_waiting : int
        Number of calls that wait or run; the caller keeps it.
    """

    def __init__(self, location: StrPath, name: str, *, spec: EmbeddingSpec | None = None) -> None:
        self._location = location
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._index: Index | None = None
        self._checked_at = -math.inf  # time of the last check of the model
        self.spec = spec
        self.n_waiting = 0

    def submit(self, function: Callable[[Callable[[], Index]], T]) -> Future[T]:
        """Call a function on the thread once earlier calls are done.

        It takes a function that returns the index or raises its error.
        """
        return self._thread.submit(function, self._current_index)

    def _current_index(self) -> Index:
        """Return the index that the location holds now.

        Raises
        ------
        IndexNotFound
            If it has been deleted.
        ModelMismatch
            If its model has changed, or it has been replaced by an index of another model.
        """
        if self._index is not None and not self._index.is_current():
            self._close()
        if self._index is None:
            self._index = self._opened()
            self._checked_at = -math.inf
        if self.spec is None:
            self.spec = self._index.spec
        if time.monotonic() - self._checked_at > _SECONDS_BETWEEN_CHECKS:
            self._index.check_spec(self.spec)
            self._checked_at = time.monotonic()
        return self._index

    def _opened(self) -> Index:
        try:
            return Index(self._location)
        except IndexNotFound as exc:
            if self.spec is None:
                raise
            raise IndexNotFound(
                f"The index {display_location(self._location)} is gone.",
                hint="Put it back. The server then goes on without a restart.",
            ) from exc

    def _close(self) -> None:
        index, self._index = self._index, None
        if index is not None:
            index.close()

    def close(self) -> None:
        """Finish the waiting calls, then close the index."""
        self._thread.submit(self._close).result()
        self._thread.shutdown()
