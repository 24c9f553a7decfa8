"""Recover a damaged database: copy every readable row to a new one."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import defaults, system
from audiosearch.atomic import atomic_path
from audiosearch.counting import counted
from audiosearch.errors import IndexUnwritable, LibraryError, NewerIndex
from audiosearch.library.backend import RecoveryReport
from audiosearch.library.faiss import index_file
from audiosearch.library.faiss.index_config import FLAT, held_ids
from audiosearch.library.saved_playlist import PlaylistSummary, SavedPlaylist
from audiosearch.library.sqlite.catalog import Catalog
from audiosearch.library.sqlite.connection import require_regular_files
from audiosearch.library.sqlite.database import FILE_NAME, MAX_NUMBER
from audiosearch.library.sqlite.migrations import migrations, unknown_migrations
from audiosearch.library.sqlite.moment_table import MomentTable
from audiosearch.library.sqlite.page_recovery import Pages
from audiosearch.library.sqlite.playlist_table import PlaylistTable
from audiosearch.library.sqlite.schema import track_columns
from audiosearch.library.sqlite.stored_types import mended
from audiosearch.library.sqlite.vector_table import from_blob, to_blob
from audiosearch.library.sqlite.write_ahead_log import has_log, is_foreign, log_path
from audiosearch.library.storage import MOMENT_HOP
from audiosearch.library.track import UNIT_TOLERANCE, EmbeddingSpec
from audiosearch.models.moments import Moments

if TYPE_CHECKING:
    from collections.abc import Iterator

# A row that is read without its B-tree doesn't say which table it belongs to. The types of its
# values tell.
_TRACK_TYPES: list[Any] = [type(None), bytes, int, int, str, (float, int), int, int, str]
_MASTER_TYPES = [str, str, str, int, str]  # rows of sqlite_master: type, name, table, page, SQL
_MIGRATION_TYPES = [type(None), str, str, str]  # id, set, name, time
_PLAYLIST_TYPES: list[Any] = [str, int, (float, int), str, str]
_MOMENT_TYPES = [type(None), int, int, int, bytes]  # before the sounds
_DRAFTS = ".repaired-"  # prefix of the new database, and of the folder in which it is made
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
        Values by id.
    columns : list of str
        Names of the values of a track, in the order of the table.
    migrations : set of str
        Names of the applied migrations.
    vectors : dict
        Revision and embedding by track id, grouped by the length of the embedding in bytes. Free
        pages may hold vectors of an earlier model with another dimension.
    failures : dict
        Columns by path.
    moments : dict
        Revision, codes, sounds and prints by track id.
    playlists : dict
        Saved playlists by name.
    """

    settings: dict[str, str] = field(default_factory=dict)
    tracks: dict[int, list[Any]] = field(default_factory=dict)
    columns: list[str] = field(default_factory=track_columns)
    migrations: set[str] = field(default_factory=set)
    vectors: dict[int, _Vectors] = field(default_factory=dict)
    failures: dict[bytes, dict[str, Any]] = field(default_factory=dict)
    moments: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    playlists: dict[str, SavedPlaylist] = field(default_factory=dict)

    def add(self, rowid: int, values: list[Any]) -> None:
        """Add a row to the table that the types of its values fit."""
        types = [type(value) for value in values]
        if types == [str, str]:
            self.settings[values[0]] = values[1]
        elif types == [bytes, str, int, int]:
            self.failures[values[0]] = dict(zip(_FAILURE, values, strict=True))
        elif types == [type(None), int, bytes] and values[1] < MAX_NUMBER and _is_unit(values[2]):
            self.vectors.setdefault(len(values[2]), {})[rowid] = (values[1], values[2])
        elif len(values) > len(_TRACK_TYPES) and all(map(isinstance, values, _TRACK_TYPES)):
            self.tracks[rowid] = [rowid, *values[1:]]
        elif types[:5] == _MOMENT_TYPES and set(types[5:]) <= {bytes, type(None)}:
            if values[3] >= self.moments.get(rowid, (0,))[0]:  # free pages may hold older ones
                self.moments[rowid] = (values[3], values[4], *(*values[5:], None, None)[:2])
        elif len(values) == len(_PLAYLIST_TYPES) and all(map(isinstance, values, _PLAYLIST_TYPES)):
            self._add_playlist(values)
        elif types == _MASTER_TYPES and values[:2] == ["table", "tracks"]:
            with contextlib.suppress(sqlite3.Error):
                self.columns = track_columns(values[4])
        elif types == _MIGRATION_TYPES and values[1] == migrations.name:
            self.migrations.add(values[2])

    def _add_playlist(self, values: list[Any]) -> None:
        """Add a saved playlist, unless one of the same name was saved later."""
        *summary, content = values
        with contextlib.suppress(ValueError):
            playlist = SavedPlaylist.of(PlaylistSummary(*summary), content)
            known = self.playlists.get(playlist.summary.name)
            if known is None or known.summary.saved <= playlist.summary.saved:
                self.playlists[playlist.summary.name] = playlist

    def track(self, track_id: int) -> dict[str, Any]:
        """Return the values of a track by column."""
        return dict(zip(self.columns, self.tracks[track_id], strict=False))

    def moments_of(self, vectors: _Vectors, dimension: int) -> dict[int, Moments]:
        """Return the valid moments by track id, except those that are older than the vector."""
        result = {}
        for track_id, (revision, *blobs) in self.moments.items():
            if revision >= vectors.get(track_id, (0,))[0]:
                with contextlib.suppress(ValueError):
                    result[track_id] = Moments.from_bytes(*blobs, dimension=dimension)
        return result

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
        If the model is unknown, or a symbolic link or a pipe stands for one of the files; the index
        is unchanged then.
    NewerIndex
        If a newer version has changed the tables; the index is unchanged then.
    IndexUnwritable
        If the new database can't be written.
    """
    path = directory / FILE_NAME
    require_regular_files(path)
    if is_foreign(path):
        report = _recover_without_log(path)
        if report is not None:
            return report
    pages = _pages(path)
    rows = _Rows()
    for rowid, values in pages.rows():
        rows.add(rowid, values)
    if unknown := unknown_migrations(sorted(rows.migrations)):
        raise NewerIndex(directory, f"the migration {', '.join(unknown)}")
    spec = rows.spec(spec)
    if spec is None:
        raise LibraryError(
            f"{counted(len(rows.tracks), 'track')} of the index {directory} can be read, but "
            "the name of the model is lost.",
            hint="Name the model: `audiosearch doctor --repair --model NAME`.",
        )
    vectors = rows.vectors.get(4 * spec.dimension, {})
    moments = rows.moments_of(vectors, spec.dimension)
    _add_from_index_file(vectors, directory / index_file.FILE_NAME, rows.settings, spec.dimension)
    with _writing(directory):
        new, n_saved = _new_database(directory, spec, rows, vectors, moments)
        kept = _keep_copy(path)
        if has_log(path):  # SQLite would apply it to the new database
            _replace_by_pages(path, pages)
        system.replace(new, path)
    n_known = len(_last_of_path(rows)) + len(vectors.keys() - rows.tracks.keys())
    return RecoveryReport(n_saved, n_known - n_saved, str(kept))


@contextlib.contextmanager
def _writing(directory: Path) -> Iterator[None]:
    """Raise errors of the file system as errors with a hint."""
    try:
        yield
    except OSError as exc:
        raise IndexUnwritable(
            f"Can't write the index {directory}: {exc.strerror or exc}.",
            hint="Check that you may write to the folder and that its disk is not full.",
        ) from exc


def _new_database(
    directory: Path,
    spec: EmbeddingSpec,
    rows: _Rows,
    vectors: _Vectors,
    moments: dict[int, Moments],
) -> tuple[Path, int]:
    """Write a new database beside the damaged one. Return its path and the number of tracks."""
    for leftover in directory.glob(f"{_DRAFTS}*"):  # of a process that was killed
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    new = directory / f"{_DRAFTS}{FILE_NAME}"
    with tempfile.TemporaryDirectory(prefix=_DRAFTS, dir=directory) as folder:
        n_saved = _write(Path(folder), spec, rows, vectors, moments)
        system.replace(Path(folder, FILE_NAME), new)
    return new, n_saved


def _recover_without_log(path: Path) -> RecoveryReport | None:
    """Put a log that belongs to another database aside. Return None if that isn't enough."""
    log = log_path(_unused(path))
    with _writing(path.parent):
        system.replace(log_path(path), log)
    with contextlib.suppress(LibraryError), contextlib.closing(Catalog(path.parent)) as catalog:
        if not catalog.problems():
            return RecoveryReport(catalog.count(), 0, str(log))
    return None


def _pages(path: Path) -> Pages:
    try:
        files = [file.read_bytes() if file.exists() else b"" for file in (path, log_path(path))]
    except OSError as exc:
        raise LibraryError(
            f"Can't read {path}: {exc.strerror}.",
            hint="Check the disk, and that you may read the file.",
        ) from exc
    return Pages(*files)


def _replace_by_pages(path: Path, pages: Pages) -> None:
    """Replace a database and its log by a database with the pages of both.

    At no time are pages missing that a second try would need, if this one is killed.
    """
    with atomic_path(path) as draft, draft.open("wb") as file:
        file.writelines(pages.to_bytes())
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


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
    return {rows.track(i)["path"]: i for i in sorted(rows.tracks)}


def _last_revision(vectors: _Vectors) -> int:
    return max((revision for revision, _ in vectors.values()), default=0)


def _write(
    folder: Path,
    spec: EmbeddingSpec,
    rows: _Rows,
    vectors: _Vectors,
    moments: dict[int, Moments],
) -> int:
    """Write a new database to a folder, and return the number of tracks in it."""
    hop = rows.settings.get(MOMENT_HOP, "")
    settings = spec.to_settings() | ({MOMENT_HOP: hop} if hop else {})
    catalog = Catalog(folder, settings=settings)
    ids = sorted(vectors.keys() & _last_of_path(rows).values())
    try:
        with catalog.transaction():
            known = set(track_columns()) - {"tagger"}  # the sounds are lost
            for i in ids:
                track = {name: value for name, value in rows.track(i).items() if name in known}
                if _insert(catalog, "tracks", mended(track)):
                    revision, embedding = vectors[i]
                    vector = {"track_id": i, "revision": revision, "embedding": embedding}
                    _insert(catalog, "vectors", vector)
            for failure in rows.failures.values():
                _insert(catalog, "failures", mended(failure))
            catalog.db.execute("UPDATE revision SET number = ?", [_last_revision(vectors) + 1])
            MomentTable(catalog).put(moments if hop else {})
            for playlist in islice(rows.playlists.values(), defaults.MAX_SAVED_PLAYLISTS):
                PlaylistTable(catalog).put_playlist(playlist)
        return catalog.count()
    finally:
        catalog.close()


def _insert(catalog: Catalog, table: str, row: dict[str, Any]) -> bool:
    """Insert a row. Return False if a column is missing or the row is there."""
    values = ", ".join(f":{name}" for name in row)
    sql = f"INSERT OR IGNORE INTO {table} ({', '.join(row)}) VALUES ({values})"
    return catalog.db.execute(sql, row).rowcount > 0


def _unused(path: Path) -> Path:
    """Return a name under which neither a damaged database nor its log was kept before."""
    number = 1
    while any(path.parent.glob(f"{path.name}.damaged-{number}*")):
        number += 1
    return path.with_name(f"{path.name}.damaged-{number}")


def _keep_copy(path: Path) -> Path:
    """Copy a database and its write-ahead log to an unused name. Return the path of the copy."""
    kept = _unused(path)
    copies = {log_path(path): log_path(kept), path: kept}
    for source, target in copies.items():
        if source.exists():
            shutil.copy2(source, target)
    return kept if kept.exists() else log_path(kept)
