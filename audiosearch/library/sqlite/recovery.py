"""What can be read of a damaged database, in a new one."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.errors import IndexUnwritable, LibraryError
from audiosearch.library.faiss import index_file
from audiosearch.library.faiss.index_config import FLAT, held_ids
from audiosearch.library.sqlite.catalog import Catalog
from audiosearch.library.sqlite.database import FILE_NAME
from audiosearch.library.sqlite.page_recovery import Pages
from audiosearch.library.track import EmbeddingSpec
from audiosearch.models.front_end import EMBEDDING_SIZE, UNIT_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

# As the tables were created: only by their values can rows without a tree be told apart.
_TRACK = ["id", "path", "size", "mtime_ns", "content_hash", "seconds", "sample_rate_hz"]
_TRACK += ["channels", "format", "title", "artist", "album", "album_artist", "genre", "year"]
_TRACK += ["track_number"]
_TRACK_KINDS: list[Any] = [type(None), bytes, int, int, str, (float, int), int, int, str]
_FAILURE = ["path", "reason", "size", "mtime_ns"]


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What was saved.

    Attributes
    ----------
    tracks : int
        How many tracks, with their vectors.
    missing_vectors : int
        How many tracks were left out, for their vectors could not be read.
    kept : Path
        The damaged database, under its new name.
    """

    tracks: int
    missing_vectors: int
    kept: Path


@dataclass(slots=True)
class _Rows:
    settings: dict[str, str] = field(default_factory=dict)
    tracks: dict[int, dict[str, Any]] = field(default_factory=dict)
    vectors: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    failures: dict[bytes, dict[str, Any]] = field(default_factory=dict)

    def add(self, rowid: int, values: list[Any]) -> None:
        kinds = [type(value) for value in values]
        if kinds == [str, str]:
            self.settings[values[0]] = values[1]
        elif kinds == [bytes, str, int, int]:
            self.failures[values[0]] = dict(zip(_FAILURE, values, strict=True))
        elif kinds == [type(None), int, bytes] and _is_unit(values[2]):
            self.vectors[rowid] = (values[1], values[2])
        elif len(values) >= len(_TRACK) and all(map(isinstance, values, _TRACK_KINDS)):
            self.tracks[rowid] = dict(zip(_TRACK, values, strict=False)) | {"id": rowid}


def _is_unit(embedding: bytes) -> bool:
    """Return whether a vector is as it was written: of length 1."""
    if len(embedding) != 4 * EMBEDDING_SIZE:
        return False
    length = np.linalg.norm(np.frombuffer(embedding, dtype="<f4").astype(np.float64))
    return bool(abs(length - 1.0) < UNIT_TOLERANCE)


def recover(directory: Path, *, spec: EmbeddingSpec | None = None) -> RecoveryReport:
    """Make a new database of every row that can be read of a damaged one, and keep the old one.

    Parameters
    ----------
    directory : Path
        The index.
    spec : EmbeddingSpec, optional
        Whose vectors they are, where the damaged database does not say it any more.

    Raises
    ------
    LibraryError
        Where neither says it; the index stays as it is.
    IndexUnwritable
        Where the new database cannot be written.
    """
    path = directory / FILE_NAME
    rows = _read(path)
    try:
        spec = EmbeddingSpec.from_settings(rows.settings)
    except (KeyError, ValueError) as exc:
        if spec is None:
            raise LibraryError(
                f"{len(rows.tracks)} tracks of the index {directory} can be read, but not which "
                "model it was made with.",
                hint="Say so with --model NAME, and repair it again.",
            ) from exc
    _add_from_index_file(rows, directory / index_file.FILE_NAME)
    try:
        with tempfile.TemporaryDirectory(prefix=".repaired-", dir=directory) as folder:
            n_saved = _write(Path(folder), spec, rows)
            kept = _kept(path)
            for suffix in ("-wal", "-shm"):  # or they would be taken for the new one's
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            os.replace(Path(folder, FILE_NAME), path)
    except OSError as exc:
        raise IndexUnwritable(
            f"The index {directory} cannot be written: {exc.strerror or exc}.",
            hint="Check that the folder is yours to write and its disk is not full.",
        ) from exc
    return RecoveryReport(n_saved, len(rows.tracks) - n_saved, kept)


def _read(path: Path) -> _Rows:
    wal = path.with_name(f"{path.name}-wal")
    try:
        pages = Pages(path.read_bytes(), wal.read_bytes() if wal.exists() else b"")
    except OSError as exc:
        raise LibraryError(
            f"{path} cannot be read: {exc.strerror}.", hint="Check the disk, and your rights to it."
        ) from exc
    rows = _Rows()
    for rowid, values in pages.rows():
        rows.add(rowid, values)
    return rows


def _add_from_index_file(rows: _Rows, path: Path) -> None:
    """Add vectors that only the search file has, where it is whole and as new as the rest."""
    last = max((revision for revision, _ in rows.vectors.values()), default=0)
    try:
        token = rows.settings.get(index_file.token_setting(path))
        read = index_file.read_by_token(path, token)
    except index_file.InvalidIndexFile:
        return
    if read.revision < last or not FLAT.matches(read.index, read.index.d):
        return
    ids = held_ids(read.index)
    for i, vector in zip(ids.tolist(), read.index.reconstruct_batch(ids), strict=True):
        rows.vectors.setdefault(i, (read.revision, vector.tobytes()))


def _write(folder: Path, spec: EmbeddingSpec, rows: _Rows) -> int:
    catalog = Catalog(folder, settings=spec.to_settings())
    last_of_path = {track["path"]: i for i, track in sorted(rows.tracks.items())}
    both = sorted(rows.vectors.keys() & last_of_path.values())
    vectors = ([i, *rows.vectors[i]] for i in both)
    try:
        with catalog.transaction():
            _insert(catalog, "tracks", _TRACK, [list(rows.tracks[i].values()) for i in both])
            _insert(catalog, "vectors", ["track_id", "revision", "embedding"], list(vectors))
            failures = [list(failure.values()) for failure in rows.failures.values()]
            _insert(catalog, "failures", _FAILURE, failures)
            last = max((revision for revision, _ in rows.vectors.values()), default=0)
            catalog.db.execute("UPDATE revision SET number = ?", [last + 1])
    finally:
        catalog.close()
    return len(both)


def _insert(
    catalog: Catalog, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    places = ", ".join("?" * len(columns))
    sql = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({places})"
    for row in rows:
        catalog.db.execute(sql, row)


def _kept(path: Path) -> Path:
    """Give a database, with its log, a second name that stays, and return that."""
    number = 1
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", ""):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            shutil.copy2(beside, kept.with_name(kept.name + suffix))
    return kept
