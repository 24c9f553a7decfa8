"""Find tracks that are copies of the same recording, or parts of it.

Candidates are found by their embeddings and durations. They are confirmed by the sound itself: the
spectral prints of their files, aligned in time. A print is computed when it is first needed, and
kept in the index.
"""

from __future__ import annotations

import logging
import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from audiosearch import defaults
from audiosearch.audio.discovery import is_missing
from audiosearch.embedding.print_reader import PrintResult, read_prints
from audiosearch.errors import AudioError, IndexUnwritable, UsageError
from audiosearch.paths import is_url, real_path
from audiosearch.search.copy_candidates import candidate_pairs
from audiosearch.search.copy_groups import Copy, CopyGroups
from audiosearch.search.print_match import Relation, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.models.spectral_print import SpectralPrint
    from audiosearch.types import Float32

log = logging.getLogger(__name__)

_PRINTS_PER_WRITE = 100


@dataclass(slots=True)
class _Content:
    """Tracks whose files have the same bytes, or at least the same audio packets.

    Attributes
    ----------
    tracks : list of Track
    vector : ndarray of float32, shape (dimension,)
    """

    tracks: list[Track]
    vector: Float32

    def readable(self) -> Track | None:
        """Return a track whose file isn't missing, if possible a local one; None without any."""
        present = [track for track in self.tracks if not is_missing(track.path)]
        return min(present, key=lambda track: is_url(track.path), default=None)


class DuplicateSearch:
    """Search for copies of the same recording in an index.

    Iterating, which is possible once, reads the files whose spectral prints are not known yet,
    several at a time. It yields for each file its path and its error, or None if it was read. The
    prints are kept in the index, even if the search is interrupted. Then `groups` compares them.

    Parameters
    ----------
    index : Index
    threshold : float
        Share of two aligned spectrograms that must match, from 0 to 1.
    n_jobs : int, optional
        Number of decoder processes. Default: the number of cores.

    Attributes
    ----------
    audio_seconds : float
        Seconds of audio read so far.
    sizes : dict of str to float
        Lengths of the files to read in seconds, by path.
    n_unread : int
        Number of tracks whose sound may have to be compared, but whose files are missing. Only
        their bytes are compared, if known.

    Raises
    ------
    UsageError
        If the threshold is not from 0 to 1.
    """

    def __init__(
        self,
        index: Index,
        *,
        threshold: float = defaults.DUPLICATE_THRESHOLD,
        n_jobs: int | None = None,
    ) -> None:
        if not 0.0 <= threshold <= 1.0:
            raise UsageError(
                f"The threshold can't be {threshold:g}.", hint="Use a number from 0 to 1."
            )
        self._index, self._threshold, self._n_jobs = index, threshold, n_jobs
        self._contents = _contents(index)
        vectors = np.array([content.vector for content in self._contents], dtype=np.float32)
        vectors = vectors.reshape(-1, index.spec.dimension)
        seconds = np.array([content.tracks[0].seconds for content in self._contents])
        self._pairs = candidate_pairs(vectors, seconds)
        self._prints: dict[int, SpectralPrint] = {}  # by position in the contents
        self._unread: dict[str, tuple[int, Track]] = {}
        self.n_unread = 0
        self.audio_seconds = 0.0
        self._look_up_prints()
        self.sizes = {path: track.seconds for path, (_, track) in self._unread.items()}

    def _look_up_prints(self) -> None:
        positions = sorted({position for pair in self._pairs for position in pair})
        stored = self._index.prints(self._contents[position].tracks[0] for position in positions)
        for position in positions:
            content = self._contents[position]
            spectral_print = stored.get(content.tracks[0].sound_hash)
            if spectral_print is not None:
                self._prints[position] = spectral_print
            elif track := content.readable():
                self._unread[track.path] = (position, track)
            else:
                self.n_unread += len(content.tracks)

    def __len__(self) -> int:
        """Return the number of files to read."""
        return len(self._unread)

    def __iter__(self) -> Iterator[tuple[str, AudioError | None]]:
        """Read the files."""
        new: dict[str, SpectralPrint] = {}
        try:
            paths = {path: track.real_path for path, (_, track) in self._unread.items()}
            with closing(read_prints(paths, n_jobs=self._n_jobs)) as results:
                for result in results:
                    error = self._take(result, new)
                    if len(new) >= _PRINTS_PER_WRITE:
                        self._keep(new)
                    yield result.path, error
        finally:
            self._keep(new)

    def _take(self, result: PrintResult, new: dict[str, SpectralPrint]) -> AudioError | None:
        """Take over the print of a file, and return its error, if any."""
        position, track = self._unread[result.path]
        if result.spectral_print is None:
            return result.error
        if track.content_hash and track.content_hash != result.content_hash:
            reason = "it has changed since it was added"
            return AudioError(result.path, reason, hint="Update the index with `audiosearch add`.")
        self._prints[position] = result.spectral_print
        self.audio_seconds += result.spectral_print.seconds
        sound_hash = self._contents[position].tracks[0].sound_hash
        if sound_hash:
            new[sound_hash] = result.spectral_print
        return None

    def _keep(self, new: dict[str, SpectralPrint]) -> None:
        try:
            if new:
                self._index.put_prints(new)
                self._index.prune_prints()
        except IndexUnwritable as exc:
            log.warning("%s What was read is not kept; the next search reads it again.", exc)
        new.clear()

    def groups(self) -> list[list[Copy]]:
        """Return the groups of copies. Call it after iterating.

        Returns
        -------
        list of list of Copy
            Each group begins with the copies of a whole recording, best first: lossless files,
            then the higher bit rate, then the longer duration. Files that hold a part of it follow.
        """
        groups = CopyGroups([content.tracks for content in self._contents])
        for first, second in self._pairs:
            if first in self._prints and second in self._prints:
                match = compare(self._prints[first], self._prints[second])
                if match.score < self._threshold:
                    continue
                if match.relation is Relation.SAME:
                    groups.join(first, second)
                elif match.relation is Relation.PARTIAL:
                    lengths = [self._prints[side].seconds for side in (first, second)]
                    is_first_shorter = lengths[0] < lengths[1]
                    part, whole = (first, second) if is_first_shorter else (second, first)
                    groups.add_part(part, whole)
        return groups.to_lists()


def duplicates(
    index: Index,
    *,
    threshold: float = defaults.DUPLICATE_THRESHOLD,
    n_jobs: int | None = None,
) -> list[list[Copy]]:
    """Find the tracks that are copies of the same recording, or parts of it.

    Files that can't be read are compared by their bytes only.

    See Also
    --------
    DuplicateSearch : the parameters, and the progress of reading.
    """
    search = DuplicateSearch(index, threshold=threshold, n_jobs=n_jobs)
    for _, error in search:
        if error is not None:
            log.warning("%s", error)
    return search.groups()


def _contents(index: Index) -> list[_Content]:
    """Return the tracks of an index, grouped by the content of their files."""
    contents: list[_Content] = []
    by_hash: dict[str, _Content] = {}
    with index.storage.all_with_vectors() as (_, rows):
        for track, vector in rows:
            hashes = {track.content_hash, track.audio_hash} - {""}
            content = next((by_hash[key] for key in hashes if key in by_hash), None)
            if content is None:
                content = _Content([], vector)
                contents.append(content)
            content.tracks.append(track)
            by_hash |= dict.fromkeys(hashes, content)
    for content in contents:
        if len(content.tracks) > 1:
            content.tracks = _without_folder_links(content.tracks)
    return contents


def _without_folder_links(tracks: list[Track]) -> list[Track]:
    """Return the tracks without those that reach a file of another one through a linked folder.

    Deleting such a copy would delete the file. Deleting a link to a file only deletes the link.
    """
    files: set[str] = set()
    result = []
    for track in sorted(tracks, key=lambda track: real_path(track.path) != track.path):
        if not os.path.islink(track.path):
            file = real_path(track.path)
            if file in files:
                continue
            files.add(file)
        result.append(track)
    return result
