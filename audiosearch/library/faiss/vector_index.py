"""Vector indexes of a folder: FAISS indexes of the plain and the whitened vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch import time_limit
from audiosearch.errors import IndexUnwritable
from audiosearch.library.faiss.candidates import FaissCandidates, NearTracks
from audiosearch.library.filters import EVERYTHING
from audiosearch.library.search_target import SearchTarget

if TYPE_CHECKING:
    from pathlib import Path

    from audiosearch.library.faiss.faiss_index import FaissIndex
    from audiosearch.library.faiss.index_config import IndexConfig, IndexName
    from audiosearch.library.faiss.persistent_index import PersistentFaissIndex
    from audiosearch.library.faiss.vector_database import TrackVectorDatabase
    from audiosearch.library.filters import Filters
    from audiosearch.types import Float32

_WHITENED_FILE = "whitened.faiss"
MOMENTS_FILE = "moments.faiss"  # it isn't one of the `VectorIndexes`


class VectorIndexes:
    """The FAISS indexes of a folder. FAISS is imported when the first one is needed.

    Parameters
    ----------
    database : TrackVectorDatabase
    directory : Path
        Folder of the files.
    """

    def __init__(self, database: TrackVectorDatabase, directory: Path) -> None:
        self._database = database
        self._directory = directory
        self._open: dict[bool, PersistentFaissIndex] = {}  # key: whether it is whitened

    def vector_index(self, *, whiten: bool = False) -> PersistentFaissIndex:
        """Return the up-to-date vector index of the plain or the whitened vectors.

        Raises
        ------
        LibraryError
            If there are too few tracks to whiten.
        """
        from audiosearch.library.faiss.persistent_index import PersistentFaissIndex

        with time_limit.limited(None):
            if whiten in self._open:
                self._open[whiten].refresh()
            else:
                name: IndexName = "whitened" if whiten else "vectors"
                self._open[whiten] = PersistentFaissIndex(self._database, self._directory, name)
        return self._open[whiten]

    def candidates(
        self, filters: Filters, *, near: tuple[Float32, float] | None = None
    ) -> FaissCandidates | None:
        """Return the tracks that may be hits; None if all tracks may.

        Parameters
        ----------
        filters : Filters
        near : (ndarray of float32 of shape (dimension,), float), optional
            A vector of unit length, and the smallest cosine to it that a hit may have.
        """
        if filters == EVERYTHING and near is None:
            return None
        allowed = None if filters == EVERYTHING else self._database.ids(filters)
        return FaissCandidates(allowed, near and NearTracks(*near, self.vector_index))

    def index_type(self) -> str:
        """Return the type of the FAISS index of the plain vectors."""
        return self.config().index_type

    def details(self) -> str:
        """Return the state of the FAISS file if it has no problem, as a phrase."""
        return "up to date with the database"

    def file_bytes(self) -> int:
        """Return the size of the FAISS files of vectors, in bytes."""
        return sum(
            path.stat().st_size
            for path in self._directory.glob("*.faiss")
            if path.name != MOMENTS_FILE
        )

    def problem(self) -> str | None:
        """Return the problem with the file of plain vectors, as a phrase; None if there is none."""
        from audiosearch.library.faiss.persistent_index import file_problem

        return file_problem(self._database, self._directory)

    def delete_file(self) -> None:
        """Delete the file of the plain vectors. The next search rebuilds it.

        Raises
        ------
        IndexUnwritable
            If the file can't be deleted.
        """
        from audiosearch.library.faiss.index_file import FILE_NAME

        self._open.clear()
        delete_file(self._directory / FILE_NAME)

    def memory_bytes(self) -> int:
        """Estimate the memory that searches keep, in bytes.

        It is that of the FAISS index of the plain vectors, and of the whitened ones if they have a
        file.
        """
        configs = [self.config(), *([self.config(whiten=True)] if self.has_whitened() else [])]
        n_vectors, dimension = self._database.count(), self._database.dimension
        return sum(config.memory_bytes(n_vectors, dimension) for config in configs)

    def max_memory_bytes(self) -> int | None:
        """Return the memory limit that the last `optimize` was given, in bytes; None: no limit."""
        return SearchTarget.from_settings(self._database.settings()).max_bytes

    def config(self, *, whiten: bool = False) -> IndexConfig:
        """Return type and parameters of the FAISS index that searches use."""
        from audiosearch.library.faiss.index_config import IndexConfig

        name: IndexName = "whitened" if whiten else "vectors"
        return IndexConfig.from_settings(self._database.settings(), name)

    # For `Optimization`: the vectors, and FAISS indexes of other types

    @property
    def database(self) -> TrackVectorDatabase:
        """Source of the vectors."""
        return self._database

    def has_whitened(self) -> bool:
        """Return whether the whitened vectors have a file."""
        return (self._directory / _WHITENED_FILE).exists()

    def set_target(self, target: SearchTarget, *, whiten: bool) -> None:
        """Store the recall and memory of later searches.

        Parameters
        ----------
        target : SearchTarget
        whiten : bool
            Whether the whitened vectors have a type of their own. Else they take that of the plain
            vectors when they are first searched.
        """
        from audiosearch.library.faiss.index_config import CONFIG_SETTINGS

        follower = {} if whiten else {CONFIG_SETTINGS["whitened"]: ""}
        self._database.set_settings(target.to_settings() | follower)

    def build(self, config: IndexConfig, *, whiten: bool = False) -> FaissIndex:
        """Build a FAISS index of all vectors in memory. Pass it to `use` to search with it."""
        from audiosearch.library.faiss.faiss_index import FaissIndex

        index = FaissIndex(self._database, config, whiten=whiten)
        index.build()
        return index

    def use(self, index: FaissIndex) -> None:
        """Write an index that `build` returned, and make later searches use it.

        Raises
        ------
        IndexUnwritable
            If the file can't be written.
        """
        from audiosearch.library.faiss.persistent_index import save

        try:
            save(self._database, self._directory, index)
        except (OSError, RuntimeError) as exc:  # RuntimeError comes from FAISS
            raise IndexUnwritable(
                f"Can't write the FAISS index to {self._directory}.",
                hint="Free some space on the disk, or make the folder writable.",
            ) from exc
        self._open.clear()


def delete_file(path: Path) -> None:
    """Delete the file of a FAISS index, if there is one.

    Raises
    ------
    IndexUnwritable
        If it can't be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise IndexUnwritable(
            f"Can't delete {path}: {exc.strerror}.", hint=f"Delete {path} yourself."
        ) from exc
