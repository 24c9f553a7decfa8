"""Open, check and recover an index in a folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch.errors import IndexUnwritable
from audiosearch.library.backend import Backend, Capability, OpenIndex, RecoveryReport, Unsupported
from audiosearch.library.faiss.optimizer import FaissOptimizer
from audiosearch.library.faiss.vector_index import VectorIndexes
from audiosearch.library.folder.moments import FolderMoments
from audiosearch.library.sqlite import database
from audiosearch.library.sqlite.catalog import Catalog
from audiosearch.library.sqlite.coordinates import CoordinateTable
from audiosearch.library.sqlite.heard_sounds import HeardSounds
from audiosearch.library.sqlite.playlist_table import PlaylistTable
from audiosearch.library.sqlite.print_table import PrintTable
from audiosearch.library.sqlite.staged_vectors import StagingTable
from audiosearch.library.sqlite.waveform_table import WaveformTable
from audiosearch.paths import why_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audiosearch.library.faiss.candidates import FaissCandidates
    from audiosearch.library.track import EmbeddingSpec


class FolderBackend:
    """Backend for an index in a folder; it implements `Backend`."""

    unsupported: Mapping[Capability, Unsupported] = {}

    def display(self, location: str) -> str:
        """Return the absolute path of the folder."""
        return os.path.abspath(location)

    def exists(self, location: str) -> bool:
        """Return whether the folder holds an index, intact or damaged."""
        return database.exists(Path(location))

    def check_writable(self, location: str) -> None:
        """Check that an index can be created or changed. Nothing is changed.

        Raises
        ------
        IndexUnwritable
            If the folder, or the database in it, can't be written.
        """
        path = Path(location).absolute()
        if reason := _why_unwritable(path):
            raise IndexUnwritable(
                f"Can't write an index to {path}: {reason}.",
                hint="Name a folder that you may write to with --index DIR.",
            )

    def open(self, location: str, settings: dict[str, str] | None) -> OpenIndex[FaissCandidates]:
        """Open the index in a folder. Create it if it doesn't exist and settings are given.

        Raises
        ------
        IndexNotFound
            If the index doesn't exist and no settings are given.
        IndexUnwritable, LibraryError
            If the database can't be written, or is damaged.
        """
        directory = Path(location).absolute()
        catalog = Catalog(directory, settings=settings)
        vector_indexes = VectorIndexes(catalog, directory)
        return OpenIndex(
            storage=catalog,
            vector_indexes=vector_indexes,
            optimizer=FaissOptimizer(vector_indexes),
            staging=StagingTable(catalog),
            coordinates=CoordinateTable(catalog),
            prints=PrintTable(catalog),
            waveforms=WaveformTable(catalog),
            playlists=PlaylistTable(catalog),
            links=catalog,
            fields=catalog,
            sounds=HeardSounds(catalog),
            suggestions=catalog,
            moments=FolderMoments(catalog, directory),
            is_current=catalog.is_current,
        )

    def recover(self, location: str, spec: EmbeddingSpec | None) -> RecoveryReport:
        """Save the readable rows of a damaged database: see `folder.recovery.recover`."""
        from audiosearch.library.folder.recovery import recover

        return recover(Path(location).absolute(), spec=spec)


def _why_unwritable(directory: Path) -> str | None:
    """Return the reason why no index can be created or changed in a folder; None if it can."""
    existing = next(p for p in (directory, *directory.parents) if os.path.lexists(p))
    if not os.path.exists(existing):
        return f"{existing} can't be used: {why_missing(os.fspath(existing))}"
    if not os.path.isdir(existing):
        return f"{existing} is not a folder"
    closed = database.unwritable_file(directory)
    try:
        with tempfile.TemporaryFile(dir=existing):  # permissions don't tell: root has them all
            pass
    except PermissionError:
        closed = existing
    except OSError as exc:
        return f"no file can be created in {existing} ({exc.strerror})"
    return f"you don't have the permission to write to {closed}" if closed else None


BACKEND: Backend[FaissCandidates] = FolderBackend()
