"""The search for moments: candidates, alignment, comparison of spectrograms, merging."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from audiosearch import time_limit
from audiosearch.counting import counted
from audiosearch.errors import LibraryError
from audiosearch.library.filters import EVERYTHING, Filters, Range
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.search.distinct import DistinctTracks
from audiosearch.search.moments.alignment import Run, runs_around
from audiosearch.search.moments.candidates import nearest_patches
from audiosearch.search.moments.places import Comparison, Place, merged, ranked
from audiosearch.search.moments.print_candidates import PrintedTracks, printed_tracks
from audiosearch.search.moments.sounds_over_time import heard_moments, track_filters
from audiosearch.search.moments.spectrogram_match import (
    CLEAR_MATCH,
    MatchedPlaces,
    match_places,
    unread_warning,
)
from audiosearch.search.query import Hit, SearchResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from audiosearch.embedding.stretches import StretchReader
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track
    from audiosearch.models.moments import PatchSounds
    from audiosearch.search.moments.moment_query import MomentQuery
    from audiosearch.types import Int64

_MIN_NEIGHBORS = 100  # patches that are searched at first for each patch of the clips
_MAX_NEIGHBORS = 800  # the same, if these give too few hits
_MIN_COMPARED = 40  # places that are compared once more by their sound
_MAX_COMPARED = 200
_PRINTED_COMPARED = 60  # the same, of those with the nearest prints
_LONGER_SECONDS = 0.5  # by which a clip may be longer than a track, as after coding


class MomentSearch:
    """Runs one query for moments. No file of a clip is needed: their frames are in the query.

    So a server decodes and embeds uploads first, with
    `audiosearch.embedding.decoder_process.DecoderProcess.read_stretches` and
    `audiosearch.search.moments.clips.clip_of`, and runs the query elsewhere, under an
    `audiosearch.time_limit`.

    Parameters
    ----------
    index : Index
    query : MomentQuery
    reader : StretchReader
        Decodes the stretches of tracks.
    """

    def __init__(self, index: Index, query: MomentQuery, reader: StretchReader) -> None:
        self._index, self._query, self._reader = index, query, reader
        self._options = query.options
        self._comparison = Comparison(query.clips, query.negatives, query.options)
        self._tracks: dict[int, Track] = {}  # those that have been read
        self.warnings: list[str] = []

    def run(self) -> SearchResult:
        """Return the hits, best first.

        Raises
        ------
        LibraryError
            If the index has no moments, or all of its tracks are shorter than the clips.
        TookTooLong
            If the time limit of the current work is over.
        """
        query = self._query
        if query.within is None or query.within.vectors is None:
            self._check_index()
        if query.clips:
            self._check_length()
            places = self.merged(self.compared(self.nearest()))
        else:
            places = self.merged(self._heard_places())
        hits = [
            Hit(
                rank,
                self._tracks[place.track_id],
                place.similarity,
                place.sound_score,
                place.start,
                place.end,
                place.match,
                is_same_recording=place.is_same_recording,
            )
            for rank, place in enumerate(places, start=1)
        ]
        return SearchResult(self._index.spec, hits, self.warnings)

    def _check_index(self) -> None:
        index = self._index
        index.require_moments()
        if self._options.filters.names_sounds:
            index.require_sounds()
        n_tracks = index.n_tracks
        n_missing = n_tracks - index.moments.totals()[0]
        if n_missing > 0:
            self.warnings.append(
                f"{n_missing} of {counted(n_tracks, 'track has', 'tracks have')} no moments; run "
                "`audiosearch refresh --moments`."
            )

    def _check_length(self) -> None:
        within = self._query.within
        if within is None:
            fits = len(self._long_enough) > 0
        else:
            fits = within.track.seconds >= self._min_seconds
        if not fits:
            longer_than = "all tracks of the index" if within is None else within.track.path
            raise LibraryError(
                f"The clip to search with is {self._comparison.seconds:.1f} s long, longer than "
                f"{longer_than}.",
                hint="Search with a part of it, for example `--from 1:02 --to 1:09`.",
            )

    @property
    def _min_seconds(self) -> float:
        """Length of the shortest tracks in which the clips have room."""
        return max(0.0, self._comparison.seconds - _LONGER_SECONDS)

    @cached_property
    def _long_enough(self) -> Int64:
        """Ids of the tracks in which the clips have room, shape (n_tracks,)."""
        return self._index.storage.ids(Filters(seconds=(Range(min=self._min_seconds),)))

    def _heard_places(self) -> list[Place]:
        within = self._query.within
        ids = None if within is None else {within.track.id}
        found = heard_moments(self._index, self._options.filters, ids=ids)
        self._tracks.update({moment.track.id: moment.track for moment in found})
        return [Place(m.track.id, m.start, m.end, m.score, sound_score=m.score) for m in found]

    def nearest(self) -> list[Place]:
        """Return the places around the patches that are nearest to those of the clips, best first.

        There are enough for all hits, unless there are no more, or a warning says so.
        """
        places: list[Place] = []
        for ids in self._searched_ids():
            for n_neighbors in (_MIN_NEIGHBORS, _MAX_NEIGHBORS):
                places, is_complete = self._candidates(n_neighbors, ids)
                if is_complete or len(self.merged(places)) == self._query.k:
                    return places
        self.warnings.append(
            f"Only stretches around the {_MAX_NEIGHBORS:,} patches that are nearest to each patch "
            "of the clips were compared; more may qualify."
        )
        return places

    def compared(self, places: list[Place]) -> list[Place]:
        """Compare the first places once more with the clip, by the sound itself.

        If none is clearly the same recording, as when the clip is softer or a mix of sounds, the
        places with the nearest prints are compared too.

        Returns
        -------
        list of Place
            Those of the same recording as the clip first. With several clips there are none.
        """
        if len(self._query.clips) != 1:
            return places
        n_compared = min(max(_MIN_COMPARED, 2 * self._query.k), _MAX_COMPARED)
        matched = self._match(places[:n_compared])
        if matched.problems:
            self.warnings.append(unread_warning(matched.problems))
        same = matched.same
        if max((place.match or 0 for place in same), default=0) < CLEAR_MATCH:
            same = [*same, *self._match(self._printed_places()).same]
        return [*matched.ranked(self._realigned(same)), *places[n_compared:]]

    def _match(self, places: list[Place]) -> MatchedPlaces:
        own = self._comparison.own_stretches
        return match_places(self._query.clips[0], places, self._tracks, self._reader, own=own)

    def _realigned(self, places: list[Place]) -> list[Place]:
        """Return places that were moved, with the similarity that they have where they are now.

        Those that are not similar enough there are left out.
        """
        by_track: dict[int, list[Place]] = {}
        for place in places:
            by_track.setdefault(place.track_id, []).append(place)
        return [
            place
            for run, track, _ in self._runs(dict.fromkeys(by_track))
            if (moved := by_track.get(track.id))
            for place in self._comparison.realigned(moved, run, track)
        ]

    @cached_property
    def _ids(self) -> Int64 | None:
        """Ids of the tracks that may have hits, shape (n_tracks,); None for all."""
        filters, within = self._options.filters, self._query.within
        ids = None if filters == EVERYTHING else self._index.storage.ids(track_filters(filters))
        if within is None:
            return ids
        only = np.array([within.track.id])
        return only if ids is None else np.intersect1d(ids, only)

    def _searched_ids(self) -> Iterator[Int64 | None]:
        """Yield ids of tracks to search in, None for all.

        First they are all that may have hits. Patches of tracks that are too short can take all
        places among the nearest ones, so then only the tracks in which the clips have room.
        """
        yield self._ids
        if self._ids is None:
            n_searched, with_room = self._index.n_tracks, self._long_enough
        else:
            n_searched, with_room = len(self._ids), np.intersect1d(self._ids, self._long_enough)
        if len(with_room) < n_searched:
            yield with_room

    def _candidates(self, n_neighbors: int, ids: Int64 | None) -> tuple[list[Place], bool]:
        """Return the places around the nearest patches, best first, and whether they are all."""
        if self._query.within is not None and ids is not None:
            return ranked(self._places(dict.fromkeys(ids.tolist()))), True
        vectors = np.concatenate([v for clip in self._comparison.clips for v in clip.vectors])
        found = nearest_patches(
            self._index.moments, vectors, n_neighbors, ids=ids, reach=self._reach
        )
        return ranked(self._places(found.by_track)), found.is_complete

    def _places(self, patches: Mapping[int, Int64 | None]) -> Iterator[Place]:
        """Yield the places around some patches of tracks: see `_runs`."""
        for run, track, sounds in self._runs(patches):
            yield from self._comparison.places(run, track, sounds=sounds)

    def _printed_places(self) -> list[Place]:
        """Return the places whose prints are most like the clip."""
        clip, within = self._query.clips[0], self._query.within
        if within is not None and within.prints is not None:
            prints = PrintedTracks.of([(within.track.id, within.prints)])
        else:
            prints = printed_tracks(self._index).only(self._ids)
        found = prints.nearest(clip.frames, _PRINTED_COMPARED, seconds=self._comparison.seconds)
        starts: dict[int, list[float]] = {}
        for place in found:
            starts.setdefault(place.track_id, []).append(place.start)
        return [
            place
            for run, track, sounds in self._runs(dict.fromkeys(starts))
            if (at := starts.get(track.id))
            for place in self._comparison.places(run, track, sounds=sounds, at=at)
        ]

    def _runs(
        self, patches: Mapping[int, Int64 | None]
    ) -> Iterator[tuple[Run, Track, PatchSounds | None]]:
        """Yield the runs around some patches of tracks, by id, with the sounds in the track.

        None stands for all patches of a track.
        """
        index, within = self._index, self._query.within
        if within is not None and within.vectors is not None:
            self._tracks[within.track.id] = within.track
            yield within.run, within.track, None
            return
        hop = index.require_moments()
        self._tracks.update(index.by_id(list(patches)))
        for track_id, moments in index.moments.of(list(patches)):
            time_limit.check()
            track, near = self._tracks.get(track_id), patches[track_id]
            if track is None:  # another process has removed it since the search
                continue
            if 0 < track.seconds < self._min_seconds:  # the clip has no room in it
                continue
            n_patches = len(moments)
            for first, end in (
                [(0, n_patches)] if near is None else runs_around(near, self._reach, n_patches)
            ):
                vectors = moments.vectors(slice(first, end))
                run = Run(first, vectors, is_start=not first, is_end=end == n_patches, hop=hop)
                yield run, track, moments.sounds

    @cached_property
    def _step(self) -> int:
        """Patches of a track from one patch of a clip to the next."""
        return round(PATCH_HOP_SECONDS / (self._index.moment_hop or PATCH_HOP_SECONDS))

    @cached_property
    def _reach(self) -> int:
        """Patches around a near one in which a stretch with it may lie."""
        return self._step * (math.ceil(self._comparison.seconds / PATCH_HOP_SECONDS) + 1)

    def merged(self, places: Iterable[Place]) -> list[Place]:
        """Return as many places as there should be hits: see `places.merged`."""
        query = self._query
        return merged(places, query.k, per_track=query.per_track, is_new=self._novelty())

    def _novelty(self) -> Callable[[int], bool]:
        """Return a function that returns whether a track, by id, is no copy of earlier ones."""
        if not self._options.is_distinct or self._query.within is not None:
            return lambda _: True
        clips = () if self._options.include_self else self._comparison.all_clips
        originals = {clip.track.id: clip.track for clip in clips if clip.track is not None}
        distinct = DistinctTracks(self._index, list(originals.values()))

        def is_new(track_id: int) -> bool:
            track = self._tracks[track_id]
            return track_id in originals or distinct.add(track, self._index.vector(track))

        return is_new
