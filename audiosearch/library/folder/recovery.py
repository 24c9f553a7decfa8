"""Recover a damaged database: copy every readable row to a new one."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.counting import counted
from audiosearch.errors import IndexUnwritable, LibraryError
from audiosearch.library.backend import RecoveryReport
from audiosearch.library.faiss import index_file
from audiosearch.library.faiss.index_config import FLAT, held_ids
from audiosearch.library.sqlite.catalog import Catalog
from audiosearch.library.sqlite.database import FILE_NAME
from audiosearch.library.sqlite.page_recovery import Pages
from audiosearch.library.sqlite.vector_table import from_blob, to_blob
from audiosearch.library.track import UNIT_TOLERANCE, EmbeddingSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

# Columns of the tables, in order. A row that is read without its B-tree doesn't say which table it
# belongs to. The types of its values tell.
_TRACK = ["id", "path", "size", "mtime_ns", "content_hash", "seconds", "sample_rate_hz"]
_TRACK += ["channels", "format", "title", "artist", "album", "album_artist", "genre", "year"]
_TRACK += ["track_number"]
_ADDED = {"audio_hash": "", "real_path": b""}  # columns that were added later, with their defaults
_ADDED_TYPES = {type(default): name for name, default in _ADDED.items()}
_TRACK_TYPES: list[Any] = [type(None), bytes, int, int, str, (float, int), int, int, str]
_FAILURE = ["path", "reason", "size", "mtime_ns"]

_Vectors = dict[int, tuple[int, bytes]]  # revision and embedding by track id


@dataclass(slots=True)
class _Rows:
    """Rows that were read from a damaged database.

    Attributes
    ----------
    settings : dict
        Values by key.
    tracks : dict
        Columns by id.
    vectors : dict
        Revision and embedding by track id, grouped by the length of the embedding in bytes. Free
        pages may hold vectors of an earlier model with another dimension.
    failures : dict
        Columns by path.
    """

    settings: dict[str, str] = field(default_factory=dict)
    tracks: dict[int, dict[str, Any]] = field(default_factory=dict)
    vectors: dict[int, _Vectors] = field(default_factory=dict)
    failures: dict[bytes, dict[str, Any]] = field(default_factory=dict)

    def add(self, rowid: int, values: list[Any]) -> None:
        """Add a row to the table that the types of its values fit."""
        types = [type(value) for value in values]
        if types == [str, str]:
            self.settings[values[0]] = values[1]
        elif types == [bytes, str, int, int]:
            self.failures[values[0]] = dict(zip(_FAILURE, values, strict=True))
        elif types == [type(None), int, bytes] and _is_unit(values[2]):
            self.vectors.setdefault(len(values[2]), {})[rowid] = (values[1], values[2])
        elif len(values) >= len(_TRACK) and all(map(isinstance, values, _TRACK_TYPES)):
            columns = dict(zip(_TRACK, values, strict=False))
            added = {_ADDED_TYPES.get(type(value)): value for value in values[len(_TRACK) :]}
            known = {name: added.get(name, default) for name, default in _ADDED.items()}
            self.tracks[rowid] = columns | known | {"id": rowid}

    def spec(self, fallback: EmbeddingSpec | None) -> EmbeddingSpec | None:
        """Return the spec in the settings, or else the fallback with the most common dimension."""
        try:
            return EmbeddingSpec.from_settings(self.settings)
        except (KeyError, ValueError):
            if fallback is None or not self.vectors:
                return fallback
            n_bytes = max(self.vectors, key=lambda size: len(self.vectors[size]))
            return replace(fallback, dimension=n_bytes // 4)


def _is_unit(embedding: bytes) -> bool:
    """Return whether bytes hold a float32 vector of length 1, like every stored vector."""
    if len(embedding) % 4:
        return False
    length = np.linalg.norm(from_blob(embedding).astype(np.float64))
    return bool(abs(length - 1.0) < UNIT_TOLERANCE)


def recover(directory: Path, *, spec: EmbeddingSpec | None = None) -> RecoveryReport:
    """Copy every readable row of a damaged database to a new one, and keep the old one.

    Parameters
    ----------
    directory : Path
        Folder of the index.
    spec : EmbeddingSpec, optional
        Model of the vectors. Used only if the damaged database no longer names it. Its dimension
        is replaced with that of the vectors.

    Raises
    ------
    LibraryError
        If the model is unknown; the index is unchanged then.
    IndexUnwritable
        If the new database can't be written.
    """
    path = directory / FILE_NAME
    rows = _read(path)
    spec = rows.spec(spec)
    if spec is None:
        raise LibraryError(
            f"{counted(len(rows.tracks), 'track')} of the index {directory} can be read, but "
            "the name of the model is lost.",
            hint="Name the model: `audiosearch doctor --repair --model NAME`.",
        )
    vectors = rows.vectors.get(4 * spec.dimension, {})
    _add_from_index_file(vectors, directory / index_file.FILE_NAME, rows.settings, spec.dimension)
    try:
        with tempfile.TemporaryDirectory(prefix=".repaired-", dir=directory) as folder:
            n_saved = _write(Path(folder), spec, rows, vectors)
            kept = _keep_copy(path)
            for suffix in ("-wal", "-shm"):  # SQLite would apply them to the new database
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            os.replace(Path(folder, FILE_NAME), path)
    except OSError as exc:
        raise IndexUnwritable(
            f"Can't write the index {directory}: {exc.strerror or exc}.",
            hint="Check that you may write to the folder and that its disk is not full.",
        ) from exc
    n_known = len(_last_of_path(rows)) + len(vectors.keys() - rows.tracks.keys())
    return RecoveryReport(n_saved, n_known - n_saved, str(kept))


def _read(path: Path) -> _Rows:
    wal = path.with_name(f"{path.name}-wal")
    try:
        pages = Pages(path.read_bytes(), wal.read_bytes() if wal.exists() else b"")
    except OSError as exc:
        raise LibraryError(
            f"Can't read {path}: {exc.strerror}.",
            hint="Check the disk, and that you may read the file.",
        ) from exc
    rows = _Rows()
    for rowid, values in pages.rows():
        rows.add(rowid, values)
    return rows


def _add_from_index_file(
    vectors: _Vectors, path: Path, settings: dict[str, str], dimension: int
) -> None:
    """Add vectors that only the FAISS file holds, if it is valid and not outdated."""
    try:
        token = settings.get(index_file.token_setting(path))
        loaded = index_file.read_by_token(path, token)
    except index_file.InvalidIndexFile:
        return
    if loaded.revision < _last_revision(vectors) or not FLAT.matches(loaded.index, dimension):
        return
    ids = held_ids(loaded.index)
    for i, vector in zip(ids.tolist(), loaded.index.reconstruct_batch(ids), strict=True):
        vectors.setdefault(i, (loaded.revision, to_blob(vector)))


def _last_of_path(rows: _Rows) -> dict[bytes, int]:
    """Return the largest track id for each path."""
    return {track["path"]: i for i, track in sorted(rows.tracks.items())}


def _last_revision(vectors: _Vectors) -> int:
    return max((revision for revision, _ in vectors.values()), default=0)


def _write(folder: Path, spec: EmbeddingSpec, rows: _Rows, vectors: _Vectors) -> int:
    """Write a new database to a folder, and return the number of tracks in it."""
    catalog = Catalog(folder, settings=spec.to_settings())
    ids = sorted(vectors.keys() & _last_of_path(rows).values())
    try:
        with catalog.transaction():
            columns = [*_TRACK, *_ADDED]
            tracks = [[rows.tracks[i][name] for name in columns] for i in ids]
            _insert(catalog, "tracks", columns, tracks)
            embeddings = [[i, *vectors[i]] for i in ids]
            _insert(catalog, "vectors", ["track_id", "revision", "embedding"], embeddings)
            failures = [list(failure.values()) for failure in rows.failures.values()]
            _insert(catalog, "failures", _FAILURE, failures)
            catalog.db.execute("UPDATE revision SET number = ?", [_last_revision(vectors) + 1])
    finally:
        catalog.close()
    return len(ids)


def _insert(
    catalog: Catalog, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    marks = ", ".join("?" * len(columns))
    sql = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    for row in rows:
        catalog.db.execute(sql, row)


def _keep_copy(path: Path) -> Path:
    """Copy a database and its write-ahead log to an unused name, and return that path."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copy2(source, kept.with_name(kept.name + suffix))
    return kept
