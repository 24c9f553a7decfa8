"""The HTTP interface: each path calls what the command line calls."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

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
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import APIKeyHeader

from audiosearch import __version__
from audiosearch.audio.tags import read_cover
from audiosearch.errors import UsageError
from audiosearch.library.index import Index, Track
from audiosearch.models.registry import ModelRequest
from audiosearch.playlist_files.formats import Entry, PlaylistFormat, entries_of, playlist_text
from audiosearch.playlists import Constraints, Playlist, PlaylistOptions, PlaylistRequest
from audiosearch.playlists import playlist as found_playlist
from audiosearch.search.similar import SearchOptions, SearchResult
from audiosearch.web import schemas
from audiosearch.web.audio import Audio
from audiosearch.web.embedding_service import EmbeddingService
from audiosearch.web.index_executor import IndexExecutor
from audiosearch.web.maps import Maps
from audiosearch.web.queries import QueryRequest, picked
from audiosearch.web.security import refused

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.Problem}
    for status in (400, 401, 403, 404, 408, 409, 413, 421, 422, 503)
}
_MEDIA_TYPES = {
    "m3u8": "audio/x-mpegurl",
    "xspf": "application/xspf+xml",
    "jspf": "application/json",
}

_PART = re.compile(r"bytes=(?:(\d+)-(\d*)|-\d+)")  # one, as players ask for
_KEPT = {"Cache-Control": "private, max-age=3600"}

# The guard asks for the key; here it is only described.
_KEY = Security(APIKeyHeader(name="X-API-Key", auto_error=False))

router = APIRouter(prefix="/api", responses=_PROBLEMS, dependencies=[_KEY])


@dataclass(frozen=True, slots=True)
class Services:
    """What requests share."""

    library: IndexExecutor
    hearing: EmbeddingService
    audio: Audio
    maps: Maps
    query: Callable[[QueryRequest], Awaitable[SearchResult]]


def _services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


Shared = Annotated[Services, Depends(_services)]
Upload = Annotated[UploadFile, File(description="A file of sound, in any format.")]
TrackId = schemas.TrackId


@router.get("/health")
async def health(shared: Shared) -> schemas.Health:
    """Say that the server is there, and what it serves."""
    tracks, model = await shared.library.ask(lambda i: (i.totals().tracks, i.spec.model))
    library = shared.library.name
    return schemas.Health(version=__version__, model=model, tracks=tracks, library=library)


@router.post("/embed")
async def embed(shared: Shared, file: Upload) -> schemas.EmbedResponse:
    """Return what a file sounds like: 128 numbers, whose squares add up to 1."""
    embedding = await shared.hearing.embedding(file.file)
    model = await shared.library.ask(lambda index: index.spec.model)
    return schemas.EmbedResponse(model=model, embedding=embedding.vector.tolist())


@router.post("/query")
async def query(
    shared: Shared,
    file: Annotated[list[UploadFile], File(max_length=10, description="Clips.")] = [],  # noqa: B006
    track: Annotated[list[TrackId], Form(description="Tracks to search with.")] = [],  # noqa: B006
    unlike: Annotated[list[TrackId], Form(description="Tracks that hits are unlike.")] = [],  # noqa: B006
    k: Annotated[int, Form(ge=1, le=1_000)] = 10,
    whiten: Annotated[bool, Form()] = False,
) -> schemas.Hits:
    """Find the tracks that sound most like clips, or like tracks, taken together."""
    heard = [await shared.hearing.embedding(one.file) for one in file]
    ranking = SearchOptions(whiten=whiten)
    return schemas.Hits.of(await shared.query(QueryRequest(heard, track, unlike, k, ranking)))


@router.get("/tracks")
async def tracks(
    shared: Shared,
    words: Annotated[str, Query(max_length=200, description="In tags or path.")] = "",
    offset: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> schemas.Tracks:
    """List tracks: those that words name, best first, or all, by id."""

    def found(index: Index) -> schemas.Tracks:
        total = None if words.strip() else index.n_tracks
        if words.strip():
            listed = index.search_text(words.replace("\0", " "), limit=limit, offset=offset)
        else:
            listed = index.list_tracks(limit=limit, offset=offset)
        return schemas.Tracks(tracks=[schemas.Track.of(one) for one in listed], total=total)

    return await shared.library.ask(found)


@router.get("/tracks/{track_id}")
async def track(shared: Shared, track_id: TrackId) -> schemas.Track:
    """Return a track."""
    (found,) = await shared.library.ask(partial(tracks_of, ids=[track_id]))
    return schemas.Track.of(found)


@router.get(
    "/tracks/{track_id}/audio",
    response_class=FileResponse,
    responses={
        200: {"content": {"audio/*": {}}, "description": "The sound."},
        206: {"content": {"audio/*": {}}, "description": "A part of it."},
        416: {"description": "There is no such part."},
    },
)
async def audio(
    shared: Shared,
    request: Request,
    track_id: TrackId,
    part: Annotated[str, Header(alias="Range", description="bytes=0-999")] = "",
) -> FileResponse:
    """Return a track's sound, or the part that a Range header asks for."""
    if not _is_part(part):  # as if it had not been sent: RFC 9110, section 14.2
        headers = request.scope["headers"]
        request.scope["headers"] = [pair for pair in headers if pair[0] != b"range"]
    (found,) = await shared.library.ask(partial(tracks_of, ids=[track_id]))
    path, media_type = await shared.audio.playable(found)
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": "no-cache"})


@router.get(
    "/tracks/{track_id}/cover",
    response_class=Response,
    responses={200: {"content": {"image/*": {}}, "description": "A picture."}},
)
async def cover(shared: Shared, track_id: TrackId) -> Response:
    """Return the picture in a track's file."""
    (found,) = await shared.library.ask(partial(tracks_of, ids=[track_id]))
    picture = await asyncio.to_thread(read_cover, found.path)
    if picture is None:
        missing = refused(404, f"Track #{track_id} has no picture.", "Tags may hold one.")
        missing.headers.update(_KEPT)
        return missing
    return Response(picture.data, media_type=picture.media_type, headers=_KEPT)


@router.post("/playlist")
async def playlist(shared: Shared, wanted: schemas.PlaylistParams) -> schemas.Playlist:
    """Make a playlist of tracks that sound like some, or lead from one to another."""
    if wanted.via and wanted.to is None:
        raise UsageError("The way leads nowhere.", hint="Say where it ends: to.")
    ends = [] if wanted.to is None else [*wanted.via, wanted.to]
    filters = wanted.only.filters(wanted.unless)
    shape = PlaylistOptions(
        n_tracks=wanted.n,
        drift=wanted.drift,
        diversity=wanted.diversity,
        seconds=None if wanted.minutes is None else 60 * wanted.minutes,
        keep_seeds=wanted.seeds,
        vary=wanted.vary or wanted.random_seed is not None,
        random_seed=wanted.random_seed,
    )
    heard_before = {
        entry.path
        for one in wanted.exclude_playlists
        for entry in entries_of(one.text.encode(), one.name)
    }
    gap = wanted.artist_gap
    caps = Constraints(wanted.max_per_artist, wanted.max_per_album, gap, frozenset(heard_before))

    def made(index: Index) -> Playlist:
        wishes = PlaylistRequest(
            seeds=tuple(t.path for t in tracks_of(index, list(dict.fromkeys(wanted.tracks)))),
            waypoints=tuple(t.path for t in tracks_of(index, ends)),
            filters=filters,
            whiten=wanted.whiten,
        )
        return found_playlist(index, wishes, shape, caps, ModelRequest())

    found = await shared.library.ask(made)
    return schemas.Playlist(
        name=found.name, tracks=[schemas.Track.of(t) for t in found.tracks], notes=found.notes
    )


@router.post(
    "/playlist/file",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in _MEDIA_TYPES.values()}}},
)
async def playlist_file(shared: Shared, ordered: schemas.PlaylistExport) -> Response:
    """Write tracks, in the order given, as a playlist file."""
    found = await shared.library.ask(partial(tracks_of, ids=ordered.tracks))
    entries = [Entry(t.path, t.title, t.artist, t.album, t.seconds) for t in found]
    text = playlist_text(entries, ordered.name, PlaylistFormat(ordered.format))
    disposition = f'attachment; filename="playlist.{ordered.format}"'
    return Response(
        text,
        media_type=_MEDIA_TYPES[ordered.format],
        headers={"Content-Disposition": disposition},
    )


@router.get("/map", response_class=JSONResponse)
async def sound_map(shared: Shared) -> Response:
    """Return where each track lies on the map, with its tags and nearest neighbours."""
    found = await shared.maps.current()
    return Response(found.json, media_type="application/json")


def _is_part(text: str) -> bool:
    """Return whether a Range header asks for a part that could be."""
    match = _PART.fullmatch(text)
    return match is not None and not (match[2] and int(match[1]) > int(match[2]))


def tracks_of(index: Index, ids: list[int]) -> list[Track]:
    """Return tracks in the order of their ids as given; errors as of `picked`."""
    return picked(index.by_id(ids), ids)
