"""The file of a FAISS index. Its digest and token reveal a damaged or foreign file."""

from __future__ import annotations

import json
import re
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from blake3 import blake3

from audiosearch import system
from audiosearch.atomic import atomic_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from audiosearch.library.faiss.index_config import IndexName
    from audiosearch.library.faiss.vector_database import SettingsDatabase
    from audiosearch.types import UInt8

FILE_NAME = "vectors.faiss"  # of plain vectors

_FAISS: Any = faiss  # its type stubs lack the classes that SWIG makes

# The file consists of the part that FAISS writes and a footer: a line of JSON, padded to this many
# bytes. FAISS ignores the footer, so it can open the file too.
_FOOTER_BYTES = 256

# Lists that FAISS keeps in another file: it opens the file, by a name in this one, to read and
# write. FAISS writes: this name, two numbers, the number of lists (less than 2^40), the lists.
_LISTS_ELSEWHERE = re.compile(rb"ilod.{21}\0\0\0", re.DOTALL)
_FLAT_START = slice(33, 41)  # the metric of an IndexIDMap, and the type of the index in it
_FLAT = (b"\0\0\0\0IxFI", b"\0\0\0\0IxSQ")  # such an index has no lists

_COMMIT_SECONDS = 0.2  # time for another process to store the token of the file that it wrote


def file_name(name: IndexName) -> str:
    """Return the name of the file of a FAISS index."""
    return f"{name}.faiss"


@dataclass(frozen=True, slots=True)
class _Footer:
    """Footer of the file.

    The database stores the token of the last file that was written for it. A file with another
    token is not used: it belongs to another database, or is newer than a restored backup.

    Attributes
    ----------
    revision : int
        Revision of the vectors in the file.
    token : str
        Random name of this version of the file.
    blake3 : str
        BLAKE3 digest of FAISS's part, followed by the revision in decimal digits.
    """

    revision: int
    token: str
    blake3: str

    def to_bytes(self) -> bytes:
        text = json.dumps({slot: getattr(self, slot) for slot in self.__slots__})
        return text.encode().ljust(_FOOTER_BYTES - 1) + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> _Footer:
        footer = cls(**json.loads(content))
        if not isinstance(footer.revision, int):
            raise TypeError(footer.revision)
        return footer


@dataclass(frozen=True, slots=True)
class LoadedIndex:
    """A FAISS index that reads its vectors from a memory-mapped file.

    Don't change the index. Keep ``content`` as long as you use it.

    Attributes
    ----------
    index : faiss.Index
    revision : int
        Revision of the vectors in it.
    content : ndarray of uint8, shape (n_bytes,)
        FAISS's part of the file, mapped into memory.
    """

    index: Any
    revision: int
    content: UInt8


class InvalidIndexFile(Exception):
    """A file can't be used. The text is a phrase such as "is damaged", or empty for a new index."""


class IndexFile:
    """A FAISS index on disk.

    Parameters
    ----------
    database : SettingsDatabase
        Database that the vectors come from. It stores the token of the last file written.
    path : Path
    """

    def __init__(self, database: SettingsDatabase, path: Path) -> None:
        self._database = database
        self._path = path
        self._token = token_setting(path)
        self._read_token: str | None = None  # of the file that was read last

    def read(self) -> LoadedIndex:
        """Return the FAISS index and its revision.

        Raises
        ------
        InvalidIndexFile
            If the file is missing, damaged, or not written for this database.
        """
        body, footer = self._read_parts()
        if footer.token != self._expected_token():
            time.sleep(_COMMIT_SECONDS)  # another process may be about to store the token
            body, footer = self._read_parts()
        loaded = _load(body, footer, self._expected_token())
        self._read_token = footer.token
        return loaded

    def is_newer(self) -> bool:
        """Return whether the file has been written again since it was read."""
        return self._expected_token() != self._read_token

    def _read_parts(self) -> tuple[memoryview, _Footer]:
        if not self._path.exists():
            raise InvalidIndexFile(*["is missing"] if self._expected_token() else [])
        return _read_parts(self._path)

    def _expected_token(self) -> str | None:
        return self._database.settings().get(self._token)

    def write(self, save: Callable[[Path], None], revision: int, settings: dict[str, str]) -> None:
        """Write a FAISS index that is up to date with a revision, and store settings with it.

        Parameters
        ----------
        save : callable
            Writes FAISS's part of the file to a path.
        revision : int
        settings : dict
        """
        # The transaction makes two processes write one after the other.
        with self._database.transaction(), atomic_path(self._path) as draft:
            save(draft)
            digest = _digest(blake3().update_mmap(draft), revision)
            footer = _Footer(revision, uuid.uuid4().hex, digest)
            with draft.open("ab") as file:
                file.write(footer.to_bytes())
            self._database.set_settings(settings | {self._token: footer.token})


def saver(index: Any) -> Callable[[Path], None]:
    """Return a function that writes a FAISS index to a path, for `IndexFile.write`."""

    def save(draft: Path) -> None:
        with draft.open("wb") as file:  # FAISS opens no names with letters of other languages
            faiss.write_index(index, _FAISS.PyCallbackIOWriter(file.write))

    return save


def read_by_token(path: Path, token: str | None) -> LoadedIndex:
    """Return the FAISS index in a file and its revision, if the file has this token.

    Raises
    ------
    InvalidIndexFile
        If the file is missing or damaged, or has another token.
    """
    return _load(*_read_parts(path), token)


def _read_parts(path: Path) -> tuple[memoryview, _Footer]:
    """Return FAISS's part of a file and the footer, with the digest checked."""
    try:
        with open(path, "rb", opener=system.open_at_once) as file:
            content = system.mapped(file)
    except OSError as exc:
        raise InvalidIndexFile(f"can't be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise InvalidIndexFile("is empty") from exc
    body = memoryview(content)[:-_FOOTER_BYTES]
    try:
        footer = _Footer.from_bytes(content[-_FOOTER_BYTES:])
    except (ValueError, TypeError) as exc:
        raise InvalidIndexFile("is damaged") from exc
    if _digest(blake3(body), footer.revision) != footer.blake3:
        raise InvalidIndexFile("is damaged")
    return body, footer


def _load(body: memoryview, footer: _Footer, token: str | None) -> LoadedIndex:
    if footer.token != token:
        raise InvalidIndexFile("is not the file that this database wrote last")
    if body[_FLAT_START] not in _FLAT and _LISTS_ELSEWHERE.search(body):
        raise InvalidIndexFile("names another file")
    content = np.frombuffer(body, dtype=np.uint8)
    try:
        index = faiss.read_index(_FAISS.ZeroCopyIOReader(faiss.swig_ptr(content), len(content)))
    except RuntimeError as exc:
        raise InvalidIndexFile("can't be read by FAISS") from exc
    return LoadedIndex(index, footer.revision, content)


def token_setting(path: Path) -> str:
    """Return the name of the setting that keeps the token of a file."""
    return f"{path.stem}_token"


def _digest(body: blake3, revision: int) -> str:
    """Return the digest of a body followed by its revision, in hexadecimal digits."""
    return body.update(str(revision).encode()).hexdigest()
