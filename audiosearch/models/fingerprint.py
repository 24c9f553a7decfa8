"""Fingerprints: whether two models give comparable embeddings.

A fingerprint is a digest over the weights' arrays in order and the front end's version, so
that it does not matter what kind of file the weights came in.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.tflite_graph import vggish_arrays
from audiosearch.params import FRONT_END_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from audiosearch.params import Float32


def arrays_fingerprint(arrays: Iterable[Float32]) -> str:
    """Return the fingerprint of weights given as arrays, in the order of the layers."""
    digest = _new_digest()
    for array in arrays:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f4").data)
    return digest.hexdigest()


def tflite_fingerprint(path: Path) -> tuple[str, bool]:
    """Return the fingerprint of a LiteRT file, and whether it is VGGish's network.

    A file that computes VGGish as its conversion does has the fingerprint of the checkpoint
    it was converted from; any other file one of its bytes.

    Raises
    ------
    OSError
        Where the file cannot be read.
    """
    arrays = vggish_arrays(path.read_bytes())
    if arrays is None:
        return file_fingerprint(path), False
    return arrays_fingerprint(arrays), True


def file_fingerprint(path: Path) -> str:
    """Return the fingerprint of a file whose weights are not told apart from the rest of it."""
    digest = _new_digest()
    digest.update(path.read_bytes())
    return digest.hexdigest()


def _new_digest() -> hashlib._Hash:
    return hashlib.sha256(FRONT_END_VERSION.encode())
