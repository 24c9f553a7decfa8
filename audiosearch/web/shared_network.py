"""A network that several threads share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from audiosearch.models.runtime import Network
    from audiosearch.types import Float32

_BATCH_PATCHES = 32  # that go through the network at a time; other threads wait for it


class SharedNetwork:
    """A network that threads use one at a time.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._lock = threading.Lock()

    def __call__(self, patches: Float32) -> Float32:
        """Return the network's values of patches."""
        with self._lock:
            return self._network(patches)

    def embeddings(self, values: Float32) -> Float32:
        """Return the embeddings that follow from the network's values."""
        with self._lock:
            return self._network.embeddings(values)

    def vectors(self, patches: Float32) -> Float32:
        """Return the embeddings of any number of patches: float32, shape (n, dimension)."""
        batches = np.split(patches, range(_BATCH_PATCHES, len(patches), _BATCH_PATCHES))
        return np.concatenate([self.embeddings(self(batch)) for batch in batches])
