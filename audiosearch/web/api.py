"""The HTTP interface: each path calls the same functions as the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import (
    APIRouter,
    Depends,
    File,
    Form,
    Header,
    Query,
    Request,
    Response,
    Security,
    UploadFile,
)
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader

from audiosearch import __version__, defaults
from audiosearch.audio.cover import media_type
from audiosearch.embedding.embedder import Embedding
from audiosearch.library.filters import EVERYTHING, Filters
from audiosearch.library.index import Index, Track
from audiosearch.playlist_files import (
    Entry,
    PlaylistFormat,
    parse_playlist,
    playlist_text,
)
from audiosearch.playlists import Constraints, Playlist, PlaylistOptions, PlaylistRequest
from audiosearch.playlists import playlist as make_playlist
from audiosearch.search.listing import list_tracks
from audiosearch.search.options import DEFAULT_OPTIONS, SearchOptions, TimeRange
from audiosearch.search.query import SearchResult
from audiosearch.search.sounds import sounds as heard_sounds
from audiosearch.web import schemas
from audiosearch.web.clients import unless_left
from audiosearch.web.covers import Covers
from audiosearch.web.embedding_service import EmbeddingService
from audiosearch.web.errors import error_response
from audiosearch.web.filter_fields import (
    clip_part,
    filter_fields,
    moments_per_track,
    search_options,
)
from audiosearch.web.index_executor import IndexExecutor
from audiosearch.web.maps import Maps
from audiosearch.web.moments import Clips, MomentService
from audiosearch.web.playback import Playback
from audiosearch.web.queries import QueryRequest, stored_tracks
from audiosearch.web.routes import Route
from audiosearch.web.track_files import TrackFileResponse

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem}
    for status in (400, 401, 403, 404, 408, 409, 413, 421, 422, 431, 503, 507)
}
_MEDIA_TYPES = {
    "m3u8": "audio/x-mpegurl",
    "xspf": "application/xspf+xml",
    "jspf": "application/json",
    "pls": "audio/x-scpls",
}

_CACHED = {"Cache-Control": "private, max-age=3600"}

# `SecurityMiddleware` checks the key. This only documents it.
_KEY = Security(APIKeyHeader(name="X-API-Key", auto_error=False))

router = APIRouter(prefix="/api", responses=_PROBLEMS, dependencies=[_KEY], route_class=Route)


@dataclass(frozen=True, slots=True)
class Services:
    """Objects that all requests share."""

    index: IndexExecutor
    embedding: EmbeddingService
    playback: Playback
    covers: Covers
    maps: Maps
    query: Callable[[QueryRequest], Awaitable[SearchResult]]
    moments: MomentService


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Shared = Annotated[Services, Depends(_services)]
Upload = Annotated[UploadFile, File(description="Audio file in any format.")]
TrackId = schemas.TrackId


@router.get("/health")
async def health(shared: Shared) -> schemas.Health:
    """Return the server's status, and facts about the index that it serves."""
    index = shared.index
    n_tracks, has_moments = await index.status()
    return schemas.Health(
        version=__version__,
        model=index.spec.model,
        tracks=n_tracks,
        library=index.name,
        moments=has_moments,
    )


@router.get("/defaults")
async def shared_defaults() -> schemas.Defaults:
    """Return the defaults and limits that the page shares with the server."""
    return schemas.Defaults()


@router.post("/embed")
async def embed(shared: Shared, request: Request, file: Upload) -> schemas.EmbedResponse:
    """Return the embedding of a file: a vector of unit length."""
    model = await shared.index.run(lambda index: index.spec.model)
    embedding = await unless_left(request.receive, shared.embedding.embed(file.file))
    return schemas.EmbedResponse(model=model, embedding=embedding.vector.tolist())


@router.post("/query")
async def query(  # noqa: PLR0913  (the fields of the form)
    shared: Shared,
    request: Request,
    *,
    file: Annotated[
        list[UploadFile],
        File(max_length=defaults.MAX_QUERY_FILES, description="Clips to search with."),
    ] = [],  # noqa: B006
    track: Annotated[list[TrackId], Form(description="Tracks to search with.")] = [],  # noqa: B006
    unlike: Annotated[list[TrackId], Form(description="Tracks to move away from.")] = [],  # noqa: B006
    k: Annotated[int, Form(ge=1, le=defaults.MAX_HITS)] = defaults.HITS,
    part: Annotated[TimeRange | None, Depends(clip_part)] = None,
    per_track: Annotated[int | None, Depends(moments_per_track)] = None,
    options: Annotated[SearchOptions, Depends(search_options)] = DEFAULT_OPTIONS,
) -> schemas.Hits:
    """Find the tracks that sound most like the average of the given clips and tracks.

    Without clips, only.sound finds the tracks with the highest scores of these sounds. With
    moments, the hits are stretches of tracks, as long as the clip.
    """
    clips = Clips([clip.file for clip in file], track, unlike, part)
    if per_track is not None:
        preparing = shared.moments.prepare(clips, k=k, per_track=per_track, options=options)
        moment_query, warnings = await unless_left(request.receive, preparing)
        result = await shared.moments.search(moment_query, request)
        result = replace(result, warnings=[*warnings, *result.warnings])
        return schemas.Hits.of(result, has_moments=True)

    async def embed_all() -> list[Embedding]:  # one by one, up to the first error
        if part is not None:
            return [await shared.moments.embed_part(clips)]
        return [await shared.embedding.embed(clip) for clip in clips.files]

    is_heard = bool(file) or part is not None
    embeddings = await unless_left(request.receive, embed_all()) if is_heard else []
    tracks, sources = (track, []) if part is None else ([], track)
    found = await shared.query(QueryRequest(embeddings, tracks, unlike, k, options, sources))
    return schemas.Hits.of(found)


@router.get("/tracks")
async def tracks(
    shared: Shared,
    request: Request,
    words: Annotated[
        str, Query(max_length=defaults.MAX_WORDS_LENGTH, description="Words in tags or path.")
    ] = "",
    offset: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=defaults.MAX_TRACKS_PER_PAGE)] = defaults.TRACKS_PER_PAGE,
    filters: Annotated[Filters, Depends(filter_fields(Query))] = EVERYTHING,
) -> schemas.Tracks:
    """List the tracks whose tags or path match the words, best first; by default all, by id."""

    def page(index: Index) -> tuple[list[Track], int | None]:
        return index.storage.list_tracks(limit=limit, offset=offset), index.n_tracks

    def matches(index: Index) -> tuple[list[Track], int | None]:
        return index.search_text(words.replace("\0", " "), limit=limit, offset=offset), None

    def filtered(index: Index) -> tuple[list[Track], int | None]:
        found = list_tracks(index, words.replace("\0", " "), filters=filters)
        return found[offset : offset + limit], len(found)

    if filters != EVERYTHING:
        batch, total = await shared.index.run_long(filtered, request)
    elif words.strip():
        batch, total = await shared.index.run_long(matches, request)
    else:
        batch, total = await shared.index.run(page)
    return schemas.Tracks(tracks=[schemas.Track.of(track) for track in batch], total=total)


@router.get("/sounds")
async def sounds(
    shared: Shared,
    request: Request,
    limit: Annotated[int | None, Query(ge=1, le=defaults.MAX_TRACKS_PER_PAGE)] = None,
    filters: Annotated[Filters, Depends(filter_fields(Query))] = EVERYTHING,
) -> schemas.HeardSounds:
    """List the sounds that are heard in the tracks, those of the most tracks first."""
    found = await shared.index.run_long(
        partial(heard_sounds, filters=filters, limit=limit), request
    )
    return schemas.HeardSounds(sounds=[schemas.HeardSound(**asdict(sound)) for sound in found])


@router.get("/tracks/{track_id}")
async def track(shared: Shared, track_id: TrackId) -> schemas.Track:
    """Return a track."""
    (track,) = await shared.index.run(partial(stored_tracks, ids=[track_id]))
    return schemas.Track.of(track)


@router.get(
    "/tracks/{track_id}/audio",
    response_class=Response,
    responses={
        200: {"content": {"audio/*": {}}, "description": "The audio."},
        206: {"content": {"audio/*": {}}, "description": "Part of the audio."},
        416: {"description": "The range is outside the file."},
    },
)
async def audio(
    shared: Shared,
    request: Request,
    track_id: TrackId,
    _: Annotated[str, Header(alias="Range", description="bytes=0-999")] = "",
    copy: Annotated[
        Literal["mp3"] | None,
        Query(alias="format", description="mp3: a copy as mp3, even if browsers play the format."),
    ] = None,
) -> TrackFileResponse:
    """Return a track's audio, or the part that a Range header requests."""
    (track,) = await shared.index.run(partial(stored_tracks, ids=[track_id]))
    opening = shared.playback.playable(track, is_copy_needed=copy is not None)
    file, kind = await unless_left(request.receive, opening)
    try:
        return TrackFileResponse(file, kind, request.headers)
    except BaseException:
        file.close()
        raise


@router.get(
    "/tracks/{track_id}/cover",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}, "description": "An image."}},
)
async def cover(shared: Shared, track_id: TrackId) -> Response:
    """Return the cover image in a track's file."""
    (track,) = await shared.index.run(partial(stored_tracks, ids=[track_id]))
    image = await shared.covers.cover(track)
    if image is None:
        missing = error_response(
            404, f"Track #{track_id} has no cover image.", "Add one to the tags of its file."
        )
        missing.headers.update(_CACHED)
        return missing
    return Response(image, media_type=media_type(image), headers=_CACHED)


@router.post("/playlist")
async def playlist(
    shared: Shared, request: Request, params: schemas.PlaylistParams
) -> schemas.Playlist:
    """Make a playlist of similar tracks, or of tracks that lead from one to another."""
    options = PlaylistOptions(
        n_tracks=params.n,
        seconds=None if params.minutes is None else 60 * params.minutes,
        diversity=params.diversity,
        keep_seeds=params.seeds,
        drift=params.drift,
        vary=params.vary or params.random_seed is not None,
        random_seed=params.random_seed,
        whiten=params.whiten,
    )
    limits = (params.max_per_artist, params.max_per_album, params.artist_gap)
    filters = params.only.filters(params.unless)

    def make(index: Index) -> Playlist:
        def paths(ids: list[int]) -> tuple[str, ...]:
            return tuple(track.path for track in stored_tracks(index, ids))

        files = params.exclude_playlists
        excluded = tuple(parse_playlist(file.content, file.name) for file in files)
        playlist_request = PlaylistRequest(
            seeds=paths(list(dict.fromkeys(params.tracks))),
            destination=None if params.to is None else paths([params.to])[0],
            waypoints=paths(params.via),
            strategy=params.strategy,
            options=options,
            constraints=Constraints(*limits),
            filters=filters,
            excluded_playlists=excluded,
        )
        return make_playlist(index, playlist_request)

    result = await shared.index.run_long(make, request)
    return schemas.Playlist(
        name=result.name,
        tracks=[schemas.Track.of(track) for track in result.tracks],
        notes=result.notes,
    )


@router.post(
    "/playlist/file",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _MEDIA_TYPES.values()}}},
)
async def playlist_file(shared: Shared, export: schemas.PlaylistExport) -> Response:
    """Write tracks, in the given order, as a playlist file."""
    tracks = await shared.index.run(partial(stored_tracks, ids=export.tracks))
    entries = [Entry.from_track(track) for track in tracks]
    text = playlist_text(entries, export.name, PlaylistFormat(export.format))
    disposition = f'attachment; filename="playlist.{export.format}"'
    return Response(
        text,
        media_type=_MEDIA_TYPES[export.format],
        headers={"Content-Disposition": disposition},
    )


@router.get("/map", response_class=JSONResponse)
async def sound_map(shared: Shared) -> Response:
    """Return each track's position on the map, its tags and its nearest neighbors."""
    current = await shared.maps.current()
    return Response(current.json, media_type="application/json")
