"""Decode the files of tracks once more, to store more about them. Their vectors don't change."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from audiosearch.audio import local_file
from audiosearch.audio.discovery import is_missing
from audiosearch.embedding.pipeline import Pipeline
from audiosearch.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from audiosearch.audio.file_stat import FileStat
    from audiosearch.audio.local_file import LocalFile
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.embedding.pipeline import OpenLocal
    from audiosearch.embedding.result import EmbeddingResult
    from audiosearch.library.index import Index, Track
    from audiosearch.models.registry import Model


class FileRefresh(ABC):
    """Tracks of an index whose files are decoded once more.

    Iterating, which is possible once, decodes several files at a time. It yields for each track
    its path and its error, or None if what was found is stored. Tracks whose files have changed
    are errors. What is stored is kept even if the run is interrupted, and the next run continues
    from there.

    Parameters
    ----------
    index : Index
    tracks : iterable of Track
    model : Model
        Its network, and the tagger, read the files.
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.
    moment_hop : float, optional
        Read the moments of the files, with this many seconds from one patch to the next.

    Attributes
    ----------
    sizes : dict of str to float
        Lengths of the files in seconds, by path.
    """

    def __init__(
        self,
        index: Index,
        tracks: Iterable[Track],
        model: Model,
        *,
        n_jobs: int | None,
        moment_hop: float | None,
    ) -> None:
        self._index = index
        self._tracks = {track.path: track for track in tracks}
        self.sizes = {path: track.seconds for path, track in self._tracks.items()}
        self._tracks_by_hash: defaultdict[str, list[Track]] = defaultdict(list)
        for track in self._tracks.values():
            for digest in {track.content_hash, track.audio_hash} - {""}:
                self._tracks_by_hash[digest].append(track)
        self._pipeline = Pipeline(
            list(self._tracks),
            model,
            excerpt_seconds=index.spec.excerpt_seconds,
            n_jobs=n_jobs,
            open_local=opener(self._tracks),
            has_sounds=True,
            moment_hop=moment_hop,
        )

    def __len__(self) -> int:
        """Return the number of tracks that lacked something when the run started."""
        return len(self._tracks)

    @property
    def audio_seconds(self) -> float:
        """Seconds of audio that were read so far."""
        return self._pipeline.audio_seconds

    def __iter__(self) -> Iterator[tuple[str, AudioError | None]]:
        """Read the files."""
        with contextlib.closing(iter(self._pipeline)) as batches:
            for batch in batches:
                with self._index.transaction():
                    errors = [self._store_result(result) for result in batch]
                for result, error in zip(batch, errors, strict=True):
                    yield result.path, error

    def _store_result(self, result: EmbeddingResult) -> AudioError | None:
        """Store what was found in a file for all tracks with its sound. Return the file's error."""
        track, file_stat = self._tracks[result.path], result.file_stat
        if result.error is not None or file_stat is None:
            return result.error
        same_sound = self._tracks_with(file_stat)
        if not track.content_hash:  # imported without it
            same_sound.append(track)
        if result.embedding is not None:
            self._store(same_sound, result.embedding)
            waveform = result.embedding.waveform
            self._index.put_waveforms((same, waveform) for same in same_sound)
        elif not track.content_hash:  # else the first copy that was read has stored it
            reason = f"{result.duplicate_of}, which has the same content, was read instead"
            return AudioError(track.path, reason, hint="Run the same command again.")
        if track in same_sound:
            return None
        reason = "it has changed since it was added"
        return AudioError(track.path, reason, hint="Run `audiosearch add` on it.")

    def _tracks_with(self, file_stat: FileStat) -> list[Track]:
        """Return the tracks with the sound of a file, but not those whose files are missing."""
        digests = (file_stat.content_hash, file_stat.audio_hash)
        tracks = (track for digest in digests for track in self._tracks_by_hash.get(digest, ()))
        unique = {track.id: track for track in tracks}.values()
        return [track for track in unique if not is_missing(track.path)]

    @abstractmethod
    def _store(self, tracks: list[Track], embedding: Embedding) -> None:
        """Store what was found in the sound that tracks share. Called in a transaction."""


def opener(tracks: Mapping[str, Track]) -> OpenLocal:
    """Return a function that opens the files of tracks by path, unless they were replaced."""

    @contextlib.contextmanager
    def open_local(path: str, **options: Any) -> Iterator[LocalFile]:
        track = tracks[path]
        stat = (track.size, track.mtime_ns)
        with local_file.open_local(path, size_and_mtime=stat, **options) as file:
            yield replace(file, real_path=track.real_path if file.is_original else "")

    return open_local
