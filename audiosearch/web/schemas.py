"""Request and response bodies as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from audiosearch import defaults
from audiosearch.library.filters import Filters, Range
from audiosearch.models.sound_names import matching_any
from audiosearch.soundmap.labels import name_of

if TYPE_CHECKING:
    from audiosearch.library.index import Track as StoredTrack
    from audiosearch.search.query import Hit as FoundHit
    from audiosearch.search.query import SearchResult

#: A track id; SQLite's integers end at 2^63 - 1.
TrackId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class Problem(BaseModel):
    """An error: a sentence, and a hint on what to do."""

    error: str
    hint: str


class Health(BaseModel):
    """Status of the server, and facts about the index that it serves."""

    status: Literal["ok"] = "ok"
    version: str
    model: str
    tracks: int
    library: str
    moments: bool


class Defaults(BaseModel):
    """Defaults and limits that the page takes from the server; see `audiosearch.defaults`."""

    hits: int = defaults.HITS
    max_hits: int = defaults.MAX_HITS
    tracks_per_page: int = defaults.TRACKS_PER_PAGE
    playlist_tracks: int = defaults.PLAYLIST_TRACKS
    max_playlist_tracks: int = defaults.MAX_PLAYLIST_TRACKS
    max_playlist_minutes: int = defaults.MAX_PLAYLIST_MINUTES
    artist_gap: int = defaults.ARTIST_GAP
    diversity: float = defaults.DIVERSITY
    keep_seeds: bool = defaults.KEEP_SEEDS
    max_seeds: int = defaults.MAX_SEEDS
    max_waypoints: int = defaults.MAX_WAYPOINTS
    max_range_length: int = defaults.MAX_RANGE_LENGTH
    max_playlist_name_length: int = defaults.MAX_PLAYLIST_NAME_LENGTH


class EmbedResponse(BaseModel):
    """The embedding of a file, of unit length."""

    model: str
    embedding: list[float]


class Sound(BaseModel):
    """A sound that is heard in a track: its highest score and when, and its mean score."""

    name: str
    score: float
    mean: float
    at: float


class Track(BaseModel):
    """A track with its tags and sounds, best first. Paths are never sent.

    Several artists or genres are joined by "; ", and are also listed in ``artists`` and ``genres``.
    """

    id: int
    name: str
    title: str | None
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None
    seconds: float
    artists: list[str]
    genres: list[str]
    sounds: list[Sound]

    @classmethod
    def of(cls, track: StoredTrack) -> Track:
        """Convert a stored track."""
        names = ("id", "title", "artist", "album", "genre", "year", "seconds", "artists", "genres")
        fields = {name: getattr(track, name) for name in names}
        sounds = [Sound(**asdict(sound)) for sound in track.sounds]
        return cls(name=name_of(track), sounds=sounds, **fields)


class Tracks(BaseModel):
    """A page of tracks, and the total number of tracks (null in a text search)."""

    tracks: list[Track]
    total: int | None


class HeardSound(BaseModel):
    """A sound: the number of tracks, its highest score in them, and the mean of its mean scores."""

    name: str
    tracks: int
    score: float
    mean: float


class HeardSounds(BaseModel):
    """Sounds that are heard in tracks, those of the most tracks first."""

    sounds: list[HeardSound]


class Hit(BaseModel):
    """A track that a query found. Rank 1 is the best.

    The similarity is null if there are no clips, and the sound score if it has no part in the
    ranking.
    """

    rank: int
    similarity: float | None
    sound_score: float | None
    track: Track

    @classmethod
    def of(cls, hit: FoundHit) -> Hit:
        """Convert a hit."""
        return cls(**_hit_fields(hit))


class MomentHit(Hit):
    """A stretch of a track that a query for moments found, from start to end in seconds.

    ``match`` is near 1 if it is the same recording as the clip, and null if that wasn't compared.
    """

    start: float
    end: float
    match: float | None

    @classmethod
    def of(cls, hit: FoundHit) -> MomentHit:
        """Convert a hit."""
        start, end = round(hit.start or 0.0, 3), round(hit.end or 0.0, 3)
        return cls(**_hit_fields(hit), start=start, end=end, match=hit.match)


def _hit_fields(hit: FoundHit) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "similarity": hit.similarity,
        "sound_score": hit.sound_score,
        "track": Track.of(hit.track),
    }


class Hits(BaseModel):
    """Hits of a query, and warnings about its clips. All hits are tracks, or all are moments."""

    model: str
    hits: list[Hit] | list[MomentHit]
    warnings: list[str]

    @classmethod
    def of(cls, result: SearchResult, *, has_moments: bool = False) -> Hits:
        """Convert a search result."""
        kind = MomentHit if has_moments else Hit
        hits = [kind.of(hit) for hit in result.hits]
        return cls(model=result.spec.model, hits=hits, warnings=result.warnings)


Texts = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=20)]


Span = Annotated[
    str,
    Field(
        max_length=defaults.MAX_RANGE_LENGTH,
        description="MIN..MAX. Either end may be left out.",
    ),
]


class FilterParams(BaseModel):
    """Filters. Values for the same field are OR-ed."""

    model_config = ConfigDict(extra="forbid")

    artist: Texts = []
    album: Texts = []
    genre: Texts = []
    year: Span = ""
    seconds: Span = ""
    under: Texts = []
    sound: Texts = []

    def filters(self, unless: FilterParams | None = None) -> Filters:
        """Convert to `Filters`.

        Raises
        ------
        UsageError
            If the years or the seconds are not a range, or no sound has one of the names.
        """
        return Filters(
            artist=tuple(self.artist),
            album=tuple(self.album),
            genre=tuple(self.genre),
            year=(Range.parsed(self.year),) if self.year else (),
            seconds=(Range.parsed(self.seconds),) if self.seconds else (),
            folder=tuple(self.under),
            sound=matching_any(self.sound),
            exclude=unless.filters() if unless and unless != FilterParams() else None,
        )


class PlaylistFile(BaseModel):
    """Contents of a playlist file: its text, or its bytes in Base64.

    The suffix of its name tells the format.
    """

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)]
    text: Annotated[str, Field(max_length=defaults.MAX_PLAYLIST_FILE_LENGTH)] = ""
    base64: Annotated[Base64Bytes, Field(max_length=defaults.MAX_PLAYLIST_FILE_LENGTH)] = b""

    @property
    def content(self) -> bytes:
        """Bytes of the file."""
        return self.base64 or self.text.encode()


_TrackCount = Annotated[int, Field(ge=1, le=defaults.MAX_PLAYLIST_TRACKS)]
_ArtistGap = Annotated[int, Field(ge=0, le=defaults.MAX_PLAYLIST_TRACKS)]
_Diversity = Annotated[float, Field(ge=defaults.MIN_DIVERSITY, le=defaults.MAX_DIVERSITY)]


class PlaylistParams(BaseModel):
    """Parameters of a playlist: the options of ``audiosearch playlist``."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[list[TrackId], Field(min_length=1, max_length=defaults.MAX_SEEDS)]
    to: TrackId | None = None
    via: Annotated[list[TrackId], Field(max_length=defaults.MAX_WAYPOINTS)] = []
    n: _TrackCount = defaults.PLAYLIST_TRACKS
    minutes: Annotated[float, Field(gt=0, le=defaults.MAX_PLAYLIST_MINUTES)] | None = None
    drift: bool = False
    strategy: Annotated[str, Field(max_length=defaults.MAX_STRATEGY_LENGTH)] | None = None
    diversity: _Diversity = defaults.DIVERSITY
    max_per_artist: _TrackCount | None = None
    max_per_album: _TrackCount | None = None
    artist_gap: _ArtistGap = defaults.ARTIST_GAP
    vary: bool = False
    random_seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    seeds: bool = defaults.KEEP_SEEDS
    whiten: bool | None = None
    only: FilterParams = FilterParams()
    unless: FilterParams = FilterParams()
    exclude_playlists: Annotated[
        list[PlaylistFile], Field(max_length=defaults.MAX_EXCLUDED_PLAYLISTS)
    ] = []


class Playlist(BaseModel):
    """Tracks in order, and notes on requests that could not be met."""

    name: str
    tracks: list[Track]
    notes: list[str]


class PlaylistExport(BaseModel):
    """Tracks in order, to be written as a playlist file."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[list[TrackId], Field(min_length=1, max_length=defaults.MAX_EXPORTED_TRACKS)]
    name: Annotated[str, Field(max_length=defaults.MAX_PLAYLIST_NAME_LENGTH)] = "Playlist"
    format: Literal["m3u8", "xspf", "jspf", "pls"] = "m3u8"
