"""Routes that make playlists, write them as files, and keep saved ones."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import (
    Path,
    Request,
    Response,
)

from audiosearch.library.index import Index
from audiosearch.library.saved_playlist import PlaylistSummary
from audiosearch.playlist_files import (
    Entry,
    PlaylistFormat,
    parse_playlist,
    playlist_text,
)
from audiosearch.playlists import Constraints, Playlist, PlaylistOptions, PlaylistRequest, saved
from audiosearch.playlists import playlist as make_playlist
from audiosearch.web.interface import schemas
from audiosearch.web.interface.statuses import problems
from audiosearch.web.routes.shared import (
    Shared,
    new_router,
)
from audiosearch.web.services.queries import stored_tracks

_MEDIA_TYPES = {
    "m3u8": "audio/x-mpegurl",
    "xspf": "application/xspf+xml",
    "jspf": "application/json",
    "pls": "audio/x-scpls",
}

Name = Annotated[
    str, Path(description="Name of a saved playlist, percent-encoded: / as %2F, for example.")
]

router = new_router()


@router.post("/playlist", responses=problems(404, 408, 409, 422))
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
            excluded_ids=tuple(params.exclude_tracks),
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
    responses={
        200: {
            "content": {kind: {} for kind in _MEDIA_TYPES.values()},
            "description": "The playlist file.",
        },
        **problems(404, 408, 409, 422),
    },
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


@router.get("/playlists", responses=problems(409))
async def saved_playlists(shared: Shared) -> schemas.SavedPlaylists:
    """List the saved playlists, by name."""
    summaries = await shared.index.run(saved.summaries)
    return schemas.SavedPlaylists(
        playlists=[schemas.PlaylistSummary.of(summary) for summary in summaries]
    )


@router.get("/playlists/{name:path}", responses=problems(404, 409, 422))
async def saved_playlist(shared: Shared, name: Name) -> schemas.SavedPlaylist:
    """Return a saved playlist with its tracks, without those that were removed since."""
    found = await shared.index.run(partial(saved.load, name=name))
    return schemas.SavedPlaylist(
        name=found.summary.name,
        tracks=[schemas.Track.of(track) for track in found.tracks],
        missing=found.n_missing,
        settings=found.settings,
        saved=found.summary.saved,
    )


@router.put("/playlists/{name:path}", responses=problems(404, 408, 409, 422))
async def save_playlist(
    shared: Shared, name: Name, content: schemas.PlaylistContent
) -> schemas.PlaylistSummary:
    """Save tracks as a playlist. It replaces one of the same name."""

    def save(index: Index) -> PlaylistSummary:
        tracks = stored_tracks(index, content.tracks)
        return saved.save(index, name, tracks, content.settings)

    return schemas.PlaylistSummary.of(await shared.index.run_writing(save))


@router.patch("/playlists/{name:path}", responses=problems(404, 408, 409, 422))
async def rename_playlist(
    shared: Shared, name: Name, renamed: schemas.PlaylistName
) -> schemas.PlaylistSummary:
    """Give a saved playlist another name, which no other one has."""
    rename = partial(saved.rename, name=name, new_name=renamed.name)
    return schemas.PlaylistSummary.of(await shared.index.run_writing(rename))


@router.delete(
    "/playlists/{name:path}",
    status_code=204,
    response_description="It is removed.",
    responses=problems(404, 408, 409, 422),
)
async def remove_playlist(shared: Shared, name: Name) -> None:
    """Remove a saved playlist. Its tracks stay."""
    await shared.index.run_writing(partial(saved.remove, name=name))
