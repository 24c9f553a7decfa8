"""The rules that tracks of a playlist must pass, as keys.

Each rule gives a track a key. For the artist gap it is the main artist, for the limit on albums the
album with its artist, and for the rule against repeated tracks the id. Adding a track to a playlist
may block the keys of the track, and tracks that have a blocked key break the rule. So checking a
track means looking up its keys, and not comparing it with all tracks of the playlist.

Keys are numbered, and a set of keys is an integer with the bits of their numbers (a mask). Path
search copies a playlist for each of its many attempts, and copying an integer takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from audiosearch.library.track import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from audiosearch.library.track import Track
    from audiosearch.playlists.main_artists import MainArtists
    from audiosearch.playlists.request import Constraints

#: Rules about the track itself. All others are about its tags.
NOT_AVAILABLE: Final = "already in the playlist, or a seed that is left out"
EXCLUDED: Final = "excluded playlists and tracks"
SAME_RECORDING: Final = "same recording"


#: Position of a rule, a key of it, and whether that is blocked now.
KeyChange = tuple[int, tuple["Hashable", "Hashable"], bool]


class Rule(NamedTuple):
    """A rule that blocks a key once there are enough tracks that have it.

    The key of a track is a pair: its group and a detail. The group depends on one field only, so
    that the groups of many tracks are computed fast.
    """

    name: str
    field: str  # field of `Track` that tells the group
    group: Callable[[Any], Hashable]  # group, given the field; the rule ignores tracks of group ""
    detail_fields: tuple[str, ...] = ()
    detail: Callable[..., Hashable] = lambda: None  # the rule ignores tracks of detail ""
    most: int = 1  # tracks with the same key
    is_limit: bool = False  # whether ``most`` is one of the constraints

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of `Track` that the key depends on."""
        return self.field, *self.detail_fields

    def key(self, track: Track) -> tuple[Hashable, Hashable] | None:
        """Return the key of a track; None if the rule ignores the track."""
        group = self.group(getattr(track, self.field))
        detail = self.detail(*(getattr(track, name) for name in self.detail_fields))
        return None if group == "" or detail == "" else (group, detail)


class TrackKeys(NamedTuple):
    """The keys of a track, and their numbers."""

    keys: tuple[tuple[Hashable, Hashable] | None, ...]  # one for each rule; None: it is ignored
    numbers: tuple[int, ...]  # number of each key; -1 for None
    mask: int  # sum of 2 to the power of each number


class Rules:
    """All rules, in the order in which they are reported.

    Parameters
    ----------
    constraints : Constraints
    artists : MainArtists
        Main artists of the library. The limits on artists apply to them.

    Attributes
    ----------
    constraints : Constraints
    rules : list of Rule
    gap : int or None
        Position of the rule about the artist gap in ``rules``, if there is one.
    """

    def __init__(self, constraints: Constraints, artists: MainArtists) -> None:
        self.constraints = constraints
        excluded_paths = constraints.excluded_paths
        self.rules = [Rule(NOT_AVAILABLE, "id", lambda track_id: track_id)]
        if excluded_paths:
            self.rules.append(Rule(EXCLUDED, "path", lambda path: path in excluded_paths or ""))
        self.rules.append(Rule("same title and artist", "artist", fold, ("title",), fold))
        if (most := constraints.max_per_artist) is not None:
            name = f"limit of {most} per artist"
            self.rules.append(Rule(name, "artist", artists.of, most=most, is_limit=True))
        if constraints.max_per_album is not None:
            self.rules.append(_album_rule(constraints.max_per_album, artists))
        self.gap = None
        if constraints.artist_gap:
            self.gap = len(self.rules)
            name = f"artist gap of {constraints.artist_gap}"
            self.rules.append(Rule(name, "artist", artists.of))
        self.rules.append(Rule(SAME_RECORDING, "sound_hash", lambda sound_hash: sound_hash))
        self._numbers: dict[tuple[int, tuple[Hashable, Hashable]], int] = {}  # by rule and key
        self._known: dict[int, TrackKeys] = {}  # by track id

    def number(self, position: int, key: tuple[Hashable, Hashable]) -> int:
        """Return the number of a key of the rule at a position."""
        return self._numbers.setdefault((position, key), len(self._numbers))

    def blocked(self, mask: int) -> list[KeyChange]:
        """Return the rules and keys of the numbers in a mask."""
        return [(*key, True) for key, number in self._numbers.items() if mask >> number & 1]

    def of(self, track: Track) -> TrackKeys:
        """Return the keys of a track."""
        if track.id not in self._known:
            keys = tuple(rule.key(track) for rule in self.rules)
            numbers = tuple(
                -1 if key is None else self.number(position, key)
                for position, key in enumerate(keys)
            )
            mask = sum(1 << number for number in numbers if number >= 0)
            self._known[track.id] = TrackKeys(keys, numbers, mask)
        return self._known[track.id]


def _album_rule(most: int, artists: MainArtists) -> Rule:
    """Return the rule that limits the tracks of an album. Its artist helps to tell albums apart."""

    def artist_of_album(album_artist: str | None, artist: str | None) -> tuple[str]:
        return (fold(album_artist) or artists.of(artist),)

    name, fields = f"limit of {most} per album", ("album_artist", "artist")
    return Rule(name, "album", fold, fields, artist_of_album, most, is_limit=True)
