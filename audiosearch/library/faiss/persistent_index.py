"""A FAISS index in a file, brought up to date with the database or rebuilt from it."""

from __future__ import annotations

import contextlib
import logging
import math
import re
from typing import TYPE_CHECKING

import faiss
import numpy as np

from audiosearch.errors import IndexUnwritable
from audiosearch.library.faiss.faiss_index import WHITENED_TRACKS, FaissIndex
from audiosearch.library.faiss.index_config import CONFIG_SETTINGS, FLAT, IndexConfig, held_ids
from audiosearch.library.faiss.index_file import (
    IndexFile,
    InvalidIndexFile,
    file_name,
    saver,
)
from audiosearch.library.faiss.inverted_lists import write_changed
from audiosearch.library.faiss.tuning import TransformedVectors
from audiosearch.library.faiss.whitening import is_current
from audiosearch.library.search_benchmark import SearchBenchmark
from audiosearch.library.search_target import SearchTarget
from audiosearch.library.tuning import tune

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.faiss.index_config import IndexName
    from audiosearch.library.faiss.vector_database import VectorDatabase
    from audiosearch.types import UInt8

_MAX_OUTDATED = 0.2  # a trained index is rebuilt if more than this share of it is outdated

_CONTENTS: dict[IndexName, str] = {
    "vectors": "tracks",
    "whitened": "tracks",
    "moments": "moments",
}

log = logging.getLogger(__name__)


def save(database: VectorDatabase, directory: Path, index: FaissIndex) -> None:
    """Write a FAISS index to its file, and store its type and parameters for later searches.

    Raises
    ------
    OSError, RuntimeError
        If the file can't be written. FAISS raises RuntimeError.
    """
    name: IndexName = "whitened" if index.is_whitened else "vectors"
    settings = index.config.to_settings(name) | index.build_settings()
    file = IndexFile(database, directory / file_name(name))
    file.write(saver(index.faiss), index.revision, settings)


class PersistentFaissIndex(FaissIndex):
    """A FAISS index that is stored in a file and kept up to date with the database.

    The database's settings name its type. The default, "flat", searches exactly.

    Parameters
    ----------
    database : VectorDatabase
        Source of the vectors.
    directory : Path
        Folder of the file.
    name : {"vectors", "whitened", "moments"}
        Name of the file, and of the configuration in the settings. "whitened" searches whitened
        vectors.

    Raises
    ------
    LibraryError
        If there are too few tracks to whiten.
    """

    def __init__(
        self, database: VectorDatabase, directory: Path, name: IndexName = "vectors"
    ) -> None:
        config = IndexConfig.from_settings(database.settings(), name)
        super().__init__(database, config, whiten=name == "whitened")
        self._name: IndexName = name
        self._path = directory / file_name(name)
        self._file = IndexFile(database, self._path)
        self._mapped: UInt8 | None = None  # mapped file that FAISS reads from and must not change
        self._read()
        self.refresh()

    def build(self) -> None:
        """Index all vectors.

        Whitened vectors without a type of their own take that of the plain vectors, with searches
        wide enough for the recall that `optimize` was asked for.

        Raises
        ------
        OverMemoryLimit
            If they don't fit into the memory that it was given.
        LibraryError
            If there are too few tracks to whiten.
        """
        with self._database.snapshot():
            settings = self._database.settings()
            is_follower = self.is_whitened and not settings.get(CONFIG_SETTINGS["whitened"])
            target = SearchTarget.from_settings(settings)
            if is_follower and not self._path.exists():
                configs = [IndexConfig.from_settings(settings), self.config]
                target.check_memory(configs, self._database.count(), self._database.dimension)
            super().build()
            if is_follower and self.config != FLAT:
                benchmark = SearchBenchmark(TransformedVectors(self._database, self.transform))
                tune(self, benchmark, target.recall, math.inf)

    def _read(self) -> None:
        """Read the index from the file. It stays None if the file is invalid or of another type."""
        self.faiss = None
        try:
            loaded = self._file.read()
        except InvalidIndexFile as exc:
            if exc.args:
                log.warning("%s %s. It will be rebuilt from the database.", self._path, exc)
            return
        self.faiss, self.revision, self._mapped = loaded.index, loaded.revision, loaded.content
        if not self.config.matches(self._inner, self._database.dimension):
            self.faiss = None

    def refresh(self) -> None:
        """Bring the index up to date with the database, and write the file if possible."""
        configured = self._configured()
        is_same = configured.has_same_structure(self.config)
        self.config = configured
        if not is_same:  # another process has changed the type
            self._read()
        if self._is_current():
            return
        if self.faiss is not None and self._file.is_newer():
            self._read_newer()  # another process or thread may have brought the file up to date
            if self._is_current():
                return
        if self._write_changes(configured):
            return
        settings = {}
        with self._database.snapshot():
            outdated = None if self.faiss is None else self.outdated_ids()
            if outdated is None or self._must_rebuild(len(outdated)):
                self.build()
                settings = self.build_settings()
                if self.config != configured:  # there are too few tracks for the configured type
                    settings |= self.config.to_settings(self._name)
            else:
                if self._mapped is not None:
                    self.faiss = faiss.deserialize_index(self._mapped)
                self.apply_changes(outdated)
        self._mapped = None
        # On a full or read-only disk, the next process does the same work again.
        with contextlib.suppress(OSError, RuntimeError, IndexUnwritable):
            self._write(configured, settings)
            self._read_newer()  # all threads and processes share the memory of the mapped file

    def _write_changes(self, configured: IndexConfig) -> bool:
        """Write a file with the changes of the database, without a copy of the index in memory.

        Returns
        -------
        bool
            Whether the index is up to date. Not if it is new, has no lists, must be rebuilt, or
            the file can't be written.
        """
        content = self._mapped
        if self.faiss is None or content is None or not self.config.nlist:
            return False
        with contextlib.suppress(OSError, RuntimeError, IndexUnwritable):
            with self._database.transaction():
                outdated = self.outdated_ids()
                is_same = self._configured().has_same_structure(configured)
                if self._must_rebuild(len(outdated)) or not is_same:
                    return False
                added = self._database.vector_blocks(self.revision)

                def save(draft: Path) -> None:
                    with draft.open("wb") as file:
                        write_changed(content, outdated, added, file)

                self._file.write(save, self._database.revision(), {})
            self._read_newer()
        return self._is_current()

    def _configured(self) -> IndexConfig:
        """Return the configuration that the settings name."""
        return IndexConfig.from_settings(self._database.settings(), self._name)

    def _is_current(self) -> bool:
        return self.faiss is not None and self.revision == self._database.revision()

    def _read_newer(self) -> None:
        """Read the index from the file, unless the file is invalid or older."""
        kept = self.faiss, self.revision, self._mapped
        self._read()
        if self.faiss is None or self.revision < kept[1]:
            self.faiss, self.revision, self._mapped = kept

    def _write(self, configured: IndexConfig, settings: dict[str, str]) -> None:
        """Write the file, unless another process has just changed the configured type."""
        with self._database.transaction():
            if self._configured().has_same_structure(configured):
                self._file.write(saver(self.faiss), self.revision, settings)

    def _must_rebuild(self, n_outdated: int) -> bool:
        """Return whether the index must be rebuilt, because it can't take the changes."""
        if self.dimension != self._database.dimension:
            return True
        if self.is_whitened:
            n_fitted = self._database.settings().get(WHITENED_TRACKS, "")
            is_number = re.fullmatch("[0-9]{1,18}", n_fitted) is not None
            if not (is_number and is_current(int(n_fitted), self._database.count())):
                return True
        elif self.config.index_type == "flat":
            return False
        # FAISS can't remove nodes from an HNSW graph. IVF lists and PQ codes are less accurate if
        # most vectors differ from those that they were trained on.
        max_share = 0.0 if self.config.index_type == "hnsw" else _MAX_OUTDATED
        return n_outdated > max_share * self.n_tracks


def file_problem(
    database: VectorDatabase, directory: Path, name: IndexName = "vectors"
) -> str | None:
    """Return the problem with the file of a FAISS index, as a phrase; None if there is none.

    A file that is older than the database is fine: the next search brings it up to date.
    """
    try:
        loaded = IndexFile(database, directory / file_name(name)).read()
    except InvalidIndexFile as exc:
        return str(exc) or ("was never written" if database.count() else None)
    with database.snapshot():
        if loaded.revision != database.revision():
            return None
        config = IndexConfig.from_settings(database.settings(), name)
        if not config.matches(loaded.index, database.dimension):
            return None  # its type was changed since; the next search rebuilds it
        if not np.array_equal(np.sort(held_ids(loaded.index)), database.vector_ids()):
            return f"holds other {_CONTENTS[name]} than the database"
        if config.index_type == "flat" and not all(
            np.array_equal(loaded.index.reconstruct_batch(ids), vectors)
            for ids, vectors in database.vector_blocks()
        ):
            return "holds other vectors than the database"
    return None
