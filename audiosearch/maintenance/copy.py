"""A whole index to another place: from a folder to Milvus, back, or to another folder."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from audiosearch.errors import UsageError
from audiosearch.library.backend import display_location
from audiosearch.library.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from audiosearch.types import StrPath

_AT_A_TIME = 2_000  # tracks that are written at once


def copy(source: Index, location: StrPath) -> Iterator[int]:
    """Put the tracks of an index, their vectors and its failures into another one.

    Tracks keep their ids where those are free; what is stored there under the same paths is
    replaced. A copy that was broken off can be made again.

    Parameters
    ----------
    source : Index
    location : str or path-like
        The other one; made where there is none.

    Yields
    ------
    int
        How many tracks are copied so far.

    Raises
    ------
    UsageError
        Where it is the same index.
    ModelMismatch
        Where there is an index of another model's vectors.
    LibraryError
        Where one of them fails.
    """
    if display_location(location) == source.location:
        raise UsageError(
            f"{source.location} is to be copied to itself.", hint="Name another place."
        )
    Index.check_writable(location)
    with Index(location, spec=source.spec) as target:
        n_copied = 0
        with source.all_with_vectors() as (_, rows):
            while some := list(itertools.islice(rows, _AT_A_TIME)):
                target.add_all(some)
                n_copied += len(some)
                yield n_copied
        target.storage.add_failures(source.storage.failures())
        target.sync()
