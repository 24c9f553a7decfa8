"""Routes that tell about the server."""

from __future__ import annotations

from audiosearch import __version__
from audiosearch.watching.watch_file import current_watch
from audiosearch.web.interface import schemas
from audiosearch.web.interface.statuses import problems
from audiosearch.web.routes.shared import (
    Shared,
    new_router,
)

router = new_router()


@router.get("/health", responses=problems(409))
async def health(shared: Shared) -> schemas.Health:
    """Return the server's status, and facts about the index that it serves."""
    index = shared.index
    n_tracks, has_moments, watching = await index.status(
        lambda opened: (
            opened.n_tracks,
            opened.moment_hop is not None,
            schemas.Watching.of(current) if (current := current_watch(opened.location)) else None,
        )
    )
    problem = await shared.embedding.problem()
    return schemas.Health(
        version=__version__,
        model=index.spec.model,
        tracks=n_tracks,
        library=index.name,
        moments=has_moments,
        clips=problem is None,
        clips_problem="" if problem is None else f"{problem} {problem.hint}".rstrip(),
        watching=None if watching is None else [watching],
    )


@router.get("/defaults")
async def shared_defaults() -> schemas.Defaults:
    """Return the defaults and limits that the page shares with the server."""
    return schemas.Defaults()
