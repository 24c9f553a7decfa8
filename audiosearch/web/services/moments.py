"""Queries that need the sound of their clips, over HTTP: for moments, or with parts of clips."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from audiosearch import defaults
from audiosearch.embedding.stretches import StretchReader
from audiosearch.errors import UsageError
from audiosearch.search.clip_parts import check_part
from audiosearch.search.moments.moment_query import MomentQuery, check_numbers
from audiosearch.search.moments.moment_search import MomentSearch
from audiosearch.web.services.queries import stored_tracks
from audiosearch.web.services.track_files import open_track

if TYPE_CHECKING:
    from starlette.requests import Request

    from audiosearch.audio.opened_file import OpenedFile
    from audiosearch.embedding.embedder import Embedding
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.search.moments.clip import Clip
    from audiosearch.search.options import SearchOptions, TimeRange
    from audiosearch.search.query import SearchResult
    from audiosearch.web.services.embedding_service import EmbeddingService
    from audiosearch.web.services.index_executor import IndexExecutor
    from audiosearch.web.services.uploads import Upload, Uploads


@dataclass(frozen=True, slots=True)
class Clips:
    """The clips of a query.

    Attributes
    ----------
    files : sequence of (binary file, str)
        Sent files, with their names.
    tracks, unlike : sequence of int
        Ids of tracks to search with, and to move away from.
    uploads, unlike_uploads : sequence of Upload
        Kept uploads to search with, and to move away from.
    part : TimeRange or None
        The part of the only clip to search with.

    Raises
    ------
    UsageError
        If a part is not one of exactly one clip.
    """

    files: Sequence[tuple[BinaryIO, str]]
    tracks: Sequence[int]
    unlike: Sequence[int]
    part: TimeRange | None
    uploads: Sequence[Upload] = ()
    unlike_uploads: Sequence[Upload] = ()

    def __post_init__(self) -> None:
        """Check the part."""
        clips = (*self.files, *self.tracks, *self.uploads)
        check_part(self.part, [], [str(clip) for clip in clips])

    @property
    def is_decoded(self) -> bool:
        """Whether a query for tracks has to decode a file."""
        return bool(self.files) or self.part is not None

    def check_number(self) -> None:
        """Check that there are few enough clips to decode: their frames are in memory at once.

        Raises
        ------
        UsageError
        """
        clips = (self.files, self.tracks, self.unlike, self.uploads, self.unlike_uploads)
        n_clips = sum(map(len, clips))
        if n_clips > defaults.MAX_QUERY_FILES:
            raise UsageError(
                f"A query for moments takes at most {defaults.MAX_QUERY_FILES} clips, and there "
                f"are {n_clips}.",
                hint="Send fewer files and tracks.",
            )


class MomentService:
    """Decodes and embeds the clips of queries, and finds moments.

    Files of tracks are decoded like uploads: in their turn, and in a separate process.

    Parameters
    ----------
    index : IndexExecutor
    embedding : EmbeddingService
    uploads : Uploads
    """

    def __init__(self, index: IndexExecutor, embedding: EmbeddingService, uploads: Uploads) -> None:
        self._index, self._embedding, self._uploads = index, embedding, uploads
        self._reader = StretchReader()  # the threads of the index share its processes

    def close(self) -> None:
        """End the processes that decode stretches. Call it when no search is running."""
        self._reader.close()

    async def embeddings(self, clips: Clips) -> list[Embedding]:
        """Return the embeddings of sent files, or of a part of the only clip of a query.

        Raises
        ------
        TrackNotFound, AudioError
            If a clip can't be read, or has no such part.
        """
        embed, part = self._embedding.embed, clips.part
        if clips.files or part is None:  # one by one, up to the first error
            return [await embed(file, part, name=name) for file, name in clips.files]
        if clips.uploads:
            (upload,) = clips.uploads
            with _readable(upload.open()) as file:
                return [await embed(file, part, name=upload.name)]
        (track,) = await self._stored(clips.tracks)
        with _readable(await open_track(track)) as file:
            return [await embed(file, part, name=_name(track))]

    async def prepare(
        self, clips: Clips, *, k: int, per_track: int, options: SearchOptions
    ) -> tuple[MomentQuery, list[str]]:
        """Return a query for moments, and warnings about its clips.

        Raises
        ------
        UsageError
            If a number or option is invalid, or there are too many clips or none.
        LibraryError
            If the index has no moments.
        TrackNotFound, AudioError
            If a clip can't be read, or is too long.
        """
        check_numbers(k, per_track, options)
        clips.check_number()
        hop = await self._index.run(lambda index: index.require_moments())
        part = clips.part
        pairs = [
            await self._embedding.clip(file, part, hop=hop, name=name) for file, name in clips.files
        ]
        pairs += [await self._clip_of(upload, part, hop) for upload in clips.uploads]
        pairs += await self._clips_of(clips.tracks, part, hop)
        negatives = [await self._clip_of(upload, None, hop) for upload in clips.unlike_uploads]
        negatives += await self._clips_of(clips.unlike, None, hop)
        warnings = [warning for _, warning in (*pairs, *negatives) if warning]
        found, avoided = ([clip for clip, _ in some] for some in (pairs, negatives))
        return MomentQuery(found, avoided, k, per_track, options), warnings

    async def search(self, query: MomentQuery, request: Request) -> SearchResult:
        """Run a query for moments. It is canceled if the client leaves."""

        def run(index: Index) -> SearchResult:
            return MomentSearch(index, query, self._reader).run()

        return await self._index.run_long(run, request)

    async def _stored(self, ids: Sequence[int]) -> list[Track]:
        return await self._index.run(partial(stored_tracks, ids=list(ids)))

    async def _clip_of(
        self, upload: Upload, part: TimeRange | None, hop: float
    ) -> tuple[Clip, str | None]:
        """Return the clip of an upload, and a warning about it."""
        clip = upload.clips.get((part, hop))
        if clip is None:
            with _readable(upload.open()) as file:
                clip = await self._embedding.clip(file, part, hop=hop, name=upload.name)
            self._uploads.keep_clip(upload, (part, hop), clip)
        return clip

    async def _clips_of(
        self, ids: Sequence[int], part: TimeRange | None, hop: float
    ) -> list[tuple[Clip, str | None]]:
        """Return the clips of tracks, and warnings about them."""
        clips = []
        for track in await self._stored(list(dict.fromkeys(ids))):
            with _readable(await open_track(track)) as file:
                clips.append(
                    await self._embedding.clip(file, part, hop=hop, track=track, name=_name(track))
                )
        return clips


@contextmanager
def _readable(opened: OpenedFile) -> Iterator[BinaryIO]:
    """Return an open file as one with methods to read it. It is closed afterwards."""
    with opened, os.fdopen(os.dup(opened.fileno()), "rb") as file:
        yield file


def _name(track: Track) -> str:
    return f"Track #{track.id}"
