"""Request and response bodies as JSON."""

from __future__ import annotations

from dataclasses import asdict
from os.path import basename
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from audiosearch import defaults
from audiosearch.audio.waveform import from_bytes
from audiosearch.library.filters import Filters, Range
from audiosearch.models.sound_names import matching_any
from audiosearch.paths import is_url
from audiosearch.soundmap.labels import file_of, folder_of, name_of

if TYPE_CHECKING:
    from audiosearch.library.index import Track as StoredTrack
    from audiosearch.library.saved_playlist import PlaylistSummary as StoredSummary
    from audiosearch.search.query import Hit as FoundHit
    from audiosearch.search.query import SearchResult
    from audiosearch.watching.watch_file import Watching as CurrentWatch

#: A track id; SQLite's integers end at 2^63 - 1.
TrackId = Annotated[int, Field(ge=1, le=2**63 - 1, description="Id of a track.")]
#: The id of an upload that is kept.
UploadId = Annotated[str, Field(max_length=100, description="Id of an upload that is kept.")]
#: A field whose values are suggested.
SuggestionField = Literal["artist", "album", "genre", "sound", "folder", "title"]
_TrackCount = Annotated[int, Field(ge=1, le=defaults.MAX_PLAYLIST_TRACKS)]


class Problem(BaseModel):
    """An error: a sentence, and a hint on what to do."""

    error: str
    hint: str


class Watching(BaseModel):
    """A process that keeps the index up to date: the names of its folders, and when it started."""

    folders: list[str]
    since: str

    @classmethod
    def of(cls, current: CurrentWatch) -> Watching:
        """Convert the facts about a watch. Paths are never sent."""
        return cls(folders=list(map(basename, current.folders)), since=current.since)


class Health(BaseModel):
    """Status of the server, and facts about the index that it serves.

    ``clips`` tells whether clips can be embedded: they need the model's weights. If not,
    ``clips_problem`` says why; else it is empty. ``watching`` is null unless `audiosearch watch` is
    running for the index.
    """

    status: Literal["ok"] = "ok"
    version: str
    model: str
    tracks: int
    library: str
    moments: bool
    clips: bool
    clips_problem: str
    watching: list[Watching] | None


class MapProgress(BaseModel):
    """Share of the work on the map that is done, 0 to 1; null if no map is being made."""

    share: float | None


class Defaults(BaseModel):
    """Defaults and limits that the page takes from the server; see `audiosearch.defaults`."""

    hits: int = defaults.HITS
    max_hits: int = defaults.MAX_HITS
    max_query_files: int = defaults.MAX_QUERY_FILES
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
    max_sampled_tracks: int = defaults.MAX_SAMPLED_TRACKS


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

    ``has_cover`` is null if it is unknown whether the file has a cover image.
    ``folder`` is the name of the folder that the file is in, and ``file`` the name of the file.
    Several artists or genres are joined by "; ", and are also listed in ``artists`` and ``genres``.
    """

    id: int
    name: str
    folder: str
    file: str
    title: str | None
    artist: str | None
    album: str | None
    genre: str | None
    year: int | None
    seconds: float
    artists: list[str]
    genres: list[str]
    sounds: list[Sound]
    has_cover: bool | None

    @classmethod
    def of(cls, track: StoredTrack) -> Track:
        """Convert a stored track."""
        names = ("id", "title", "artist", "album", "genre", "year", "seconds", "artists", "genres")
        fields = {name: getattr(track, name) for name in names}
        sounds = [Sound(**asdict(sound)) for sound in track.sounds]
        name, folder, file = name_of(track), folder_of(track), file_of(track)
        has_cover = False if is_url(track.path) else track.has_cover  # no URL is opened
        return cls(
            name=name, folder=folder, file=file, sounds=sounds, has_cover=has_cover, **fields
        )


class Waveform(BaseModel):
    """The outline of a recording: the largest magnitude in each 1/800 of it, 0 to 1."""

    seconds: float
    peaks: list[float]

    @classmethod
    def of(cls, seconds: float, content: bytes) -> Waveform:
        """Convert a stored waveform."""
        return cls(seconds=seconds, peaks=[round(value, 3) for value in from_bytes(content)])


class Upload(Waveform):
    """An upload that is kept. It expires in as many seconds, unless it is used again."""

    id: str
    name: str
    expires: int


class Tracks(BaseModel):
    """A page of tracks, and the total number of tracks."""

    tracks: list[Track]
    total: int | None


class Suggestion(BaseModel):
    """A value of a tag, a sound or a folder, and the number of tracks that have it."""

    field: SuggestionField
    text: str
    tracks: int


class Suggestions(BaseModel):
    """Suggestions for words being typed, best first."""

    suggestions: list[Suggestion]


class SampleParams(BaseModel):
    """Tracks of which to return a sample of ``n``."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[
        list[TrackId],
        Field(
            min_length=1, max_length=defaults.MAX_SAMPLED_TRACKS, description="Ids of the tracks."
        ),
    ]
    n: Annotated[
        int, Field(ge=1, le=defaults.MAX_SAMPLE, description="Number of tracks to return.")
    ] = defaults.PLAYLIST_TRACKS


class Sample(BaseModel):
    """A sample of tracks, in the order in which they were named."""

    tracks: list[Track]


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

    ``match`` is the correlation of its spectrogram with that of the clip; null if that wasn't
    compared.
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


Span = Annotated[str, Field(max_length=defaults.MAX_RANGE_LENGTH)]


def _is_path(folder: str) -> bool:
    return "/" in folder or "\\" in folder


class FilterParams(BaseModel):
    """Filters. Values for the same field are OR-ed."""

    model_config = ConfigDict(extra="forbid")

    artist: Texts = Field(default=[], description="names of artists.")
    album: Texts = Field(default=[], description="names of albums.")
    genre: Texts = Field(default=[], description="names of genres.")
    year: Span = Field(
        default="", description="a range of years, such as 1990..1999, 2000.. or ..1989."
    )
    seconds: Span = Field(default="", description="a range of lengths in seconds, such as 60..600.")
    under: Texts = Field(default=[], description="folders: their paths or only their names.")
    sound: Texts = Field(default=[], description="sounds that are heard, such as dog barking.")

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
            folder=tuple(folder for folder in self.under if _is_path(folder)),
            folder_name=tuple(name for name in self.under if not _is_path(name)),
            sound=matching_any(self.sound),
            exclude=unless.filters() if unless and unless != FilterParams() else None,
        )


class PlaylistFile(BaseModel):
    """Contents of a playlist file: its text, or its bytes in Base64.

    The suffix of its name tells the format.
    """

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=200)] = Field(description="Name of the file.")
    text: Annotated[str, Field(max_length=defaults.MAX_PLAYLIST_FILE_LENGTH)] = Field(
        default="", description="Contents of the file."
    )
    base64: Annotated[Base64Bytes, Field(max_length=defaults.MAX_PLAYLIST_FILE_LENGTH)] = Field(
        default=b"", description="Contents of the file in Base64, for any encoding."
    )

    @property
    def content(self) -> bytes:
        """Bytes of the file."""
        return self.base64 or self.text.encode()


_ArtistGap = Annotated[int, Field(ge=0, le=defaults.MAX_PLAYLIST_TRACKS)]
_Diversity = Annotated[float, Field(ge=defaults.MIN_DIVERSITY, le=defaults.MAX_DIVERSITY)]


class PlaylistParams(BaseModel):
    """Parameters of a playlist: the options of ``audiosearch playlist``."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[list[TrackId], Field(min_length=1, max_length=defaults.MAX_SEEDS)] = Field(
        description="Ids of the seeds."
    )
    to: TrackId | None = Field(default=None, description="Id of the track at the end of a path.")
    via: Annotated[list[TrackId], Field(max_length=defaults.MAX_WAYPOINTS)] = Field(
        default=[], description="Ids of tracks on the way of a path."
    )
    n: _TrackCount = Field(default=defaults.PLAYLIST_TRACKS, description="Number of tracks.")
    minutes: Annotated[float, Field(gt=0, le=defaults.MAX_PLAYLIST_MINUTES)] | None = Field(
        default=None, description="Length in minutes, instead of a number of tracks."
    )
    drift: bool = Field(default=False, description="Let the playlist drift away from the seeds.")
    strategy: Annotated[str, Field(max_length=defaults.MAX_STRATEGY_LENGTH)] | None = Field(
        default=None,
        description="similar, drift or path. Default: path with `to`, drift with `drift`, else "
        "similar.",
    )
    diversity: _Diversity = Field(
        default=defaults.DIVERSITY,
        description="0 for the most similar tracks, 1 for the most varied ones.",
    )
    max_per_artist: _TrackCount | None = Field(
        default=None, description="Most tracks of an artist."
    )
    max_per_album: _TrackCount | None = Field(default=None, description="Most tracks of an album.")
    artist_gap: _ArtistGap = Field(
        default=defaults.ARTIST_GAP, description="Tracks between two tracks by the same artist."
    )
    vary: bool = Field(default=False, description="Make another playlist each time.")
    random_seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(
        default=None, description="Number that repeats a varied playlist."
    )
    seeds: bool = Field(
        default=defaults.KEEP_SEEDS, description="Whether the seeds are in the playlist."
    )
    whiten: bool | None = Field(
        default=None,
        description="Rank by whitened vectors. Default: if the index has enough tracks.",
    )
    only: FilterParams = Field(default=FilterParams(), description="Allow only these tracks.")
    unless: FilterParams = Field(default=FilterParams(), description="Leave these tracks out.")
    exclude_tracks: Annotated[
        list[TrackId],
        Field(max_length=defaults.MAX_EXCLUDED_TRACKS, description="Ids of tracks to leave out."),
    ] = []
    exclude_playlists: Annotated[
        list[PlaylistFile], Field(max_length=defaults.MAX_EXCLUDED_PLAYLISTS)
    ] = Field(default=[], description="Playlists whose tracks are left out.")


class Playlist(BaseModel):
    """Tracks in order, and notes on requests that could not be met."""

    name: str
    tracks: list[Track]
    notes: list[str]


class PlaylistSummary(BaseModel):
    """A saved playlist: number and total seconds of its tracks when it was saved, and that time."""

    name: str
    tracks: int
    seconds: float
    saved: str

    @classmethod
    def of(cls, summary: StoredSummary) -> PlaylistSummary:
        """Convert a stored summary."""
        return cls(
            name=summary.name, tracks=summary.n_tracks, seconds=summary.seconds, saved=summary.saved
        )


class SavedPlaylists(BaseModel):
    """All saved playlists, ordered by name."""

    playlists: list[PlaylistSummary]


class SavedPlaylist(BaseModel):
    """A saved playlist. ``missing`` is the number of its tracks that were removed since."""

    name: str
    tracks: list[Track]
    missing: int
    settings: dict[str, Any]
    saved: str


class PlaylistContent(BaseModel):
    """Tracks in order, and settings to be found again with them."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[
        list[TrackId],
        Field(max_length=defaults.MAX_SAVED_TRACKS, description="Ids of the tracks, in order."),
    ]
    settings: Annotated[
        dict[str, Any], Field(description="Anything to be found again with the playlist.")
    ] = {}


class PlaylistName(BaseModel):
    """Another name of a saved playlist."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(description="The new name.")]


class PlaylistExport(BaseModel):
    """Tracks in order, to be written as a playlist file."""

    model_config = ConfigDict(extra="forbid")

    tracks: Annotated[
        list[TrackId], Field(min_length=1, max_length=defaults.MAX_EXPORTED_TRACKS)
    ] = Field(description="Ids of the tracks, in order.")
    name: Annotated[str, Field(max_length=defaults.MAX_PLAYLIST_NAME_LENGTH)] = Field(
        default="Playlist", description="Title of the playlist."
    )
    format: Literal["m3u8", "xspf", "jspf", "pls"] = Field(
        default="m3u8", description="Format of the file."
    )
