"""Queries for sounds by their names, and the scores of these sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from audiosearch.errors import UsageError
from audiosearch.library.neighbors import top_k

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from audiosearch.library.index import Index
    from audiosearch.library.track import Sound, Track
    from audiosearch.search.options import SearchOptions
    from audiosearch.types import Float32, Int64


class SoundQuery:
    """A query without clips: the tracks with given sounds, ranked by the highest of their scores.

    Its attributes and methods are those of `Query` that `search_batch` uses.

    Parameters
    ----------
    index : Index
    has_negatives : bool
        Whether there are clips that hits should not sound like.
    k : int
        Number of hits. There are fewer if fewer tracks qualify.
    options : SearchOptions
        Their filters name at least one sound.

    Raises
    ------
    UsageError
        If an option needs a clip.
    LibraryError
        If no track has sounds.
    """

    is_ranked_by_sound = True
    originals: Sequence[Track] = ()

    def __init__(
        self, index: Index, *, has_negatives: bool, k: int, options: SearchOptions
    ) -> None:
        check_needs_no_clip(options, has_negatives=has_negatives)
        self.k, self.options = k, options
        self.warnings: list[str] = []
        index.require_sounds()
        scores = index.sounds.scores(options.filters)
        self._ids = np.array(list(scores), dtype=np.int64)
        self._scores = np.array(list(scores.values()), dtype=np.float32)

    def neighbors(self, k: int) -> tuple[Int64, Float32]:
        """Return the ids of the best k tracks, and their scores, best first."""
        return top_k(self._ids, self._scores, k)

    def similarities(self, ids: Int64, _: Float32) -> list[float | None]:
        """Return None for each track: there is no clip to compare it with."""
        return [None] * len(ids)


def check_needs_no_clip(options: SearchOptions, *, has_negatives: bool) -> None:
    """Check that no option needs a clip to search with.

    Raises
    ------
    UsageError
    """
    for name, is_given in (
        ("clip to avoid", has_negatives),
        ("sound weight", options.sound_weight is not None),
        ("minimum similarity", options.min_similarity is not None),
    ):
        if is_given:
            raise UsageError(
                f"A {name} needs a clip to search with.",
                hint="Name an audio file, or a track's path or #ID.",
            )


def sound_score(sounds: Iterable[Sound], names: Collection[str]) -> float:
    """Return the highest score of the sounds with the given names; 0 if there are none."""
    return max((sound.score for sound in sounds if sound.name in names), default=0.0)
