"""What is asked and answered, as JSON has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from audiosearch import defaults
from audiosearch.library.filters import Filters, Range
from audiosearch.soundmap.labels import name_of

if TYPE_CHECKING:
    from audiosearch.library.index import Track as StoredTrack
    from audiosearch.search.query import SearchResult

#: The most that SQLite counts to.
TrackId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Problem(BaseModel):
    """Why there is no other answer: a sentence, and a way out."""

    error: str
    hint: str


class Health(BaseModel):
    """That the server is there, and what it serves."""

    status: Literal["ok"] = "ok"
    version: str
    model: str
    tracks: int
    library: str


class EmbedResponse(BaseModel):
    """What a file sounds like."""

    model: str
    embedding: Annotated[list[float], Field(min_length=128, max_length=128)]


class Track(BaseModel):
    """A track, by its tags; never by its path."""

    id: int
    name: str
    title: str | None
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None
    seconds: float

    @classmethod
    def of(cls, track: StoredTrack) -> Track:
        """Return a stored track."""
        names = ("id", "title", "artist", "album", "genre", "year", "seconds")
        fields = {name: getattr(track, name) for name in names}
        return cls(name=name_of(track), **fields)


class Tracks(BaseModel):
    """Some tracks, and how many there are in all: null where they are those that words name."""

    tracks: list[Track]
    total: int | None


class Hit(BaseModel):
    """An answer to a query, best first."""

    rank: int
    similarity: float
    track: Track


class Hits(BaseModel):
    """What a query found, and what kept a clip from being heard to its end."""

    model: str
    hits: list[Hit]
    warnings: list[str]

    @classmethod
    def of(cls, found: SearchResult) -> Hits:
        """Return an answer."""
        hits = [
            Hit(rank=hit.rank, similarity=hit.similarity, track=Track.of(hit.track))
            for hit in found.hits
        ]
        return cls(model=found.spec.model, hits=hits, warnings=found.warnings)


Texts = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=20)]


Span = Annotated[str, Field(max_length=20, description="LEAST..MOST; either may be left out")]


class FilterParams(BaseModel):
    """What tracks must be; of several values, one must fit."""

    model_config = ConfigDict(extra="forbid")

    artist: Texts = []
    album: Texts = []
    genre: Texts = []
    year: Span = ""
    seconds: Span = ""
    under: Texts = []

    def filters(self, unless: FilterParams | None = None) -> Filters:
        """Return it as filters.

        Raises
        ------
        UsageError
            Where the years or the lengths are no range.
        """
        return Filters(
            artist=tuple(self.artist),
            album=tuple(self.album),
            genre=tuple(self.genre),
            year=(Range.parsed(self.year),) if self.year else (),
            seconds=(Range.parsed(self.seconds),) if self.seconds else (),
            folder=tuple(self.under),
            exclude=unless.filters() if unless and unless != FilterParams() else None,
        )


class PlaylistFile(BaseModel):
    """A playlist as a file has it; its name tells the format."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)]
    text: Annotated[str, Field(max_length=defaults.MAX_PLAYLIST_FILE_LENGTH)]


_TrackCount = Annotated[int, Field(ge=1, le=defaults.MAX_PLAYLIST_TRACKS)]
_ArtistGap = Annotated[int, Field(ge=0, le=defaults.MAX_PLAYLIST_TRACKS)]
_Diversity = Annotated[float, Field(ge=defaults.MIN_DIVERSITY, le=defaults.MAX_DIVERSITY)]


class PlaylistParams(BaseModel):
    """A playlist as it is asked for: the switches of ``audiosearch playlist``."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[list[TrackId], Field(min_length=1, max_length=defaults.MAX_SEEDS)]
    to: TrackId | None = None
    via: Annotated[list[TrackId], Field(max_length=defaults.MAX_WAYPOINTS)] = []
    n: _TrackCount = defaults.DEFAULT_PLAYLIST_TRACKS
    minutes: Annotated[float, Field(gt=0, le=defaults.MAX_PLAYLIST_MINUTES)] | None = None
    drift: bool = False
    strategy: Annotated[str, Field(max_length=defaults.MAX_STRATEGY_LENGTH)] | None = None
    diversity: _Diversity = defaults.DEFAULT_DIVERSITY
    max_per_artist: _TrackCount | None = None
    max_per_album: _TrackCount | None = None
    artist_gap: _ArtistGap = defaults.DEFAULT_ARTIST_GAP
    vary: bool = False
    random_seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    seeds: bool = defaults.DEFAULT_KEEP_SEEDS
    whiten: bool | None = None
    only: FilterParams = FilterParams()
    unless: FilterParams = FilterParams()
    exclude_playlists: Annotated[
        list[PlaylistFile], Field(max_length=defaults.MAX_EXCLUDED_PLAYLISTS)
    ] = []


class Playlist(BaseModel):
    """Tracks in order, and what kept them from being what was asked for."""

    name: str
    tracks: list[Track]
    notes: list[str]


class PlaylistExport(BaseModel):
    """Tracks in an order of one's own, to be written as a playlist file."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[list[TrackId], Field(min_length=1, max_length=defaults.MAX_EXPORTED_TRACKS)]
    name: Annotated[str, Field(max_length=defaults.MAX_PLAYLIST_NAME_LENGTH)] = "Playlist"
    format: Literal["m3u8", "xspf", "jspf"] = "m3u8"
