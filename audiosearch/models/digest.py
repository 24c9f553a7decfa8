"""Fingerprints: whether two models give comparable embeddings.

A weights_digest is a digest over the weights' arrays in order and the front end's version, so
that it does not matter what kind of file the weights came in.
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
    """Return the weights_digest of weights given as arrays, in the order of the layers."""
    digest = _new_digest()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()


def tflite_digest(path: Path) -> tuple[str, bool]:
    """Return the weights_digest of a LiteRT file, and whether it is VGGish's network.

    A file that computes VGGish as its conversion does has the weights_digest of the checkpoint
    it was converted from; any other file one of its bytes.

    Raises
    ------
    OSError
        Where the file cannot be read.
    """
    arrays = vggish_arrays(path.read_bytes())
    if arrays is None:
        return file_digest(path), False
    return arrays_digest(arrays), True


def file_digest(path: Path) -> str:
    """Return the weights_digest of a file whose weights are not told apart from the rest of it."""
    digest = _new_digest()
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _new_digest() -> hashlib._Hash:
    return hashlib.sha256(FRONT_END_VERSION.encode())
