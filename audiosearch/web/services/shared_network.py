"""A network that several threads share."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, cast

import numpy as np

from audiosearch.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.models.registry import Model
    from audiosearch.models.runtime import Network
    from audiosearch.types import Float32

_BATCH_PATCHES = 32  # that go through the network at a time; other threads wait for it
_SECONDS_BETWEEN_TRIES = 5.0  # to load a model that is missing


class SharedNetwork:
    """A network that threads use one at a time. Its model may still be missing.

    Parameters
    ----------
    find_model : callable
        Returns the model, or raises a `ModelError`.
    """

    def __init__(self, find_model: Callable[[], Model]) -> None:
        self._find_model = find_model
        self._network: Network | None = None
        self._error: ModelError | None = None
        self._tried_at = 0.0
        self._lock = threading.Lock()

    def error(self) -> ModelError | None:
        """Load the model if needed, and return the reason if it can't be used.

        A missing model is looked for again after some seconds. Others don't wait for that.
        """
        if self._network is not None:
            return None
        if not self._lock.acquire(blocking=self._error is None):
            return self._error
        try:
            is_due = time.monotonic() - self._tried_at > _SECONDS_BETWEEN_TRIES
            if self._network is None and (self._error is None or is_due):
                self._load()
            return self._error
        finally:
            self._lock.release()

    def _load(self) -> None:
        try:
            self._network, self._error = self._find_model().load(), None
        except ModelError as exc:
            self._error = exc
        self._tried_at = time.monotonic()

    @property
    def is_loaded(self) -> bool:
        """Whether the model is there to be used."""
        return self._network is not None

    def __call__(self, patches: Float32) -> Float32:
        """Return the network's values of patches."""
        network = self._loaded()
        with self._lock:
            return network(patches)

    def embeddings(self, values: Float32) -> Float32:
        """Return the embeddings that follow from the network's values."""
        network = self._loaded()
        with self._lock:
            return network.embeddings(values)

    def _loaded(self) -> Network:
        if (error := self.error()) is not None:
            raise error
        return cast("Network", self._network)

    def vectors(self, patches: Float32) -> Float32:
        """Return the embeddings of any number of patches: float32, shape (n, dimension)."""
        batches = np.split(patches, range(_BATCH_PATCHES, len(patches), _BATCH_PATCHES))
        return np.concatenate([self.embeddings(self(batch)) for batch in batches])
