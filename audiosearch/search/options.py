"""Options of a search."""

from __future__ import annotations

from dataclasses import dataclass

from audiosearch import defaults
from audiosearch.counting import counted
from audiosearch.errors import UsageError
from audiosearch.library.filters import EVERYTHING, Filters


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Part of a clip.

    Attributes
    ----------
    start : float
        In seconds from the start of the clip.
    end : float or None
        In seconds from the start of the clip; None for its end.
    """

    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Options of a search: the tracks that may be hits, and their ranking.

    Attributes
    ----------
    filters : Filters
        Conditions that hits must meet.
    whiten : bool
        Rank by whitened vectors. Whitening reduces the directions that all tracks share.
    min_similarity : float or None
        Smallest cosine of a hit, in [-1, 1].
    include_self : bool
        Whether the tracks in the query may be hits themselves.
    is_distinct : bool
        Whether to leave out further copies of a recording. Then the tracks in the query have no
        copies among the hits, unless they may be hits themselves.
    sound_weight : float or None
        Weight of the sounds of ``filters`` in a ranking by clips, in [0, 1]. Hits are ranked by
        (1 - weight) times their similarity plus weight times their sound score. None: the sounds
        only filter.

    Raises
    ------
    UsageError
        If the weight is out of range, or the filters name no sound.
    """

    filters: Filters = EVERYTHING
    whiten: bool = defaults.WHITEN_QUERY
    min_similarity: float | None = None
    include_self: bool = False
    is_distinct: bool = False
    sound_weight: float | None = None

    def __post_init__(self) -> None:
        """Check the weight."""
        if self.sound_weight is None:
            return
        if not 0 <= self.sound_weight <= 1:
            raise UsageError(
                f"The sound weight can't be {self.sound_weight:g}.",
                hint="Use a number from 0 to 1.",
            )
        if not self.filters.sound:
            raise UsageError("A sound weight needs a sound.", hint="Name one with --sound.")


#: Default options: rank all tracks by the cosine of plain vectors.
DEFAULT_OPTIONS = SearchOptions()


def check_number_of_hits(k: int) -> None:
    """Check the number of hits that a query asks for.

    Raises
    ------
    UsageError
        If it is below 1.
    """
    if k < 1:
        raise UsageError(
            f"Can't return {counted(k, 'hit')}.",
            hint="Ask for at least one hit, for example -k 10.",
        )
