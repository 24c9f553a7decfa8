"""Check the moments of an index, and repair them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiosearch.counting import counted
from audiosearch.maintenance.findings import Finding, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.index import Index

_REMOVED = "`audiosearch doctor --repair` removes them"
_ADDED = "`audiosearch refresh --moments` adds them"


def check_moments(index: Index) -> Iterator[Finding]:
    """Yield the finding about the moments of an index, if it is one with moments or has any."""
    if not index.keeps_moments:
        return
    if index.moment_hop is not None:
        state, detail = _state(index) or (State.OK, f"of all tracks, every {index.moment_hop:g} s")
        yield Finding("moments", state, detail)
    elif n_tracks := index.moments.totals()[0]:
        detail = f"those of {counted(n_tracks, 'track')} are left in an index without moments"
        yield Finding("moments", State.WARNING, f"{detail}; {_REMOVED}")


def _state(index: Index) -> tuple[State, str] | None:
    """Return the problem with the moments of an index that should have them; None if none."""
    if n_damaged := len(index.moments.damaged()):
        return State.ERROR, f"those of {counted(n_damaged, 'track')} are damaged; {_REMOVED}"
    if n_missing := len(index.moments.missing()):
        n_tracks = counted(index.n_tracks, "track")
        return State.WARNING, f"{n_missing} of {n_tracks} have none; {_ADDED}"
    if problem := index.moments.problem():
        return State.WARNING, f"their FAISS file {problem}; the next search rebuilds it"
    return None


def repair_moments(index: Index) -> Iterator[str]:
    """Remove damaged moments, and rebuild a damaged FAISS file. Yield a sentence for each."""
    if not index.keeps_moments:
        return
    if index.moment_hop is None:
        if n_tracks := index.moments.totals()[0]:
            index.moments.remove_all()
            yield f"Moments of {counted(n_tracks, 'track')} removed."
        return
    if damaged := index.moments.damaged():
        index.moments.put(dict.fromkeys(damaged))
        yield f"Damaged moments of {counted(len(damaged), 'track')} removed; {_ADDED} again."
    if index.moments.problem():
        index.moments.delete_file()
        index.moments.sync()
        yield "The FAISS file of the moments was rebuilt."
