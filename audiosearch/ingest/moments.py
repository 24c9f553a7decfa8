"""Checks before moments are made: their hop, the index, and the space on its disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from audiosearch import defaults
from audiosearch.errors import IndexUnwritable, LibraryError, UsageError
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audiosearch.library.index import Index
    from audiosearch.types import StrPath

_BYTES_PER_VALUE = 2  # one in the database, one in the FAISS file
_MORE_BYTES = 40  # of a moment: its print and sounds
# The largest rate of uncompressed sound, and of video, that is found in practice: 32 channels of
# 4 bytes at 192 kHz. So a file of n bytes lasts at least n divided by this many seconds.
_MAX_BYTES_PER_SECOND = 25_000_000


def check_hop(hop: float | None) -> None:
    """Check a time from one moment to the next; None means the default.

    Raises
    ------
    UsageError
        If it isn't one of `defaults.MOMENT_HOPS`.
    """
    if hop is not None and hop not in defaults.MOMENT_HOPS:
        raise UsageError(
            f"Moments can't start every {hop:g} s.",
            hint=f"Use {' or '.join(map(str, defaults.MOMENT_HOPS))}.",
        )


def chosen_hop(
    index: Index | None, *, moments: bool, hop: float | None, excerpt_seconds: float | None
) -> float | None:
    """Return the time from one moment to the next of files that are added; None for no moments.

    Parameters
    ----------
    index : Index or None
        The index they are added to; None for a new one.
    moments : bool
        Whether the user asks for moments.
    hop : float or None
        The time that the user asks for, in seconds.
    excerpt_seconds : float or None
        Excerpt that the user asks for.

    Raises
    ------
    UsageError
        If moments can't start so often, or options contradict each other.
    LibraryError
        If the index has no moments, or has those of another hop.
    """
    check_hop(hop)
    if moments and excerpt_seconds is not None:
        raise UsageError(
            "Moments need whole files, not excerpts.",
            hint="Leave out the excerpt (--excerpt), or the moments (--moments).",
        )
    current = None if index is None else index.moment_hop
    if hop is not None and not moments and current is None:
        raise UsageError(
            "There is a time between moments (--moment-hop), but no moments.",
            hint="Add --moments, or leave out --moment-hop.",
        )
    if index is None:
        return (hop or defaults.MOMENT_HOP) if moments else None
    if moments and current is None:
        require_whole_files(index)
        raise LibraryError(
            f"The index {index.location} has no moments.",
            hint="Add them with `audiosearch refresh --moments`; then every `add` makes them.",
        )
    _require_same_hop(index, current, hop)
    return current


def hop_to_refresh(index: Index, hop: float | None) -> float:
    """Return the time from one moment to the next of moments that are added to an index.

    Parameters
    ----------
    index : Index
    hop : float or None
        The time that the user asks for, in seconds.

    Raises
    ------
    UsageError
        If moments can't start so often.
    LibraryError
        If the index has moments of another hop, or can't have any.
    """
    check_hop(hop)
    require_whole_files(index)
    current = index.moment_hop
    _require_same_hop(index, current, hop)
    return current or hop or defaults.MOMENT_HOP


def _require_same_hop(index: Index, current: float | None, hop: float | None) -> None:
    if None not in (current, hop) and current != hop:
        raise LibraryError(
            f"The moments of the index {index.location} start every {current} s, not every {hop} "
            "s.",
            hint="To replace them, run `audiosearch refresh --no-moments`, then `audiosearch "
            f"refresh --moments --moment-hop {hop}`.",
        )


def require_whole_files(index: Index) -> None:
    """Check that the vectors of an index are those of whole files.

    Raises
    ------
    LibraryError
        If they are those of excerpts.
    """
    seconds = index.spec.excerpt_seconds
    if seconds is not None:
        raise LibraryError(
            f"The index {index.location} holds excerpts of {seconds:g} s, and moments need whole "
            "files.",
            hint="Make another index without --excerpt: name it with --index DIR.",
        )


def check_unchanged_hop(index: Index, hop: float | None) -> None:
    """Check that an index still has moments with this time from one to the next, or none.

    Raises
    ------
    LibraryError
        If another process has added or dropped its moments.
    """
    if index.moment_hop != hop:
        raise LibraryError(
            f"Another process has added or dropped the moments of the index {index.location}.",
            hint="Run the same command again.",
        )


def bytes_of(n_moments: float, dimension: int) -> int:
    """Return the space that moments with vectors of a dimension take, with their FAISS file.

    Examples
    --------
    >>> bytes_of(3_600 / 0.96, 128)  # of an hour
    1110000
    """
    return int(n_moments * (_BYTES_PER_VALUE * dimension + _MORE_BYTES))


def min_moments(sizes: Iterable[int], hop: float) -> float:
    """Return the least number of moments that files can have.

    Parameters
    ----------
    sizes : iterable of int
        Sizes of the files in bytes.
    hop : float
        Time from one moment to the next, in seconds.

    Examples
    --------
    >>> min_moments([4_000, 96_000_000], 0.96)
    5.0
    """
    return sum(max(1.0, size / _MAX_BYTES_PER_SECOND / hop) for size in sizes)


def require_space(location: StrPath, needed: int) -> None:
    """Check that the disk with an index has room for its moments. A server's disk is unknown.

    Parameters
    ----------
    location : str or path-like
        Location of the index, which may not exist yet.
    needed : int
        Bytes.

    Raises
    ------
    IndexUnwritable
        If it has less.
    """
    if is_url(os.fspath(location)):
        return
    path = Path(location).absolute()
    existing = next((part for part in (path, *path.parents) if os.path.isdir(part)), path)
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise IndexUnwritable(
            f"The moments take {_megabytes(needed)} MB or more, and the disk with the index {path} "
            f"has {_megabytes(free)} MB.",
            hint="Free some space, name an index on another disk with --index DIR, or do without "
            "--moments.",
        )


def _megabytes(number: int) -> str:
    return f"{-(-number // 1_000_000):,}"
