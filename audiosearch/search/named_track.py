"""Find one track by words from its tags or path."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from audiosearch.errors import AmbiguousTrack, TrackNotFound
from audiosearch.library.track import artist_and_title, fold

if TYPE_CHECKING:
    from audiosearch.library.index import Index
    from audiosearch.library.track import Track

log = logging.getLogger(__name__)

_MAX_CANDIDATES = 20  # tracks that an error lists


def named_track(index: Index, words: str) -> Track:
    """Return the one track with all of the words in its artist, title, album or path.

    If several tracks match, but the words are exactly the title of one, or its artist and title,
    that track is returned. It is logged, because the words may have found another one than meant.

    Raises
    ------
    TrackNotFound
        If no track matches.
    AmbiguousTrack
        If several tracks match.
    """
    matches = index.search_text(words, limit=_MAX_CANDIDATES)
    if not matches and re.fullmatch(r"#[0-9]+", words):
        raise index.no_track(words)
    if not matches:
        raise TrackNotFound(
            f"No track has all of the words {words!r} in its tags or path.",
            hint="Show the tracks with `audiosearch list`.",
        )
    exact = [track for track in matches if _is_full_name(words, track)] or matches
    if len({track.sound_hash or track.path for track in exact}) == 1:
        log.info("%s: %s", words, _description(exact[0]))
        return exact[0]
    raise AmbiguousTrack(
        f"Several tracks match the words {words!r}.",
        hint="Add words, or use the #ID of one of them.",
        candidates=[_description(track) for track in matches],
    )


def _is_full_name(words: str, track: Track) -> bool:
    """Return whether the words are exactly a track's title, or artist and title, in any order."""
    title, artist = fold(track.title).split(), fold(track.artist).split()
    return sorted(fold(words).split()) in (sorted(title), sorted(title + artist))


def _description(track: Track) -> str:
    parts = (f"#{track.id}", artist_and_title(track.artist, track.title), track.path)
    return "  ".join(filter(None, parts))
