"""Copy a whole index between folders and Milvus."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

from audiosearch.errors import ModelMismatch, UsageError
from audiosearch.library.backend import display_location
from audiosearch.library.index import Index
from audiosearch.library.runtimes import RuntimeRecord, runtimes_of
from audiosearch.maintenance.exported_moments import with_moments
from audiosearch.maintenance.moment_hops import takes_moments
from audiosearch.maintenance.playlists_file import portable_playlists, put_playlists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.library.track import Track
    from audiosearch.models.moments import Moments
    from audiosearch.types import Float32, StrPath

log = logging.getLogger(__name__)

_BATCH_TRACKS = 2_000  # written in one transaction


def copy(source: Index, location: StrPath) -> Iterator[int]:
    """Copy the tracks of an index, their vectors and its failures to another index.

    A track keeps its id if the id is free in the other index. A track with the same path in the
    other index is replaced. To finish an interrupted copy, run it again.
    Moments are copied if the other index is new, or has moments with the same hop. Spectral prints,
    waveforms and saved playlists are copied too. Of two playlists of the same name, the one that
    was saved last stays.

    Parameters
    ----------
    source : Index
    location : str or path-like
        Location of the other index. It is created if it doesn't exist.

    Yields
    ------
    int
        Number of tracks copied so far.

    Raises
    ------
    UsageError
        If both locations are the same.
    ModelMismatch
        If the other index has vectors of another model or dimension.
    LibraryError
        If one of the indexes can't be read or written.
    """
    if display_location(location) == source.location:
        raise UsageError(
            f"Can't copy the index {source.location} to itself.",
            hint="Name another folder or address as the target.",
        )
    Index.check_writable(location)
    with _target(source, location) as target:
        has_moments = takes_moments(target, source.moment_hop)
        if not target.keeps_sounds:
            log.warning("%s can't hold the sounds of tracks; they aren't copied.", target.location)
        n_copied = 0
        with source.storage.all_with_vectors() as (_, rows):
            for batch, moments in _batches(source, rows, has_moments=has_moments):
                added = target.add_all(batch, moments=moments)
                if prints := source.prints(track for track, _ in batch):
                    target.put_prints(prints)
                waveforms = source.waveforms(track for track, _ in batch)
                target.put_waveforms(
                    (new, waveforms[track.id])
                    for new, (track, _) in zip(added, batch, strict=True)
                    if track.id in waveforms
                )
                n_copied += len(batch)
                yield n_copied
        RuntimeRecord().add(target.storage, runtimes_of(source.storage))
        target.storage.add_failures(source.storage.failures())
        put_playlists(target, portable_playlists(source))
        target.sync()


def _batches(
    source: Index, rows: Iterator[tuple[Track, Float32]], *, has_moments: bool
) -> Iterator[tuple[list[tuple[Track, Float32]], list[Moments | None] | None]]:
    """Yield tracks with vectors, and their moments if there are any, for one transaction each."""
    if has_moments:
        for batch in with_moments(source, rows):
            yield [row[:2] for row in batch], [moments for _, _, moments in batch]
    else:
        while tracks := list(itertools.islice(rows, _BATCH_TRACKS)):
            yield tracks, None


def _target(source: Index, location: StrPath) -> Index:
    try:
        return Index(location, spec=source.spec, moment_hop=source.moment_hop)
    except ModelMismatch as exc:
        with Index(location) as target:
            raise ModelMismatch(
                f"{source.location} has vectors of {source.spec}, but {target.location} has those "
                f"of {target.spec}. An index can't hold both.",
                hint="Copy to a location without an index, or change the model of one of the two: "
                "`audiosearch reembed --index DIR --model NAME`.",
            ) from exc
