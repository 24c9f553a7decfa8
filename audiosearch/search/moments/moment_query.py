"""A query for moments: its clips, its options, and the checks of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.counting import counted
from audiosearch.errors import UsageError
from audiosearch.models.front_end import PATCH_HOP_SECONDS
from audiosearch.search.moments.alignment import Run
from audiosearch.search.options import DEFAULT_OPTIONS, check_number_of_hits
from audiosearch.search.sound_query import check_needs_no_clip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from audiosearch.library.track import Track
    from audiosearch.search.moments.clip import Clip
    from audiosearch.search.options import SearchOptions
    from audiosearch.types import Float32, UInt16


@dataclass(frozen=True, slots=True, eq=False)
class Within:
    """The only file to find stretches in.

    Attributes
    ----------
    track : Track
        A track of the index, or one with the path of another file and the id 0.
    vectors : ndarray of float32, shape (n_patches, dimension), or None
        The embeddings of the patches of such a file, of unit length; None for a track.
    prints : ndarray of uint16, shape (n_patches, 16), or None
        The prints of the patches of such a file.
    """

    track: Track
    vectors: Float32 | None = None
    prints: UInt16 | None = None

    @property
    def run(self) -> Run:
        """All patches of such a file."""
        if self.vectors is None:
            raise ValueError(self.track)
        return Run(0, self.vectors, is_start=True, is_end=True, hop=PATCH_HOP_SECONDS)


@dataclass(frozen=True, slots=True, eq=False)
class MomentQuery:
    """A query for moments.

    Attributes
    ----------
    clips : sequence of Clip
        Clips that the stretches should sound like. Empty: the filters name a sound.
    negatives : sequence of Clip
        Clips that they should not sound like.
    k : int
        Number of hits. There are fewer if fewer stretches qualify.
    per_track : int
        Largest number of hits in a track.
    options : SearchOptions
    within : Within, optional
        The only file to find stretches in.

    Raises
    ------
    UsageError
        If a number or an option is invalid, or there is nothing to search with.
    """

    clips: Sequence[Clip]
    negatives: Sequence[Clip]
    k: int
    per_track: int
    options: SearchOptions = DEFAULT_OPTIONS
    within: Within | None = None

    def __post_init__(self) -> None:
        """Check the request."""
        check_numbers(self.k, self.per_track, self.options)
        if not self.clips:
            if not self.options.filters.sound:
                raise UsageError(
                    "No clip was given to search with.",
                    hint="Name an audio file, or a track's path or #ID, or a sound with --sound.",
                )
            check_needs_no_clip(self.options, has_negatives=bool(self.negatives))


def check_numbers(k: int, per_track: int, options: SearchOptions) -> None:
    """Check the numbers of hits, and that the options are possible for moments.

    Raises
    ------
    UsageError
    """
    check_number_of_hits(k)
    if per_track < 1:
        raise UsageError(
            f"Can't return {counted(per_track, 'hit')} a track.",
            hint="Ask for at least one, for example --per-track 3.",
        )
    if options.whiten:
        raise UsageError(
            "Moments can't be ranked by whitened vectors.",
            hint="Leave out the option to whiten, or search for tracks without --moments.",
        )
