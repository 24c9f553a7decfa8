"""Weights digests: two models give comparable embeddings if their digests are equal.

The digest of VGGish covers the weights' arrays in order and the front end's version, so a
checkpoint and a LiteRT file with the same weights have the same digest. The digest of any other
model covers the bytes of its LiteRT file and the front end's version.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.front_end import FRONT_END_VERSION
from audiosearch.models.tflite_graph import vggish_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from audiosearch.types import Float32


def arrays_digest(arrays: Iterable[Float32]) -> str:
    """Return the digest of weights.

    Parameters
    ----------
    arrays : iterable of ndarray of float32
        Weights and biases in the order of the layers.
    """
    digest = _new_digest()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()


def tflite_digest(path: Path) -> tuple[str, bool]:
    """Return the weights digest of a LiteRT file, and whether it holds VGGish's network.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    arrays = vggish_arrays(path.read_bytes())
    if arrays is None:
        return file_digest(path), False
    return arrays_digest(arrays), True


def file_digest(path: Path) -> str:
    """Return the weights digest of a LiteRT file that doesn't hold VGGish's network.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    digest = _new_digest()
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _new_digest() -> hashlib._Hash:
    return hashlib.sha256(FRONT_END_VERSION.encode())
