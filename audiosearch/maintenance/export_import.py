"""Vectors and fields out of an index, and into one from anywhere."""

from __future__ import annotations

import csv
import itertools
import json
import os
import re
import zipfile
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from audiosearch.atomic import atomic_path
from audiosearch.errors import LibraryError, MissingExtra, UsageError
from audiosearch.library.index import EmbeddingSpec, Index, Track
from audiosearch.models import registry
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from audiosearch.types import Float32, StrPath

VECTORS, TRACKS, PARQUET = "vectors.npy", "tracks.jsonl", "tracks.parquet"
IDENTITY = "index.json"  # beside them: whose vectors they are

_ALIASES = {
    "track_name": "title",
    "artist_name": "artist",
    "album_name": "album",
    "file_name": "path",
}
_OWN = {field.name: str(field.type) for field in fields(Track) if field.name != "id"}
_MOST = 2.0**63  # that SQLite can keep
_NO_VALUES = {"int": 0, "float": 0.0, "str": ""}


def export(index: Index, folder: Path) -> int:
    """Write ``vectors.npy``, (n, 128) float32, and ``tracks.jsonl``, a line a row of it.

    And ``index.json``, which says whose vectors they are.

    Returns
    -------
    int
        How many tracks there are.

    Raises
    ------
    LibraryError
        Where they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            atomic_path(folder / VECTORS) as npy,
            atomic_path(folder / TRACKS) as jsonl,
            npy.open("wb") as vectors,
            # A path's stray bytes become escapes that JSON readers turn back.
            jsonl.open("w", encoding="utf-8", errors="backslashreplace") as lines,
            index.all_with_vectors() as (n_tracks, rows),
        ):
            shape = {"descr": "<f4", "fortran_order": False, "shape": (n_tracks, EMBEDDING_SIZE)}
            np.lib.format.write_array_header_1_0(vectors, shape)
            for track, vector in rows:
                vectors.write(vector.tobytes())
                lines.write(json.dumps(asdict(track), ensure_ascii=False) + "\n")
        with atomic_path(folder / IDENTITY) as draft:
            draft.write_text(json.dumps(asdict(index.spec)) + "\n", encoding="utf-8")
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    return n_tracks


def export_parquet(index: Index, folder: Path) -> int:
    """Write ``tracks.parquet``: the fields, and the vectors as column ``embedding``.

    A path's bytes that are not UTF-8 are spelled out.

    Raises
    ------
    MissingExtra
        Where pyarrow is not installed.
    LibraryError
        Where the file cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as exc:
        raise MissingExtra("Parquet", "pyarrow", "parquet") from exc
    kinds = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}
    columns = [("id", kinds["int"])]
    columns += [(name, kinds[kind.removesuffix(" | None")]) for name, kind in _OWN.items()]
    columns.append(("embedding", pa.list_(pa.float32(), EMBEDDING_SIZE)))
    schema = pa.schema(columns)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            atomic_path(folder / PARQUET) as draft,
            parquet.ParquetWriter(draft, schema) as writer,
            index.all_with_vectors() as (n_tracks, rows),
        ):
            while some := list(itertools.islice(rows, 10_000)):
                dicts = [_plain(track) | {"embedding": vector} for track, vector in some]
                writer.write_table(pa.Table.from_pylist(dicts, schema))
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    return n_tracks


def _plain(track: Track) -> dict[str, Any]:
    row = asdict(track)
    return row | {"path": track.path.encode(errors="backslashreplace").decode()}


def _unwritable(folder: Path, error: OSError) -> LibraryError:
    return LibraryError(
        f"The export cannot be written to {folder}: {error.strerror or error}.",
        hint="Name another folder, on a disk with space.",
    )


def import_vectors(
    directory: StrPath,
    vectors_file: Path,
    fields_file: Path,
    *,
    model: str | None = None,
    names: Mapping[str, str] | None = None,
) -> list[Track]:
    """Put vectors from anywhere into an index: in a folder all of them, or none.

    Parameters
    ----------
    directory : str or path-like
        The index; made where there is none.
    vectors_file : Path
        A NumPy file of numbers, shape (n, 128); normalised on the way in.
    fields_file : Path
        JSON (a list of objects), JSON lines or CSV: a row a vector, in the same order. Names
        of `Track`'s fields mean those; ``track_name``, ``artist_name``, ``album_name`` and
        ``file_name`` are the title, artist, album and path. Paths are kept as they are.
    model : str, optional
        Whose vectors they are. Unless given, an export says it; else the index's own, or
        "vggish" for a new index. A name stands for its weights_digest until its weights are at
        hand.
    names : mapping of str to str, optional
        Which of the fields means which of ours.

    Raises
    ------
    LibraryError
        Where a file is not of that kind, or the vectors are not of the index's model.
    UsageError
        Where ``names`` are none of our fields.
    """
    vectors = _unit_rows(vectors_file)
    tracks = [
        _track(row, f"{fields_file}, row {number}")
        for number, row in enumerate(_renamed(fields_file, names or {}), start=1)
    ]
    if len(tracks) != len(vectors):
        raise LibraryError(
            f"{fields_file} has {len(tracks)} rows, and {vectors_file} {len(vectors)}.",
            hint="They must have as many, in the same order.",
        )
    if len({track.path for track in tracks}) < len(tracks):
        raise LibraryError(
            f"Two rows of {fields_file} have the same path.", hint="A path names one track."
        )
    with _index(directory, model, vectors_file) as index:
        stored = index.add_all(zip(tracks, vectors, strict=True))
        index.sync()
    return stored


def _index(directory: StrPath, model: str | None, vectors_file: Path) -> Index:
    is_export = model is None and vectors_file.name == VECTORS
    exported = _exported_spec(vectors_file.with_name(IDENTITY)) if is_export else None
    name = model or registry.PREFERRED
    said = exported or EmbeddingSpec(name, registry.nominal_digest(name))
    if not Index.exists(directory):
        return Index(directory, spec=said)
    index = Index(directory)
    try:
        if exported or model not in (None, index.spec.model):
            index.require(said)
    except BaseException:
        index.close()
        raise
    return index


def _exported_spec(path: Path) -> EmbeddingSpec | None:
    """Return what an export says of its vectors, if that is one."""
    try:
        return EmbeddingSpec(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _unit_rows(path: Path) -> Float32:
    hint = "Name a .npy file of shape (n, 128), as numpy.save writes it."
    try:
        vectors = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as exc:
        raise LibraryError(f"{path} is not an array that NumPy reads: {exc}.", hint=hint) from exc
    if not isinstance(vectors, np.ndarray) or vectors.shape[1:] != (EMBEDDING_SIZE,):
        shape = getattr(vectors, "shape", "none")
        raise LibraryError(f"{path} holds no vectors of 128: its shape is {shape}.", hint=hint)
    if not np.issubdtype(vectors.dtype, np.number) or np.iscomplexobj(vectors):
        raise LibraryError(f"{path} holds no numbers but {vectors.dtype}.", hint=hint)
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    unusable = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(unusable):
        raise LibraryError(
            f"Vector {unusable[0] + 1} of {path} has no direction: it is zero or not finite.",
            hint="Leave out its row here and in the fields.",
        )
    return np.asarray(vectors / lengths, dtype=np.float32)


def _renamed(path: Path, names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    unknown = set(names.values()) - set(_OWN)
    if unknown:
        raise UsageError(
            f"There is no field {', '.join(sorted(unknown))}.", hint=f"Ours are {', '.join(_OWN)}."
        )
    ours = _ALIASES | {name: name for name in _OWN} | dict(names)
    rows = _rows(path)
    missing = [name for name in names if not any(name in row for row in rows)]
    if missing:
        raise LibraryError(
            f"{path} has no field {', '.join(missing)}.",
            hint=f"It has {', '.join(rows[0]) if rows else 'no rows'}.",
        )
    for row in rows:
        yield {ours[name]: value for name, value in row.items() if name in ours}


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                return list(csv.DictReader(file))
            text = file.read()
        if path.suffix.lower() == ".json":
            rows = json.loads(text)
        else:
            rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError, csv.Error) as exc:
        raise LibraryError(
            f"{path} cannot be read as JSON, JSON lines or CSV: {exc}.",
            hint="Its suffix says which it is: .json, .jsonl or .csv.",
        ) from exc
    if isinstance(rows, dict):  # such as `audiosearch list --format json` prints
        rows = next((value for value in rows.values() if isinstance(value, list)), None)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LibraryError(f"{path} is no list of objects.", hint="Write an object a vector.")
    return rows


def _track(row: dict[str, Any], where: str) -> Track:
    if not row.get("path") and row.get("path") != 0:
        raise LibraryError(
            f"{where} has no path.", hint="--map THEIRS=path says which field names the file."
        )
    return Track(**{name: _value(name, row.get(name), where) for name in _OWN})


def _text(name: str, text: str, where: str) -> str:
    try:
        (os.fsencode if name == "path" else str.encode)(text)
        if "\0" not in text:
            return text
    except UnicodeEncodeError:
        pass
    raise LibraryError(
        f"{where}: {name} holds what no text can: {text!a}.", hint="Mend or leave it out."
    )


def _value(name: str, value: Any, where: str) -> Any:
    kind = _OWN[name]
    if value is None or value == "":
        return None if kind.endswith("None") else _NO_VALUES[kind]
    if kind.startswith("str"):
        return _text(name, str(value), where)
    number = re.match(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", str(value).strip())
    if number is None or not abs(float(number[0])) < _MOST:
        raise LibraryError(f"{where}: {name} is no number: {value}.", hint="Mend or leave it out.")
    if kind == "float":
        return float(number[0])
    is_whole = number[1] is None and number[2] is None
    return int(number[0]) if is_whole else int(float(number[0]))
