"""Open and check an index in Milvus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.library.backend import Backend, Capability, OpenIndex, Unsupported
from audiosearch.library.heard_sounds import SoundsOfTracks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from audiosearch.library.milvus.vector_index import MilvusCandidates


class MilvusBackend:
    """Backend for an index in a Milvus collection; it implements `Backend`.

    Map coordinates are not kept: each map is a new layout.
    """

    unsupported: Mapping[Capability, Unsupported] = {
        Capability.REEMBED: Unsupported(
            "Can't replace the vectors of {location} with another model's: Milvus has no "
            "transactions.",
            hint="Add the files to another collection, with --model.",
        ),
        Capability.RECOVER: Unsupported(
            "{location} can only be repaired by its server.",
            hint="Restore a backup of Milvus, or add the files to another collection.",
        ),
    }
    recover = None

    def display(self, location: str) -> str:
        """Return the address."""
        return location

    def exists(self, location: str) -> bool:
        """Return whether the collection exists and was created completely.

        Raises
        ------
        LibraryError
            If the server can't be reached.
        """
        from audiosearch.library.milvus.database import exists

        return exists(location)

    def check_writable(self, location: str) -> None:
        """Check that the packages for Milvus are installed. The server checks permissions itself.

        Raises
        ------
        MissingExtra
            If a package is missing.
        """
        from audiosearch.library.milvus.client import check_installed

        check_installed(location)

    def open(self, location: str, settings: dict[str, str] | None) -> OpenIndex[MilvusCandidates]:
        """Open the index at an address. Create it if it doesn't exist and settings are given.

        Raises
        ------
        IndexNotFound
            If the index doesn't exist and no settings are given.
        MissingExtra
            If a package for Milvus isn't installed.
        LibraryError
            If the server can't be reached, or the collection isn't an index.
        """
        from audiosearch.library.milvus.catalog import MilvusCatalog
        from audiosearch.library.milvus.moments import MilvusMoments
        from audiosearch.library.milvus.optimizer import MilvusOptimizer
        from audiosearch.library.milvus.playlists import MilvusPlaylists
        from audiosearch.library.milvus.prints import MilvusPrints
        from audiosearch.library.milvus.vector_index import MilvusVectorIndexes
        from audiosearch.library.milvus.waveforms import MilvusWaveforms

        catalog = MilvusCatalog(location, settings=settings)
        return OpenIndex(
            storage=catalog,
            vector_indexes=MilvusVectorIndexes(catalog),
            optimizer=MilvusOptimizer(catalog),
            prints=MilvusPrints(catalog),
            waveforms=MilvusWaveforms(catalog),
            playlists=MilvusPlaylists(catalog),
            links=catalog if "real_path" in catalog.fields else None,
            sounds=SoundsOfTracks(catalog.sounds),
            keeps_sounds="sounds" in catalog.fields,
            moments=MilvusMoments(catalog),
        )


BACKEND: Backend[MilvusCandidates] = MilvusBackend()
