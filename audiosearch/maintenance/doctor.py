"""Check an index, and repair it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from audiosearch.audio.discovery import is_missing
from audiosearch.audio.disk import DISKS
from audiosearch.audio.opened_file import check_regular
from audiosearch.counting import counted
from audiosearch.errors import (
    AudioError,
    IndexNotFound,
    IndexUnwritable,
    LibraryError,
    ModelError,
    NewerIndex,
    Unreachable,
)
from audiosearch.library.backend import Capability, recover, supports
from audiosearch.library.index import EmbeddingSpec, Index, without_sounds
from audiosearch.library.track import UNIT_TOLERANCE
from audiosearch.maintenance.findings import Finding, State
from audiosearch.maintenance.moments_check import check_moments, repair_moments
from audiosearch.models import registry
from audiosearch.models.tagger import tagger_digest
from audiosearch.paths import is_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from audiosearch.library.index import Track
    from audiosearch.types import Float32, StrPath


__all__ = ["Finding", "State", "examine", "repair"]

_MISSING = "missing"
_WHEN_ADDED = "when you run `audiosearch add` on the folders with their files"


def examine(location: StrPath) -> list[Finding]:
    """Check an index without changing it.

    Parameters
    ----------
    location : str or path-like

    Returns
    -------
    list of Finding
        One for each of the database, the vectors, the FAISS file, the audio files, the model, the
        sounds and, if there are any, the moments. If the database can't be read, only the finding
        about the database.

    Raises
    ------
    IndexNotFound, IndexUnwritable, NewerIndex
        If the index doesn't exist, can't be opened, or belongs to a newer version.
    """
    database = _check_database(location)
    if database.state is State.ERROR:
        return [database]
    with Index(location) as index:
        return [
            database,
            _check_vectors(index),
            _check_faiss_file(index),
            _check_files(index),
            _check_model(index),
            _check_sounds(index),
            *check_moments(index),
        ]


def _check_database(location: StrPath) -> Finding:
    try:
        with Index(location) as index:
            problems, n_tracks = index.storage.problems(), index.n_tracks
    except (IndexNotFound, IndexUnwritable, NewerIndex):
        raise
    except LibraryError as exc:
        if not supports(location, Capability.RECOVER):
            raise
        return Finding("database", State.ERROR, str(exc))
    if problems:
        return Finding("database", State.ERROR, "; ".join(problems).replace("\n", "; "))
    return Finding("database", State.OK, counted(n_tracks, "track"))


def repair(location: StrPath, *, model: str | None = None) -> list[str]:
    """Repair an index.

    The readable rows of a damaged database are copied to a new one. The damaged one is kept under
    another name. Vectors are scaled to length 1. Tracks without a usable vector are removed, and
    so are damaged moments. A damaged FAISS file is rebuilt.

    Parameters
    ----------
    location : str or path-like
    model : str, optional
        Model of the vectors. Used only if a damaged database no longer names it.

    Returns
    -------
    list of str
        One sentence for each thing that was repaired.

    Raises
    ------
    LibraryError
        If the index can't be repaired; it is unchanged then.
    """
    done = []
    if _check_database(location).state is State.ERROR:
        spec = EmbeddingSpec(model, registry.nominal_digest(model)) if model else None
        report = recover(location, spec)
        lost = f"at least {report.lost} lost" if report.lost else "none known to be lost"
        done.append(f"{counted(report.tracks, 'track')} saved, {lost}.")
        if report.lost:
            done.append(f"Lost tracks come back {_WHEN_ADDED}.")
        done.append(f"The damaged database is kept as {report.kept}.")
    with Index(location) as index:
        done += _repair_vectors(index)
        if index.vector_indexes.problem():
            index.vector_indexes.delete_file()
            index.sync()
            done.append("The FAISS file was rebuilt.")
        done += repair_moments(index)
    return done


def _bad_vectors(index: Index) -> tuple[list[Track], list[tuple[Track, Float32]]]:
    """Return the tracks without a usable vector, and the tracks with wrong length, rescaled."""
    unusable, rescaled = index.storage.missing_vectors(), []
    with index.storage.all_with_vectors() as (_, rows):
        for track, vector in rows:
            length = float(np.linalg.norm(vector.astype(np.float64)))
            if not 0.0 < length < np.inf:
                unusable.append(track)
            elif abs(length - 1.0) > UNIT_TOLERANCE:
                rescaled.append((track, vector / np.float32(length)))
    return unusable, rescaled


def _check_vectors(index: Index) -> Finding:
    unusable, rescaled = _bad_vectors(index)
    if unusable:
        return Finding(
            "vectors", State.ERROR, f"{counted(len(unusable), 'track')} without a usable vector"
        )
    if rescaled:
        return Finding(
            "vectors", State.ERROR, f"{counted(len(rescaled), 'vector')} not of length 1"
        )
    return Finding("vectors", State.OK, "finite, of length 1")


def _repair_vectors(index: Index) -> list[str]:
    done = []
    with index.transaction():
        unusable, rescaled = _bad_vectors(index)
        for track, vector in rescaled:
            index.add(track, vector)
        if rescaled:
            n_vectors = counted(len(rescaled), "vector was", "vectors were")
            done.append(f"{n_vectors} scaled to length 1.")
        if unusable:
            index.remove(unusable)
            n_tracks = counted(len(unusable), "track")
            done.append(
                f"{n_tracks} without a usable vector removed. They come back {_WHEN_ADDED}."
            )
    return done


def _check_faiss_file(index: Index) -> Finding:
    problem = index.vector_indexes.problem()
    if problem:
        return Finding("search file", State.WARNING, f"{problem}; the next search rebuilds it")
    return Finding("search file", State.OK, index.vector_indexes.details())


def _check_files(index: Index) -> Finding:
    real_paths = {track.path: track.real_path for track in index}
    n_urls = sum(map(is_url, real_paths))

    def problem(path: str) -> str | None:
        if is_missing(path):
            return _MISSING
        try:
            check_regular(path, real_path=real_paths[path])
        except AudioError as exc:
            return exc.reason
        except OSError:  # a URL, or a file that can't be looked up
            return None
        return None

    try:
        problems = list(DISKS.map(problem, real_paths))
    except Unreachable as exc:
        return Finding("files", State.WARNING, f"not checked, because of {exc}. {exc.hint}")
    by_path = dict(zip(real_paths, problems, strict=True))
    details = [*_missing_detail(by_path), *_replaced_detail(by_path)]
    if details:
        return Finding("files", State.WARNING, " ".join(details))
    return Finding(
        "files",
        State.OK,
        f"none missing; {counted(n_urls, 'URL')} not checked" if n_urls else "none missing",
    )


def _missing_detail(problems: Mapping[str, str | None]) -> Iterator[str]:
    missing = [path for path, problem in problems.items() if problem == _MISSING]
    if missing:
        yield (
            f"{counted(len(missing), 'file')} missing, such as {min(missing)}. After a move, "
            "run `audiosearch relocate OLD NEW`; after a deletion, `audiosearch prune`."
        )


def _replaced_detail(problems: Mapping[str, str | None]) -> Iterator[str]:
    replaced = {path: text for path, text in problems.items() if text not in {None, _MISSING}}
    if replaced:
        path = min(replaced)
        yield (
            f"{counted(len(replaced), 'file')} replaced by something else, such as {path}: "
            f"{replaced[path]}. If this is right, run `audiosearch add` on its folder."
        )


def _check_model(index: Index) -> Finding:
    spec = index.spec
    try:
        model = registry.by_digest(spec.model, spec.weights_digest)
        model.load()
    except ModelError as exc:
        detail = f"{exc} You can search with tracks of the index, but not with other files."
        return Finding("model", State.WARNING, detail)
    return Finding("model", State.OK, f"{spec} at {os.fspath(model.path)}")


def _check_sounds(index: Index) -> Finding:
    try:
        index.require_sound_storage()
    except LibraryError as exc:
        return Finding("sounds", State.WARNING, f"{exc} {exc.hint}")
    n_missing = index.storage.count_without_sounds()
    if n_missing:
        return Finding("sounds", State.WARNING, without_sounds(n_missing, index.n_tracks))
    taggers = index.fields(("id", "tagger")) if index.n_tracks else []
    n_outdated = sum(tagger != tagger_digest() for _, tagger in taggers)
    if n_outdated:
        return Finding(
            "sounds",
            State.WARNING,
            f"{n_outdated:,} of {len(taggers):,} tracks have sounds that this version "
            "didn't find; `audiosearch refresh --sounds` finds them again",
        )
    return Finding("sounds", State.OK, "looked for in all tracks")
