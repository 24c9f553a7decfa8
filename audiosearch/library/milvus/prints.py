"""Spectral prints of files, in Milvus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.models.spectral_print import SpectralPrint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from audiosearch.library.milvus.database import MilvusDatabase

_HAS_PRINTS = "has_prints"  # setting: whether any prints are stored
_PREFIX = "print:"  # of the names of prints
_HEADER_BYTES = 16  # float64: length in seconds, number of words


class MilvusPrints:
    """Spectral prints beside the settings; it implements `PrintStorage`.

    Prints of files that are no longer tracks stay.

    Parameters
    ----------
    database : MilvusDatabase
    """

    def __init__(self, database: MilvusDatabase) -> None:
        self._database = database

    def prints(self, sound_hashes: Sequence[str]) -> dict[str, SpectralPrint]:
        """Return the stored prints of files with the given hashes."""
        if not self.has_prints():
            return {}
        blobs = self._database.blobs([_name(key) for key in sound_hashes])
        return {name.removeprefix(_PREFIX): _from_blob(blob) for name, blob in blobs.items()}

    def has_prints(self) -> bool:
        """Return whether any prints are stored."""
        return bool(self._database.settings().get(_HAS_PRINTS))

    def put_prints(self, prints: Mapping[str, SpectralPrint]) -> None:
        """Store prints by hash."""
        self._database.put_blobs({_name(key): _to_blob(value) for key, value in prints.items()})
        self._database.set_settings({_HAS_PRINTS: "yes"})

    def prune_prints(self) -> None:
        """Do nothing: they take little room."""


def _name(sound_hash: str) -> str:
    return f"{_PREFIX}{sound_hash}"


def _to_blob(value: SpectralPrint) -> bytes:
    header = np.array([value.seconds, len(value.words)], dtype="<f8").tobytes()
    return header + np.concatenate([value.words, value.fine_words]).astype("<u2").tobytes()


def _from_blob(blob: bytes) -> SpectralPrint:
    seconds, n_words = np.frombuffer(blob[:_HEADER_BYTES], dtype="<f8").tolist()
    words = np.frombuffer(blob[_HEADER_BYTES:], dtype="<u2").astype(np.uint16)
    return SpectralPrint(seconds, words[: int(n_words)], words[int(n_words) :])
