"""Find the sounds in the files of tracks that were stored without them. Nothing is embedded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from audiosearch.ingest.refresh import FileRefresh
from audiosearch.models import registry
from audiosearch.models.tagger import tagger_digest

if TYPE_CHECKING:
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.library.index import Index, Track


class SoundRefresh(FileRefresh):
    """Tracks of an index that have no sounds yet, or those of another tagger.

    Iterating finds their sounds, and those in each of their moments: see `FileRefresh`.

    Parameters
    ----------
    index : Index
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.

    Raises
    ------
    LibraryError
        If the index is a collection of an older version, which can't hold sounds.
    """

    def __init__(self, index: Index, *, n_jobs: int | None = None) -> None:
        index.require_sound_storage()
        super().__init__(
            index,
            filter(lacks_sounds, index),
            registry.compact(),  # the tagger takes its values
            n_jobs=n_jobs,
            moment_hop=index.moment_hop,
        )

    def _store(self, tracks: list[Track], embedding: Embedding) -> None:
        put_sounds(self._index, tracks, embedding)
        if embedding.moments is None:
            return
        sounds = embedding.moments.sounds
        stored = self._index.moments.of([track.id for track in tracks])
        self._index.moments.put(
            {
                track_id: replace(moments, sounds=sounds)
                for track_id, moments in stored
                if len(moments) == len(embedding.moments)
            }
        )


def put_sounds(index: Index, tracks: list[Track], embedding: Embedding) -> None:
    """Store the sounds of a file for tracks that have the same sound, and lack them."""
    fields = sound_fields(embedding)
    index.storage.set_fields((track, fields) for track in tracks if lacks_sounds(track))


def sound_fields(source: Embedding | Track) -> dict[str, Any]:
    """Return the sounds of a file as fields of its track, or of the track of a copy."""
    return {"sounds": source.sounds, "tagger": source.tagger}


def lacks_sounds(source: Embedding | Track) -> bool:
    """Return whether a file has no sounds yet, or those of another tagger."""
    return source.tagger != tagger_digest()
