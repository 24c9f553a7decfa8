"""Routes that embed clips, and search with clips and tracks."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import (
    Depends,
    File,
    Form,
    Request,
    UploadFile,
)

from audiosearch import defaults
from audiosearch.search.options import DEFAULT_OPTIONS, SearchOptions, TimeRange
from audiosearch.web.interface import schemas
from audiosearch.web.interface.filter_fields import (
    clip_part,
    moments_per_track,
    search_options,
)
from audiosearch.web.interface.statuses import problems
from audiosearch.web.routes.shared import (
    Shared,
    TrackId,
    UploadedFile,
    name_of,
    new_router,
)
from audiosearch.web.services.moments import Clips
from audiosearch.web.services.queries import QueryRequest
from audiosearch.web.transport.clients import unless_left

router = new_router()


@router.post("/embed", responses=problems(408, 409, 422, 507))
async def embed(shared: Shared, request: Request, file: UploadedFile) -> schemas.EmbedResponse:
    """Return the embedding of a file: a vector of unit length."""
    model = await shared.index.run(lambda index: index.spec.model)
    running = shared.embedding.embed(file.file, name=name_of(file))
    embedding = await unless_left(request.receive, running)
    return schemas.EmbedResponse(model=model, embedding=embedding.vector.tolist())


@router.post("/query", responses=problems(404, 408, 409, 422, 507))
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
    upload: Annotated[
        list[schemas.UploadId],
        Form(max_length=defaults.MAX_QUERY_FILES, description="Kept uploads to search with."),
    ] = [],  # noqa: B006
    unlike_upload: Annotated[
        list[schemas.UploadId],
        Form(max_length=defaults.MAX_QUERY_FILES, description="Kept uploads to move away from."),
    ] = [],  # noqa: B006
    k: Annotated[
        int, Form(ge=1, le=defaults.MAX_HITS, description="Number of hits.")
    ] = defaults.HITS,
    part: Annotated[TimeRange | None, Depends(clip_part)] = None,
    per_track: Annotated[int | None, Depends(moments_per_track)] = None,
    options: Annotated[SearchOptions, Depends(search_options)] = DEFAULT_OPTIONS,
) -> schemas.Hits:
    """Find the tracks that sound most like the average of the given clips and tracks.

    Without clips, `only.sound` finds the tracks with the highest scores of these sounds. With
    `moments`, the hits are stretches of tracks, as long as the clip.
    """
    uploads, unlike_uploads = map(shared.uploads.get_all, (upload, unlike_upload))
    files = [(clip.file, name_of(clip)) for clip in file]
    clips = Clips(files, track, unlike, part, uploads, unlike_uploads)
    if per_track is not None:
        preparing = shared.moments.prepare(clips, k=k, per_track=per_track, options=options)
        moment_query, warnings = await unless_left(request.receive, preparing)
        result = await shared.moments.search(moment_query, request)
        result = replace(result, warnings=[*warnings, *result.warnings])
        return schemas.Hits.of(result, has_moments=True)

    embeddings = [] if clips.part is not None else [upload.embedding for upload in uploads]
    if clips.is_decoded:
        embeddings += await unless_left(request.receive, shared.moments.embeddings(clips))
    negatives = [upload.embedding for upload in unlike_uploads]
    tracks, sources = (track, []) if part is None else ([], track)
    found = await shared.query(
        QueryRequest(embeddings, tracks, unlike, k, options, sources, negatives)
    )
    return schemas.Hits.of(found)
