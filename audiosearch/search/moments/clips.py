"""The clips that a query for moments names, decoded and embedded."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from audiosearch.audio.file_stat import size_and_mtime
from audiosearch.errors import AudioError
from audiosearch.library.track import Track
from audiosearch.models.log_mel import patch_groups
from audiosearch.models.moments import unit_rows
from audiosearch.models.patch_print import patch_prints
from audiosearch.search.moments.clip import FRAMES_PER_SECOND, Clip, embedded_clip
from audiosearch.search.moments.moment_query import Within
from audiosearch.search.part_frames import PartFrames, stretch_of, stretch_reader
from audiosearch.search.query_vectors import QueryVectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from audiosearch.library.index import Index
    from audiosearch.models.registry import ModelRequest
    from audiosearch.search.options import TimeRange
    from audiosearch.types import Float32, UInt16

#: Length of a clip, from the middle of a longer file, unless the query names a part of it.
CLIP_SECONDS: Final = 60.0
_MAX_SECONDS = 600  # of a part: limits time and memory

_Clips = TypeVar("_Clips", bound="QueryClips")


class QueryClips(QueryVectors):
    """Clips to find moments with, named like those of `QueryVectors`.

    The file of a track is decoded again, because its stored patches begin at few positions.

    Parameters
    ----------
    index : Index
    request : ModelRequest
        Embedding model. It must be the model of the index.
    hop : float
        Seconds from one patch of a track to the next.
    part : TimeRange, optional
        The part of each clip to use. Default: all of it, or 60 s in the middle of a longer file.

    Attributes
    ----------
    clips : list of Clip
    """

    def __init__(
        self,
        index: Index,
        request: ModelRequest,
        *,
        hop: float,
        part: TimeRange | None = None,
    ) -> None:
        super().__init__(index, request, part=part)
        self._hop = hop
        self.clips: list[Clip] = []

    def empty_copy(self: _Clips) -> _Clips:  # noqa: PYI019  (Python 3.10 has no Self)
        """Return an empty collection of whole clips that shares the index and the loaded model."""
        other = super().empty_copy()
        other.clips = []
        return other

    def add_track(self, track: Track) -> None:
        """Add a track of the index, unless it was added before."""
        if track.id not in self.track_ids:
            self.track_ids.add(track.id)
            self.tracks.append(track)
            self._add_clip(track.path, name=track.path, track=track)

    def _add_file(self, path: str, *, name: str) -> None:
        self._add_clip(os.path.realpath(path), name=name)

    def _add_clip(self, path: str, *, name: str, track: Track | None = None) -> None:
        real_path = track.real_path if track else ""
        stretch = stretch_of(path, self._part, real_path=real_path, middle_seconds=CLIP_SECONDS)
        part = PartFrames(stretch_reader(self._index), stretch, name=name)
        clip = clip_of(part, self.embed_patches, hop=self._hop, name=name)
        if part.warning:
            self.warnings.append(f"{name}: {part.warning}")
        self.clips.append(replace(clip, path=path, track=track))

    def embedded_file(self, path: str, track: Track | None) -> Within:
        """Return a file to find stretches in: its patches are embedded now, and not kept.

        Parameters
        ----------
        path : str
        track : Track or None
            The track of the file, which has no moments; None if it isn't a track.
        """
        if track is None:
            self._require_file(path)
        name = track.path if track else os.path.abspath(path)
        stretch = stretch_of(name, None, real_path=track.real_path if track else "")
        frames = PartFrames(stretch_reader(self._index), stretch, name=path)
        vectors: list[Float32] = []
        prints: list[UInt16] = []
        for patches in patch_groups(frames):
            prints.append(patch_prints(patches))
            vectors += self._embedder().vectors([patches])
        if frames.warning:
            self.warnings.append(f"{path}: {frames.warning}")
        if track is None:
            size, mtime_ns = size_and_mtime(name)
            real_path = os.path.realpath(name)
            track = Track(name, size, mtime_ns, "", frames.seconds, 0, 0, "", real_path=real_path)
        return Within(track, unit_rows(np.concatenate(vectors)), np.concatenate(prints))

    def embed_patches(self, patches: Float32) -> Float32:
        """Return the embeddings of patches: (n, 96, 64) becomes (n, dimension)."""
        return np.concatenate(list(self._embedder().vectors([patches])))


def clip_of(
    part: PartFrames, embed: Callable[[Float32], Float32], *, hop: float, name: str
) -> Clip:
    """Read and embed the part of a file that is a clip.

    Parameters
    ----------
    part : PartFrames
    embed, hop
        As for `audiosearch.search.moments.clip.embedded_clip`.
    name : str
        Name of the file, for errors.

    Raises
    ------
    AudioError
        If it can't be read, or is longer than 10 minutes.
    """
    clip = embedded_clip(_all_frames(part, name), embed, hop=hop, seconds=part.seconds)
    return replace(clip, span=part.span)


def _all_frames(part: PartFrames, name: str) -> Float32:
    arrays: list[Float32] = []
    n_frames = 0
    for frames in part:
        arrays.append(frames)
        n_frames += len(frames)
        if n_frames > _MAX_SECONDS * FRAMES_PER_SECOND:
            raise AudioError(
                name,
                f"more than {_MAX_SECONDS // 60} minutes of it would be searched with, too many "
                "for moments",
                hint="Search with a shorter part, for example `--from 1:02 --to 1:09`.",
            )
    return np.concatenate(arrays)
