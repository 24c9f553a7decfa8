"""Whether moments of one index or export fit into another index."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audiosearch.library.index import Index

log = logging.getLogger(__name__)


def takes_moments(target: Index, hop: float | None) -> bool:
    """Return whether an index takes moments with a hop. If they don't fit, the log has a warning.

    Parameters
    ----------
    target : Index
    hop : float or None
        Seconds from one patch to the next; None if there are no moments.
    """
    if target.moment_hop == hop:
        return hop is not None
    if hop is None:
        reason = "has moments, but these tracks have none"
    elif target.moment_hop is None:
        reason = "has no moments; those of the tracks are left out"
    else:
        reason = (
            f"has moments every {target.moment_hop:g} s; those of the tracks, every {hop:g} s, "
            "are left out"
        )
    log.warning(
        "%s %s. Find them in the files: `audiosearch refresh --moments --index %s`.",
        target.location,
        reason,
        target.location,
    )
    return False
