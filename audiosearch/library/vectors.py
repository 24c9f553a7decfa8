"""FAISS, searching the catalog's vectors: derived, kept in a file, rebuilt when in doubt."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

from audiosearch.atomic import atomic_path
from audiosearch.errors import IndexUnwritable
from audiosearch.params import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from audiosearch.library.catalog import Catalog
    from audiosearch.params import Float32

FILE_NAME = "vectors.faiss"

# The file is what FAISS writes, then a line of JSON padded to this many bytes. FAISS, which
# reads no further than its own part, opens the file as it is.
_SEAL_BYTES = 256
_TOKEN = "faiss_token"  # noqa: S105  (the name of a setting)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seal:
    """What the file ends with: as of when, written for whom, and that nothing is damaged.

    The database keeps the token of the file that was last written for it, so that another
    database's file, or one that is newer than a database out of a backup, is not believed.
    """

    revision: int
    token: str
    sha256: str

    def to_bytes(self) -> bytes:
        text = json.dumps({slot: getattr(self, slot) for slot in self.__slots__})
        return text.encode().ljust(_SEAL_BYTES - 1) + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> _Seal:
        return cls(**json.loads(content))


class VectorSearch:
    """Exact inner-product search over a catalog's vectors.

    Parameters
    ----------
    catalog : Catalog
        The truth; what the file holds is brought up to date with it.
    path : Path
        Where the derived index is kept.
    """

    def __init__(self, catalog: Catalog, path: Path) -> None:
        self._catalog = catalog
        self._path = path
        self._faiss, self._revision = self._read()
        self.refresh()

    def refresh(self) -> None:
        """Catch up with the catalog, and keep the result where its folder can be written."""
        if self._revision == self._catalog.revision():
            return
        changes = self._catalog.changes_since(self._revision)
        held = faiss.vector_to_array(self._faiss.id_map) if self._faiss.ntotal else changes.ids[:0]
        outdated = np.concatenate([np.setdiff1d(held, changes.ids), changes.new_ids])
        if len(outdated) and len(held):
            self._faiss.remove_ids(faiss.IDSelectorBatch(outdated))
        if len(changes.new_ids):
            self._faiss.add_with_ids(changes.new_vectors, changes.new_ids)
        self._revision = changes.revision
        # Derived: on a full or read-only disk it costs only the time to do it again.
        with contextlib.suppress(OSError, IndexUnwritable):
            self._write()

    def nearest(
        self, vector: Float32, k: int, *, exclude: Sequence[int] = ()
    ) -> list[tuple[int, float]]:
        """Return the ids of the nearest vectors with their inner products, best first.

        Parameters
        ----------
        vector : ndarray of float32, shape (128,)
            Of unit length, so that inner products are cosines.
        k : int
            How many; fewer where the index holds fewer.
        exclude : sequence of int
            Ids to leave out.
        """
        parameters = None
        if exclude:
            unwanted = faiss.IDSelectorBatch(np.array(exclude, dtype=np.int64))
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorNot(unwanted))  # type: ignore[call-arg]
        k = min(k, self._faiss.ntotal)
        if not k:
            return []
        similarities, ids = self._faiss.search(vector[np.newaxis], k, params=parameters)
        found = zip(ids[0].tolist(), similarities[0].tolist(), strict=True)
        return [(i, float(np.clip(s, -1.0, 1.0))) for i, s in found if i != -1]

    def _read(self) -> tuple[Any, int]:
        """Return the kept index and its revision; an empty one where none can be trusted."""
        empty = faiss.IndexIDMap2(faiss.IndexFlatIP(EMBEDDING_SIZE))
        try:
            content = self._path.read_bytes()
            seal = _Seal.from_bytes(content[-_SEAL_BYTES:])
        except FileNotFoundError:
            return empty, 0
        except (OSError, ValueError, TypeError):
            log.warning("%s is damaged; it is rebuilt from the database.", self._path)
            return empty, 0
        body = memoryview(content)[:-_SEAL_BYTES]
        if _digest(body, seal.revision) != seal.sha256:
            log.warning("%s is damaged; it is rebuilt from the database.", self._path)
            return empty, 0
        if seal.token != self._catalog.settings().get(_TOKEN):
            log.warning("%s is not what this database wrote last; it is rebuilt.", self._path)
            return empty, 0
        try:
            return faiss.deserialize_index(np.frombuffer(body, dtype=np.uint8)), seal.revision
        except RuntimeError:
            log.warning("%s cannot be read by FAISS; it is rebuilt.", self._path)
            return empty, 0

    def _write(self) -> None:
        body = faiss.serialize_index(self._faiss).tobytes()
        seal = _Seal(self._revision, uuid.uuid4().hex, _digest(body, self._revision))
        with atomic_path(self._path) as draft, draft.open("wb") as file:
            file.write(body)
            file.write(seal.to_bytes())
        self._catalog.set_settings({_TOKEN: seal.token})


def _digest(body: bytes | memoryview, revision: int) -> str:
    digest = hashlib.sha256(body)
    digest.update(str(revision).encode())
    return digest.hexdigest()
