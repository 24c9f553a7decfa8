"""Weights digests: two models give comparable embeddings if their digests are equal.

The digest of VGGish covers the weights' arrays in order and the front end's version, so a
checkpoint and a LiteRT file with the same weights have the same digest. The digest of any other
model covers its LiteRT file and the front end's version: all bytes of the file, or only the
signatures that make embeddings if the file also names sounds. So a better tagger in the same file
doesn't change the digest. The tagger has a digest of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import ModelError
from audiosearch.models.cache import record_digest, recorded_digest
from audiosearch.models.front_end import FRONT_END_VERSION
from audiosearch.models.signatures import EMBEDDING_SIGNATURES, SOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
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
    from audiosearch.models.tflite_graph import vggish_arrays

    arrays = vggish_arrays(path.read_bytes())
    if arrays is None:
        return embeddings_digest(path), False
    return arrays_digest(arrays), True


def embeddings_digest(path: Path) -> str:
    """Return the weights digest of a LiteRT file that doesn't hold VGGish's network.

    It is computed once and then kept in the cache.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    return _cached_digest(path, EMBEDDING_SIGNATURES)


def sounds_digest(path: Path) -> str:
    """Return the digest of the tagger in a LiteRT file, computed once and then kept in the cache.

    Raises
    ------
    OSError
        If the file can't be read.
    """
    return _cached_digest(path, (SOUNDS,))


def _cached_digest(path: Path, signatures: Sequence[str]) -> str:
    """Return the digest of signatures of a file with sounds, or else of the bytes of the file."""
    content = path.read_bytes()
    whole = _new_digest()
    whole.update(content)
    of_bytes = whole.hexdigest()
    if SOUNDS.encode() not in content:
        return of_bytes
    key = f"{'+'.join(signatures)}|{of_bytes}"
    digest = recorded_digest(key)
    if digest is None:
        digest = _signatures_digest(content, signatures)
        if digest is None:
            return of_bytes
        with contextlib.suppress(ModelError):  # it is computed again by the next command
            record_digest(key, digest)
    return digest


def _signatures_digest(content: bytes, signatures: Sequence[str]) -> str | None:
    """Return the digest of signatures, or None if the file is damaged or has no sounds."""
    from audiosearch.models.litert_content import LiteRtContent

    digest = _new_digest()
    try:
        model = LiteRtContent(content)
        if SOUNDS not in model.signatures:
            return None
        model.update_digest(digest, [name for name in signatures if name in model.signatures])
    except (struct.error, LookupError, ValueError, AttributeError, TypeError, RecursionError):
        return None
    return digest.hexdigest()


def _new_digest() -> hashlib._Hash:
    return hashlib.sha256(FRONT_END_VERSION.encode())
