"""Export an index to NumPy, JSON lines or Parquet, and import vectors from any source."""

from __future__ import annotations

import itertools
import json
import math
import os
import zipfile
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch import defaults, numpy_files
from audiosearch.atomic import atomic_path
from audiosearch.counting import counted
from audiosearch.errors import LibraryError, MissingExtra, ModelMismatch
from audiosearch.json_input import parse_json
from audiosearch.library.index import EmbeddingSpec, Index, Track
from audiosearch.library.track import Sound
from audiosearch.maintenance.exported_moments import (
    HOP,
    MOMENT_FILES,
    exported_hop,
    exported_moments,
    written_moments,
)
from audiosearch.maintenance.fields_file import TRACK_FIELDS, Problems, read_tracks
from audiosearch.maintenance.moment_hops import takes_moments
from audiosearch.maintenance.playlists_file import (
    FILE,
    portable_playlists,
    put_playlists,
    read_playlists,
    to_json,
)
from audiosearch.models import registry
from audiosearch.paths import why_missing
from audiosearch.playlist_files.text import is_utf8

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from audiosearch.library.saved_playlist import SavedPlaylist
    from audiosearch.types import Float32, StrPath

VECTORS, TRACKS, PARQUET = "vectors.npy", "tracks.jsonl", "tracks.parquet"
SPEC = "index.json"  # names the model of VECTORS, in the same folder

_PARQUET_NUMBERS = 10_000 * 128  # numbers in the vectors that are written at a time
_MAX_SPEC_BYTES = 100_000
_UNNAMED_MODEL = "imported"  # model name of imported vectors that aren't VGGish's


def export(index: Index, folder: Path, *, force: bool = False) -> int:
    """Write ``vectors.npy``, ``tracks.jsonl`` and ``index.json`` into a folder.

    ``vectors.npy`` is a float32 array of shape (n_tracks, dimension). Each line of
    ``tracks.jsonl`` has the fields of the track in the same row. ``index.json`` names the model.
    If the index has moments, they are written too: see `audiosearch.maintenance.exported_moments`.
    Saved playlists are written to ``playlists.json``.

    Parameters
    ----------
    index : Index
    folder : Path
        Created if it doesn't exist.
    force : bool
        Whether to replace files of the same names even if they are not an earlier export.

    Returns
    -------
    int
        Number of tracks.

    Raises
    ------
    LibraryError
        If the folder can't be written, or has other files of these names.
    """
    hop, former = index.moment_hop, _exported_json(folder / SPEC)
    playlists = list(portable_playlists(index))
    if not force and _spec_of(former) is None:
        names = [VECTORS, TRACKS, SPEC, *([] if hop is None else MOMENT_FILES)]
        names += [FILE] if playlists else []
        _require_missing(folder / name for name in names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            atomic_path(folder / VECTORS) as npy,
            atomic_path(folder / TRACKS) as jsonl,
            atomic_path(folder / SPEC) as spec,
            npy.open("wb") as vectors,
            # Bytes of a path that aren't UTF-8 become JSON escapes, which readers decode again.
            jsonl.open("w", encoding="utf-8", errors="backslashreplace") as lines,
            written_moments(index, folder) as rows_with_moments,
            index.storage.all_with_vectors() as (n_tracks, rows),
        ):
            shape = (n_tracks, index.spec.dimension)
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(vectors, header)
            for track, vector, keys in rows_with_moments(rows):
                vectors.write(vector.tobytes())
                row = track.to_json() | {"tagger": track.tagger} | keys
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
            content = _spec_to_json(index.spec) | ({} if hop is None else {HOP: hop})
            spec.write_text(json.dumps(content) + "\n", encoding="utf-8")
        if hop is None and exported_hop(former) is not None:
            for name in MOMENT_FILES:  # they belong to the export that was replaced
                (folder / name).unlink(missing_ok=True)
        _write_playlists(folder / FILE, playlists, is_former=_spec_of(former) is not None)
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    return n_tracks


def _write_playlists(path: Path, playlists: list[SavedPlaylist], *, is_former: bool) -> None:
    """Write the saved playlists; if there are none, remove those of the export that was there."""
    if playlists:
        with atomic_path(path) as draft:
            draft.write_text(to_json(playlists), encoding="utf-8", errors="backslashreplace")
    elif is_former:
        path.unlink(missing_ok=True)


def export_parquet(index: Index, folder: Path, *, force: bool = False) -> int:
    """Write ``tracks.parquet`` into a folder: the fields of the tracks, and their embeddings.

    The column ``embedding`` holds the vectors. Moments are left out.

    Bytes of a path that aren't UTF-8 are written as escapes.

    Parameters
    ----------
    index : Index
    folder : Path
        Created if it doesn't exist.
    force : bool
        Whether to replace a file of the same name even if it is not an earlier export.

    Returns
    -------
    int
        Number of tracks.

    Raises
    ------
    MissingExtra
        If pyarrow is not installed.
    LibraryError
        If the file can't be written, or is another one.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as exc:
        raise MissingExtra("Parquet", "pyarrow", "parquet") from exc
    if not force and not _is_parquet_export(folder / PARQUET):
        _require_missing([folder / PARQUET])
    dimension = index.spec.dimension
    types = {"int": pa.int64(), "float": pa.float64(), "str": pa.string(), "bool": pa.bool_()}
    sound = [(field.name, types[str(field.type)]) for field in fields(Sound)]
    types[TRACK_FIELDS["sounds"]] = pa.list_(pa.struct(sound))
    columns = [("id", types["int"])]
    columns += [(name, types[kind.removesuffix(" | None")]) for name, kind in TRACK_FIELDS.items()]
    columns.append(("embedding", pa.list_(pa.float32(), dimension)))
    schema = pa.schema(columns)
    batch_tracks = max(1, _PARQUET_NUMBERS // dimension)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            atomic_path(folder / PARQUET) as draft,
            parquet.ParquetWriter(draft, schema) as writer,
            index.storage.all_with_vectors() as (n_tracks, rows),
        ):
            while batch := list(itertools.islice(rows, batch_tracks)):
                dicts = [_with_utf8_path(track) | {"embedding": vector} for track, vector in batch]
                writer.write_table(pa.Table.from_pylist(dicts, schema))
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    return n_tracks


def _is_parquet_export(path: Path) -> bool:
    """Return whether a file has the columns that `export_parquet` writes."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return {"path", "content_hash", "embedding"} <= set(parquet.read_schema(path).names)
    except (OSError, pa.ArrowException):
        return False


def _require_missing(paths: Iterable[Path]) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise LibraryError(
                f"{path} exists and was not exported from an index.",
                hint="Name another folder, or replace the file with --force.",
            )


def _with_utf8_path(track: Track) -> dict[str, Any]:
    row = asdict(track)
    return row | {"path": track.path.encode(errors="backslashreplace").decode()}


def _unwritable(folder: Path, error: OSError) -> LibraryError:
    return LibraryError(
        f"Can't write the export to {folder}: {error.strerror or error}.",
        hint="Name another folder, on a disk with free space.",
    )


def import_vectors(
    location: StrPath,
    vectors_file: Path,
    fields_file: Path,
    *,
    model: str | None = None,
    names: Mapping[str, str] | None = None,
) -> list[Track]:
    """Add tracks with vectors from any source to an index.

    A row without a usable path or vector is left out, and a value that doesn't fit its field is
    ignored. Both are logged as warnings. In a folder, all other rows are added, or none.

    Parameters
    ----------
    location : str or path-like
        The index. If it doesn't exist, it is created with the dimension of the vectors.
    vectors_file : Path
        NumPy file (.npy) of real numbers, shape (n, dimension), with a dimension from 2 to 4,096.
        The vectors may have any length except 0. They are scaled to length 1. If it is from
        an export, its moments and saved playlists are added too.
    fields_file : Path
        JSON (a list of objects), JSON lines or CSV with one row for each vector, in the same
        order. See `audiosearch.maintenance.fields_file.read_tracks`. Paths are stored unchanged.
    model : str, optional
        Name of the model that produced the vectors. Default: the model in ``index.json`` beside
        ``vectors_file``, else the model of the index. A new index then gets "vggish", or
        "imported" if the dimension is not 128. If the model isn't available on this machine, its
        name is used in place of its digest.
    names : mapping of str to str, optional
        Fields of `Track`, by the names that the file uses for them.

    Returns
    -------
    list of Track
        The tracks as stored, with their ids.

    Raises
    ------
    LibraryError
        If a file can't be read, the files don't fit together, or no row can be added.
    ModelMismatch
        If the index has vectors of another model or dimension.
    UsageError
        If ``names`` has a field that `Track` lacks.
    """
    n_vectors, dimension = _shape(vectors_file)
    problems = Problems(fields_file)
    tracks = read_tracks(fields_file, names or {}, problems)
    if len(tracks) != n_vectors:
        raise LibraryError(
            f"{fields_file} has {counted(len(tracks), 'row')}, but {vectors_file} has "
            f"{counted(n_vectors, 'vector')}.",
            hint="Both need the same number of rows, in the same order.",
        )
    rows = _usable_rows(tracks, _unit_vectors(vectors_file), problems)
    is_export = model is None and vectors_file.name == VECTORS
    exported = _exported_json(vectors_file.with_name(SPEC)) if is_export else None
    hop, moments = exported_moments(vectors_file.parent, exported, fields_file, dimension)
    if tracks and not rows:
        raise LibraryError(
            f"No row can be imported. {problems.sentences()[0]}", hint="Correct the rows."
        )
    spec = _spec_of(exported)
    playlists = [] if spec is None else read_playlists(vectors_file.with_name(FILE))
    with _open_index(location, model, vectors_file, dimension, exported=spec, hop=hop) as index:
        is_taken = takes_moments(index, hop)
        stored = index.add_all(
            rows.values(), moments=[moments[n] for n in rows] if is_taken else None
        )
        put_playlists(index, playlists)
        index.sync()
    problems.warn()
    return stored


def _usable_rows(
    tracks: list[Track | None], vectors: Float32, problems: Problems
) -> dict[int, tuple[Track, Float32]]:
    """Return the tracks with their vectors, by their position in the file.

    Those without either, and repeated paths, are left out.
    """
    rows: dict[int, tuple[Track, Float32]] = {}
    paths: set[str] = set()
    for number, (track, vector) in enumerate(zip(tracks, vectors, strict=True)):
        if track is None:
            continue
        if not np.isfinite(vector).all():
            problems.leave_out(number + 1, "its vector is zero or not finite")
        elif track.path in paths:
            problems.leave_out(number + 1, "an earlier row has the same path")
        else:
            rows[number] = (track, vector)
            paths.add(track.path)
    return rows


def _open_index(
    location: StrPath,
    model: str | None,
    vectors_file: Path,
    dimension: int,
    *,
    exported: EmbeddingSpec | None,
    hop: float | None,
) -> Index:
    """Open or create the index for the vectors, and check that it has their model and dimension."""
    default = registry.PREFERRED if dimension == defaults.DIMENSION else _UNNAMED_MODEL
    name = model or default
    known = registry.find_spec(name)
    if known is not None and known.dimension != dimension:
        raise ModelMismatch(
            f"{vectors_file} has vectors of {dimension} numbers, but {name} makes vectors of "
            f"{known.dimension}.",
            hint="Name the model that made the vectors with --model.",
        )
    spec = replace(
        exported or EmbeddingSpec(name, registry.nominal_digest(name)), dimension=dimension
    )
    if not Index.exists(location):
        return Index(location, spec=spec, moment_hop=hop)
    index = Index(location)
    try:
        _check_dimension(index, vectors_file, dimension)
        if exported or model not in (None, index.spec.model):
            index.require(spec)
    except BaseException:
        index.close()
        raise
    return index


def _check_dimension(index: Index, vectors_file: Path, dimension: int) -> None:
    expected = index.spec.dimension
    if dimension != expected:
        raise ModelMismatch(
            f"The index {index.location} has vectors of {expected} numbers, but those in "
            f"{vectors_file} have {dimension}.",
            hint=f"Import the vectors of {dimension} numbers into another index with --index DIR, "
            f"or name a file with vectors of {expected} numbers.",
        )


def _spec_to_json(spec: EmbeddingSpec) -> dict[str, Any]:
    """Return the content of ``index.json``. It names the dimension only if that isn't 128."""
    content: dict[str, Any] = {
        "model": spec.model,
        "fingerprint": spec.weights_digest,
        "excerpt_seconds": spec.excerpt_seconds,
    }
    return (
        content if spec.dimension == defaults.DIMENSION else content | {"dimension": spec.dimension}
    )


def _exported_json(path: Path) -> Any:
    """Return the content of an ``index.json``; None if the file is missing or isn't JSON."""
    try:
        with path.open("rb") as file:
            return parse_json(file.read(_MAX_SPEC_BYTES))
    except (OSError, ValueError):
        return None


def _spec_of(content: Any) -> EmbeddingSpec | None:
    """Return the spec in the content of an ``index.json``; None if it is invalid."""
    try:
        model, digest = content["model"], content["fingerprint"]
        seconds = content.get("excerpt_seconds")
    except (TypeError, KeyError, AttributeError):
        return None
    is_text = all(isinstance(text, str) and is_utf8(text) for text in (model, digest))
    is_length = seconds is None or (isinstance(seconds, (int, float)) and 0 < seconds < math.inf)
    return EmbeddingSpec(model, digest, seconds) if is_text and is_length else None


def _shape(path: Path) -> tuple[int, int]:
    """Return the number of vectors in a NumPy file, and of the numbers in each.

    Raises
    ------
    LibraryError
        If the file doesn't hold vectors, or is shorter than its header says.
    """
    hint = (
        f"Name a .npy file written by numpy.save, of shape (n, d) with d from "
        f"{defaults.MIN_DIMENSION} to {defaults.MAX_DIMENSION:,}."
    )
    try:
        if zipfile.is_zipfile(path):
            raise LibraryError(f"{path} holds several arrays.", hint=hint)
        # Mapping takes no memory, and fails if the file is shorter than the array.
        with np.errstate(over="ignore"):  # of the size of the array
            vectors = np.lib.format.open_memmap(path, mode="r")
    except numpy_files.ERRORS as exc:
        reason = why_missing(os.fspath(path)) if isinstance(exc, FileNotFoundError) else exc
        first_line = str(reason).partition("\n")[0].rstrip(".")
        raise LibraryError(
            f"{path} is not an array that NumPy can read: {first_line}.", hint=hint
        ) from exc
    if (
        vectors.ndim != 2
        or not defaults.MIN_DIMENSION <= vectors.shape[1] <= defaults.MAX_DIMENSION
    ):
        raise LibraryError(
            f"{path} does not hold vectors: its shape is {vectors.shape}.", hint=hint
        )
    if not np.issubdtype(vectors.dtype, np.number) or np.iscomplexobj(vectors):
        raise LibraryError(
            f"{path} holds {vectors.dtype} values, not real numbers.",
            hint="Save the vectors as float32.",
        )
    return vectors.shape[0], vectors.shape[1]


def _unit_vectors(path: Path) -> Float32:
    """Return the vectors in a NumPy file, scaled to length 1: float32, (n, dimension).

    A vector that is zero or not finite is returned as NaN.
    """
    vectors = np.load(path, allow_pickle=False)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    lengths[~(np.isfinite(lengths) & (lengths > 0))] = np.nan
    return np.asarray(vectors / lengths, dtype=np.float32)
