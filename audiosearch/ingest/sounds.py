"""Find the sounds in the files of tracks that were stored without them. Nothing is embedded."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from audiosearch.audio import local_file
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.models import registry
from audiosearch.models.tagger import tagger_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from audiosearch.audio.local_file import LocalFile
    from audiosearch.embedding.pipeline import OpenLocal
    from audiosearch.embedding.result import EmbeddingResult
    from audiosearch.errors import AudioError
    from audiosearch.library.index import Index, Track


class SoundRefresh:
    """Tracks of an index that have no sounds yet, or those of another tagger.

    Iterating, which is possible once, finds the sounds, in several files at a time. It yields for
    each track its path and its error, or None if its sounds were stored. What is stored is kept
    even if the run is interrupted, and the next run continues from there.

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
        self._index = index
        self._tracks = {track.path: track for track in index if lacks_sounds(track)}
        self._pipeline = Pipeline(
            list(self._tracks),
            registry.compact(),  # the tagger takes its values
            excerpt_seconds=index.spec.excerpt_seconds,
            n_jobs=n_jobs,
            open_local=opener(self._tracks),
            has_sounds=True,
        )

    def __len__(self) -> int:
        """Return the number of tracks whose sounds were to be found when the run started."""
        return len(self._tracks)

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio that the tagger has listened to so far."""
        return self._pipeline.audio_seconds

    def __iter__(self) -> Iterator[tuple[str, AudioError | None]]:
        """Find the sounds."""
        with contextlib.closing(iter(self._pipeline)) as batches:
            for batch in batches:
                self._store(batch)
                for result in batch:
                    yield result.path, result.error

    def _store(self, batch: list[EmbeddingResult]) -> None:
        """Store the sounds of files, then those of files with the same content."""
        storage = self._index.storage
        found = {r.path: heard(r.embedding) for r in batch if r.embedding is not None}
        storage.set_fields((self._tracks[path], fields) for path, fields in found.items())
        sources = {r.path: storage.track_at(r.duplicate_of) for r in batch if r.duplicate_of}
        storage.set_fields(
            (self._tracks[path], heard(source)) for path, source in sources.items() if source
        )


def heard(source: Any) -> dict[str, Any]:
    """Return the sounds of an `Embedding` or a `Track` as fields of a track."""
    return {"sounds": source.sounds, "tagger": source.tagger}


def lacks_sounds(track: Track) -> bool:
    """Return whether a track has no sounds yet, or those of another tagger."""
    return track.tagger != tagger_digest()


def opener(tracks: Mapping[str, Track]) -> OpenLocal:
    """Return a function that opens the files of tracks by path, unless they were replaced."""

    @contextlib.contextmanager
    def open_local(path: str) -> Iterator[LocalFile]:
        with local_file.open_local(path) as file:
            yield replace(file, real_path=tracks[path].real_path)

    return open_local
