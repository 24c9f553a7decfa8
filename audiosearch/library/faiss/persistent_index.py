"""FAISS, searching the catalog's vectors: derived, kept in a file, rebuilt when in doubt."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

import faiss
import numpy as np

from audiosearch.errors import IndexUnwritable
from audiosearch.library.faiss.faiss_index import FITTED, FaissIndex
from audiosearch.library.faiss.index_config import IndexConfig, held_ids
from audiosearch.library.faiss.index_file import FILE_NAME, IndexFile, InvalidIndexFile, file_name
from audiosearch.library.faiss.whitening import is_current

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.sqlite.catalog import Catalog
    from audiosearch.types import UInt8

_MOST_REPLACED = 0.2  # of the vectors that something was trained on

log = logging.getLogger(__name__)


def keep(catalog: Catalog, directory: Path, found: FaissIndex) -> None:
    """Search in an arrangement that was tried from now on.

    Raises
    ------
    OSError, RuntimeError
        Where it cannot be written, by us or by FAISS.
    """
    settings = found.arrangement.to_settings(whiten=found.is_whitened) | found.fitted()
    file = IndexFile(catalog, directory / file_name(whiten=found.is_whitened))
    file.write(found.faiss, found.revision, settings)


class PersistentFaissIndex(FaissIndex):
    """Inner-product search over a catalog's vectors, in a file that keeps up with them.

    Exact, unless the catalog's settings name an arrangement that looks at some of them only.

    Parameters
    ----------
    catalog : Catalog
        The truth; what the file holds is brought up to date with it.
    directory : Path
        Where the derived index is kept.
    whiten : bool
        As of `FaissIndex`.

    Raises
    ------
    LibraryError
        Where there are too few tracks to whiten.
    """

    def __init__(self, catalog: Catalog, directory: Path, *, whiten: bool = False) -> None:
        arrangement = IndexConfig.of(catalog.settings(), whiten=whiten)
        super().__init__(catalog, arrangement, whiten=whiten)
        self._path = directory / file_name(whiten=whiten)
        self._file = IndexFile(catalog, self._path)
        self._mapped: UInt8 | None = None  # what FAISS looks into, and must not change
        self._read()
        self.refresh()

    def _read(self) -> None:
        """Take what the file holds, where that is to be believed and arranged as is asked."""
        self.faiss = None
        try:
            read = self._file.read()
        except InvalidIndexFile as exc:
            if exc.args:
                log.warning("%s %s; it is rebuilt from the database.", self._path, exc)
            return
        self.faiss, self.revision, self._mapped = read.index, read.revision, read.content
        if not self.arrangement.is_of(self._inner):
            self.faiss = None

    def refresh(self) -> None:
        """Catch up with the catalog, and keep the result where its folder can be written."""
        asked = IndexConfig.of(self._catalog.settings(), whiten=self.is_whitened)
        is_like = asked.is_like(self.arrangement)
        self.arrangement = asked
        if not is_like:  # another process has arranged it otherwise
            self._read()
        if self.faiss is not None and self.revision == self._catalog.revision():
            return
        settings = {}
        with self._catalog.snapshot():
            if self.faiss is None or not self._can_follow():
                self.build()
                settings = self.fitted()
                if self.arrangement != asked:  # there are too few tracks for it
                    settings |= self.arrangement.to_settings(whiten=self.is_whitened)
            else:
                if self._mapped is not None:
                    self.faiss = faiss.deserialize_index(self._mapped)
                self.follow()
        self._mapped = None
        # Derived: on a full or read-only disk it costs only the time to do it again.
        with contextlib.suppress(OSError, RuntimeError, IndexUnwritable):
            self._write(asked, settings)

    def _write(self, asked: IndexConfig, settings: dict[str, str]) -> None:
        """Write the file, unless another process has arranged it otherwise meanwhile."""
        with self._catalog.transaction():
            now = IndexConfig.of(self._catalog.settings(), whiten=self.is_whitened)
            if now.is_like(asked):
                self._file.write(self.faiss, self.revision, settings)

    def _can_follow(self) -> bool:
        """Return whether what there is can be brought up to date, and still fits then."""
        if self.is_whitened:
            fitted = int(self._catalog.settings().get(FITTED, 0))
            if not is_current(fitted, self._catalog.count()):
                return False
        elif self.arrangement.kind == "flat":
            return True
        # No node is taken out of a graph; and what is trained fits what it was trained on.
        most = 0.0 if self.arrangement.kind == "hnsw" else _MOST_REPLACED * self.n_tracks
        return len(self.outdated()) <= most


def problem(catalog: Catalog, directory: Path) -> str | None:
    """Return what is wrong with the file for searching; None where it is in step.

    A file that is behind the catalog is not wrong: it catches up with the next search.
    """
    try:
        read = IndexFile(catalog, directory / FILE_NAME).read()
    except InvalidIndexFile as exc:
        return str(exc) or ("it was never written" if catalog.count() else None)
    with catalog.snapshot():
        if read.revision != catalog.revision():
            return None
        arrangement = IndexConfig.of(catalog.settings())
        if not arrangement.is_of(read.index):
            return None  # it was arranged otherwise since, and is made anew for the next search
        if not np.array_equal(np.sort(held_ids(read.index)), catalog.vector_ids()):
            return "holds other tracks than the database"
        if arrangement.kind == "flat" and not all(
            np.array_equal(read.index.reconstruct_batch(ids), vectors)
            for ids, vectors in catalog.vector_blocks()
        ):
            return "holds other vectors than the database"
    return None
