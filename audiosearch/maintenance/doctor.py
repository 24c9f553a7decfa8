"""Whether an index is whole, and what can be done where it is not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.discovery import is_missing
from audiosearch.errors import IndexNotFound, IndexUnwritable, LibraryError, ModelError
from audiosearch.library.backend import is_address
from audiosearch.library.index import EmbeddingSpec, Index
from audiosearch.library.sqlite.recovery import recover
from audiosearch.models import registry
from audiosearch.models.front_end import UNIT_TOLERANCE
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from audiosearch.library.index import Track
    from audiosearch.types import Float32, StrPath


class State(str, Enum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"  # it works, but not for all
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    check: str
    state: State
    detail: str


def examine(directory: StrPath) -> list[Finding]:
    """Check an index, without changing it.

    Returns
    -------
    list of Finding
        One a check: of the database, the vectors, the search file, the audio files and the
        model; of a database that cannot be read, only that.

    Raises
    ------
    IndexNotFound, IndexUnwritable
        Where there is none, or it may not be opened.
    """
    database = _database(directory)
    if database.state is State.ERROR:
        return [database]
    with Index(directory) as index:
        return [database, _vectors(index), _search_file(index), _files(index), _model(index)]


def _database(directory: StrPath) -> Finding:
    try:
        with Index(directory) as index:
            problems, n_tracks = index.problems(), index.n_tracks
    except (IndexNotFound, IndexUnwritable):
        raise
    except LibraryError as exc:
        if is_address(directory):  # nothing here could mend it
            raise
        return Finding("database", State.ERROR, str(exc))
    if problems:
        return Finding("database", State.ERROR, "; ".join(problems).replace("\n", "; "))
    return Finding("database", State.OK, f"{n_tracks} tracks")


def repair(directory: StrPath, *, model: str | None = None) -> list[str]:
    """Mend an index, and return what was done.

    A damaged database is kept under another name, and every row that can be read of it goes
    into a new one. Vectors are scaled to length 1; tracks without a usable one are forgotten.
    The search file is made anew.

    Parameters
    ----------
    directory : str or path-like
    model : str, optional
        Whose vectors they are, where a damaged database does not say it any more.

    Raises
    ------
    LibraryError
        Where it cannot be mended; the index stays as it is.
    """
    done = []
    if _database(directory).state is State.ERROR:
        spec = EmbeddingSpec(model, registry.nominal_digest(model)) if model else None
        saved = recover(Path(directory).absolute(), spec=spec)
        done.append(f"{saved.tracks} tracks saved; the damaged database is kept as {saved.kept}")
        if saved.missing_vectors:
            done.append(f"{saved.missing_vectors} tracks lost their vectors: add their files again")
    with Index(directory) as index:
        done += _mend_vectors(index)
        problem = index.vector_indexes.problem()
        if problem:
            index.vector_indexes.forget()
            index.sync()
            done.append("the search file was made anew")
    return done


def _unfit(index: Index) -> tuple[list[Track], list[tuple[Track, Float32]]]:
    """Return the tracks without a usable vector, and those whose vector is not of length 1."""
    useless, odd = index.missing_vectors(), []
    with index.all_with_vectors() as (_, rows):
        for track, vector in rows:
            length = float(np.linalg.norm(vector.astype(np.float64)))
            if not 0.0 < length < np.inf:
                useless.append(track)
            elif abs(length - 1.0) > UNIT_TOLERANCE:
                odd.append((track, vector / np.float32(length)))
    return useless, odd


def _vectors(index: Index) -> Finding:
    useless, odd = _unfit(index)
    if useless:
        return Finding("vectors", State.ERROR, f"{len(useless)} tracks have no usable vector")
    if odd:
        return Finding("vectors", State.ERROR, f"{len(odd)} are not of length 1")
    return Finding("vectors", State.OK, "finite, of length 1")


def _mend_vectors(index: Index) -> list[str]:
    done = []
    with index.transaction():
        useless, odd = _unfit(index)
        for track, vector in odd:
            index.add(track, vector)
        if odd:
            done.append(f"{len(odd)} vectors were scaled to length 1")
        if useless:
            index.remove(useless)
            done.append(
                f"{len(useless)} tracks without a usable vector were forgotten: add their files "
                "again"
            )
    return done


def _search_file(index: Index) -> Finding:
    problem = index.vector_indexes.problem()
    if problem:
        detail = f"{problem}; it is made anew with the next search"
        return Finding("search file", State.WARNING, detail)
    return Finding("search file", State.OK, "in step with the database")


def _files(index: Index) -> Finding:
    paths = [track.path for track in index]
    gone, n_urls = [path for path in paths if is_missing(path)], sum(map(is_url, paths))
    if gone:
        detail = f"{len(gone)} are gone, such as {min(gone)}: prune forgets them, relocate follows"
        return Finding("files", State.WARNING, detail)
    return Finding("files", State.OK, f"all there; {n_urls} URLs unseen" if n_urls else "all there")


def _model(index: Index) -> Finding:
    own = index.spec
    try:
        model = registry.by_digest(own.model, own.weights_digest)
        model.load()
    except ModelError as exc:
        return Finding("model", State.WARNING, f"{exc} Tracks can be searched with, clips not.")
    return Finding("model", State.OK, f"{own} at {os.fspath(model.path)}")
