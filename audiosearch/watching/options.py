"""Options of a watch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audiosearch.audio.decode import SUFFIXES
from audiosearch.models.registry import AUTO_REQUEST, ModelRequest
from audiosearch.watching.changes import OPEN_SECONDS, QUIET_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Options of a watch.

    Attributes
    ----------
    exclude, suffixes : sequence of str, set of str
        See `audiosearch.audio.discovery.discover`.
    request : ModelRequest
        Embedding model of a new index.
    excerpt_seconds, moments, moment_hop : float, bool, float
        See `audiosearch.ingest.add.add`.
    sounds : bool
        Whether to find the sounds that are heard in the files.
    n_jobs : int or None
        Number of decoder processes. None for the number of cores.
    poll_seconds : float or None
        Look through the folders this often, in place of waiting for the system to tell of changes.
    quiet_seconds, open_seconds : float
        See `audiosearch.watching.changes.Changes`.
    """

    exclude: Sequence[str] = ()
    suffixes: AbstractSet[str] = SUFFIXES
    request: ModelRequest = AUTO_REQUEST
    excerpt_seconds: float | None = None
    moments: bool = False
    moment_hop: float | None = None
    sounds: bool = True
    n_jobs: int | None = None
    poll_seconds: float | None = None
    quiet_seconds: float = QUIET_SECONDS
    open_seconds: float = OPEN_SECONDS
