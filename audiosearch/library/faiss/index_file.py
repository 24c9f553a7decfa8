"""The file that keeps what FAISS searches: sealed, so that a damaged one is never believed."""

from __future__ import annotations

import json
import mmap
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from blake3 import blake3

from audiosearch.atomic import atomic_path, remove_drafts

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.sqlite.database import Store
    from audiosearch.types import UInt8

FILE_NAME, WHITENED_FILE_NAME = "vectors.faiss", "whitened.faiss"

_FAISS: Any = faiss  # whose types lack what SWIG makes

# The file is what FAISS writes, then a line of JSON padded to this many bytes. FAISS, which
# reads no further than its own part, opens the file as it is.
_SEAL_BYTES = 256
_WRITING_SECONDS = 0.2


def file_name(*, whiten: bool) -> str:
    """Return the name of the file of vectors as they are, or whitened."""
    return WHITENED_FILE_NAME if whiten else FILE_NAME


@dataclass(frozen=True, slots=True)
class _Footer:
    """What the file ends with: as of when, written for whom, and that nothing is damaged.

    The database keeps the token of the file that was last written for it, so that another
    database's file, or one that is newer than a database out of a backup, is not believed.
    """

    revision: int
    token: str
    blake3: str

    def to_bytes(self) -> bytes:
        text = json.dumps({slot: getattr(self, slot) for slot in self.__slots__})
        return text.encode().ljust(_SEAL_BYTES - 1) + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> _Footer:
        return cls(**json.loads(content))


@dataclass(frozen=True, slots=True)
class LoadedIndex:
    """A FAISS index that looks into a file: not to be changed, nor to outlive what it looks into.

    Attributes
    ----------
    index : faiss.Index
    revision : int
    content : ndarray of uint8
        What the file holds, mapped into memory.
    """

    index: Any
    revision: int
    content: UInt8


class InvalidIndexFile(Exception):
    """What is wrong with the file; nothing, where there was none before."""


class IndexFile:
    """A FAISS index on disk.

    Parameters
    ----------
    store : Store
        The database whose vectors it holds, which keeps the token of the last one written.
    path : Path
    """

    def __init__(self, store: Store, path: Path) -> None:
        self._store = store
        self._path = path
        self._token = token_setting(path)

    def read(self) -> LoadedIndex:
        """Return the FAISS index and its revision.

        Raises
        ------
        InvalidIndexFile
            Where the file is not whole, or not this database's own.
        """
        body, seal = self._unsealed()
        if seal.token != self._expected_token():
            time.sleep(_WRITING_SECONDS)  # another process may be about to say that it is its own
            body, seal = self._unsealed()
        return _trusted(body, seal, self._expected_token())

    def _unsealed(self) -> tuple[memoryview, _Footer]:
        if not self._path.exists():
            raise InvalidIndexFile(*["is gone"] if self._expected_token() else [])
        return _unsealed(self._path)

    def _expected_token(self) -> str | None:
        return self._store.settings().get(self._token)

    def write(self, index: Any, revision: int, settings: dict[str, str]) -> None:
        """Keep a FAISS index that is up to date with a revision, and settings with it."""
        # In one transaction, so that of two processes one comes after the other.
        with self._store.transaction(), atomic_path(self._path) as draft:
            remove_drafts(self._path.parent, self._path.name)
            faiss.write_index(index, str(draft))
            digest = blake3().update_mmap(draft)
            seal = _Footer(revision, uuid.uuid4().hex, _sealed(digest, revision))
            with draft.open("ab") as file:
                file.write(seal.to_bytes())
            self._store.set_settings(settings | {self._token: seal.token})


def read_by_token(path: Path, token: str | None) -> LoadedIndex:
    """Return the FAISS index in a file and its revision, where it has that token.

    Raises
    ------
    InvalidIndexFile
        Where the file is not whole, or has another one.
    """
    return _trusted(*_unsealed(path), token)


def _unsealed(path: Path) -> tuple[memoryview, _Footer]:
    try:
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as exc:
        raise InvalidIndexFile(f"cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise InvalidIndexFile("is empty") from exc
    body = memoryview(content)[:-_SEAL_BYTES]
    try:
        seal = _Footer.from_bytes(content[-_SEAL_BYTES:])
    except (ValueError, TypeError) as exc:
        raise InvalidIndexFile("is damaged") from exc
    if _sealed(blake3(body), seal.revision) != seal.blake3:
        raise InvalidIndexFile("is damaged")
    return body, seal


def _trusted(body: memoryview, seal: _Footer, token: str | None) -> LoadedIndex:
    if seal.token != token:
        raise InvalidIndexFile("is not what this database wrote last")
    content = np.frombuffer(body, dtype=np.uint8)
    try:
        index = faiss.read_index(_FAISS.ZeroCopyIOReader(faiss.swig_ptr(content), len(content)))
    except RuntimeError as exc:
        raise InvalidIndexFile("cannot be read by FAISS") from exc
    return LoadedIndex(index, seal.revision, content)


def token_setting(path: Path) -> str:
    """Return the name of the setting that keeps the token of a file."""
    return f"{path.stem}_token"


def _sealed(digest: blake3, revision: int) -> str:
    """Return the digest of a body as it is once the revision follows."""
    return digest.update(str(revision).encode()).hexdigest()
