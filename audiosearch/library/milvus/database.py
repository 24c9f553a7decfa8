"""The two Milvus collections of an index: tracks; settings and failures."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from collections import defaultdict
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from blake3 import blake3

from audiosearch import defaults
from audiosearch.errors import IndexNotFound, LibraryError, NewerIndex
from audiosearch.library.milvus.client import Address, Connection
from audiosearch.library.milvus.expressions import literal, one_of
from audiosearch.library.milvus.schema import (
    ADDED_FIELDS,
    FIELDS,
    MOMENT_FIELDS,
    PRINT_FIELD,
    TRACK_FIELDS,
    coded,
    decoded,
    moment_schema,
    notes_schema,
    track_schema,
)
from audiosearch.library.track import Failure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

T = TypeVar("T")

DEFAULT_SEARCH_WIDTH = 128  # for HNSW, unless `optimize` has found a better one
#: Searches see all that their process wrote, and all else at most a tick of time later. They don't
#: wait for the tick, as the other reads do: 0.2 s by default.
SEARCH_CONSISTENCY = "Session"

_BATCH_ROWS = 500  # rows of one request
_BATCH_NUMBERS = 500 * 512  # numbers in the vectors of one request: 1 MiB
_PAGE_ROWS = 10_000  # rows of an iterator's page
_PAGE_NUMBERS = 10_000 * 128  # numbers in the vectors of an iterator's page
_BLOB_PART_BYTES = 60_000  # of one part of a blob, in base64
_BLOB_PARTS = 20  # parts of a blob in one request
INDEXED_FIELDS = ("path", "content_hash", "audio_hash")  # of tracks, besides the vectors
_SEARCH_WIDTH = "search_width"  # setting: Milvus's `ef`, which `optimize` has found
_CHANGED = "changed"  # setting: time of the last change, in nanoseconds since 1970
_SCHEMA = "schema"  # setting: version of the schema; 1 if it is missing
_SCHEMA_VERSION = 2  # to be increased if an older version must not open the index


def exists(location: str) -> bool:
    """Return whether an index exists at an address and was created completely."""
    try:
        MilvusDatabase(location).close()
    except IndexNotFound:
        return False
    return True


class MilvusDatabase:
    """The collection of tracks, and the collection of settings and failures.

    Milvus has no transactions. Each request is written immediately.

    Parameters
    ----------
    location : str
        Address of the index: see `audiosearch.library.milvus.client.Address`.
    settings : dict, optional
        Settings of a new index. None: open an existing index only.

    Attributes
    ----------
    location : str
    collection, moments_collection : str
        Names of the collections of tracks and of their moments.
    fields : frozenset of str
        Fields of that collection. A collection of an older version lacks some.
    dimension : int
        Numbers in a vector.
    search_width : int
        Number of candidates of a search with HNSW; searches for many neighbors have more.

    Raises
    ------
    IndexNotFound
        If the index doesn't exist and no settings are given.
    NewerIndex
        If a newer version has changed the schema.
    LibraryError
        If the server can't be reached, or the collection wasn't created by audiosearch.
    """

    def __init__(self, location: str, *, settings: dict[str, str] | None = None) -> None:
        address = Address.parsed(location)
        self.location = location
        self.collection = address.collection
        self._notes = f"{address.collection}_notes"
        self.moments_collection = f"{address.collection}_moments"
        if settings is None and address.file and not os.path.exists(address.file):
            raise self._not_found()
        self._connection = Connection(address)
        try:
            self._open(settings)
        except BaseException:
            self.close()
            raise

    def _open(self, settings: dict[str, str] | None) -> None:
        stored = self._stored_settings()
        if stored is None:
            if settings is None:
                raise self._not_found()
            self._create(settings)
        else:
            self._check_version(stored)
            self._check_dimension(stored)
        if not self._is_indexed(self.collection):
            raise LibraryError(
                f"The vectors of the index {self.location} have no index in Milvus.",
                hint="Wait, if `optimize` is at work. Otherwise create an index on the field "
                "`embedding` there, FLAT or HNSW, with metric IP.",
            )
        self._load(self.collection)
        self.search_width = int((stored or {}).get(_SEARCH_WIDTH, DEFAULT_SEARCH_WIDTH))

    def _stored_settings(self) -> dict[str, str] | None:
        """Return the settings; None if the index wasn't created completely.

        The settings are written last.
        """
        if not self.call("has_collection", self.collection):
            return None
        self._read_schema()
        if not self.call("has_collection", self._notes) or not self._is_indexed(self._notes):
            return None
        self._load(self._notes)
        settings = self.settings()
        return settings if _CHANGED in settings else None

    def _read_schema(self) -> None:
        """Read the dimension from the collection, and check that it has the fields of tracks."""
        described = self.call("describe_collection", self.collection)
        fields = {field["name"]: field for field in described["fields"]}
        if not {"embedding", *TRACK_FIELDS} - ADDED_FIELDS <= fields.keys():
            raise LibraryError(
                f"The collection {self.location} wasn't created by audiosearch.",
                hint="Name another collection. It is created if it doesn't exist.",
            )
        if unknown := sorted(fields.keys() - FIELDS):
            raise NewerIndex(self.location, f"the field {', '.join(unknown)}")
        self.fields = frozenset(fields)
        self.dimension = int(fields["embedding"]["params"]["dim"])

    def _check_version(self, settings: dict[str, str]) -> None:
        version = settings.get(_SCHEMA, str(_SCHEMA_VERSION))
        if not version.isdecimal() or int(version) > _SCHEMA_VERSION:
            raise NewerIndex(self.location, f"version {version} of the schema")

    def _check_dimension(self, settings: dict[str, str]) -> None:
        expected = _dimension_of(settings)
        if self.dimension != expected:
            raise LibraryError(
                f"The collection {self.location} has vectors of {self.dimension} numbers, not of "
                f"{expected}.",
                hint="Name another collection. It is created if it doesn't exist.",
            )

    def _not_found(self) -> IndexNotFound:
        return IndexNotFound(
            f"There is no index {self.location}.",
            hint="Create it with `audiosearch add FOLDER --index ...`.",
        )

    def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of Milvus's client: see `Connection.call`."""
        return self._connection.call(method, *args, **options)

    @property
    def has_infix_patterns(self) -> bool:
        """Whether ``like`` finds a text in the middle of another text."""
        return self._connection.has_infix_patterns

    def _load(self, name: str) -> None:
        """Load a collection into the server's memory, or wait until it is. That may take long."""
        state = str(self.call("get_load_state", name)["state"])
        if "NotLoad" in state or "Loading" in state:  # another client may be loading it
            self.call("load_collection", name, timeout=None)

    def _create(self, settings: dict[str, str]) -> None:
        """Create the collections and indexes that are missing, then write the settings."""
        client = self._connection.client
        schemas = {
            self._notes: notes_schema(client),
            self.collection: track_schema(client, _dimension_of(settings)),
        }
        for name, schema in schemas.items():
            self._create_collection(name, schema)
        self._read_schema()
        self._check_dimension(settings)
        if _CHANGED not in self.settings():
            self.set_settings(settings | {_SCHEMA: str(_SCHEMA_VERSION), _CHANGED: "0"})

    def _create_collection(self, name: str, schema: Any) -> None:
        """Create a collection and its indexes, if they are missing, and load it."""
        if not self.call("has_collection", name):
            self.call("create_collection", name, schema=schema, consistency_level="Strong")
        if not self._is_indexed(name):
            self.call("create_index", name, self._index_params(name), sync=False)
        self._load(name)

    def create_moments(self) -> None:
        """Create the collection of moments, if it doesn't exist."""
        name = self.moments_collection
        if self.has_moments():
            return
        if self.call("has_collection", name) and not self._holds_moments():
            raise LibraryError(
                f"The collection {name} of {self.location} doesn't hold moments.",
                hint="Copy the index into a collection with another name: "
                f"`audiosearch copy {self.location} NEW`.",
            )
        schema = moment_schema(self._connection.client, self.dimension)
        self._create_collection(name, schema)

    def has_moments(self) -> bool:
        """Return whether the collection of moments exists and was created completely; load it."""
        name = self.moments_collection
        is_complete = (
            self.call("has_collection", name) and self._holds_moments() and self._is_indexed(name)
        )
        if is_complete:
            self._load(name)
        return is_complete

    def _holds_moments(self) -> bool:
        """Return whether a collection of this name holds moments: another index may have it."""
        return self._moment_fields() >= set(MOMENT_FIELDS)

    def _moment_fields(self) -> set[str]:
        described = self.call("describe_collection", self.moments_collection)
        return {field["name"] for field in described["fields"]}

    def has_prints_of_patches(self) -> bool:
        """Return whether the collection of moments exists, and can hold the prints of patches."""
        return self.has_moments() and PRINT_FIELD in self._moment_fields()

    def remove_moments(self, ids: Iterable[int]) -> None:
        """Remove the moments of the tracks with the given ids."""
        for batch in batches(list(ids)) if self.has_moments() else ():
            self.call("delete", self.moments_collection, filter=one_of("track_id", batch))

    def _is_indexed(self, name: str) -> bool:
        return bool(self.call("list_indexes", name, field_name=self._vector_field(name)))

    def _vector_field(self, name: str) -> str:
        return "nothing" if name == self._notes else "embedding"

    def _index_params(self, name: str) -> Any:
        params = self._connection.client.prepare_index_params()
        for field in {self.collection: INDEXED_FIELDS, self._notes: ()}.get(name, ("track_id",)):
            params.add_index(field, index_type=self._connection.scalar_index_type)
        params.add_index(self._vector_field(name), index_type="FLAT", metric_type="IP")
        return params

    def keep_search_width(self) -> None:
        """Store the search width, for other processes too."""
        self.set_settings({_SEARCH_WIDTH: str(self.search_width)})

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Do nothing: Milvus has no transactions."""
        return contextlib.nullcontext()

    # Settings

    def settings(self) -> dict[str, str]:
        """Return all settings."""
        return dict(self.notes("setting"))

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings. Settings with other names don't change."""
        self.put_notes("setting", {name: (name, value) for name, value in settings.items()})

    # Notes: values of several kinds

    def notes(self, kind: str) -> list[Any]:
        """Return all values of one kind."""
        condition = f"kind == {literal(kind)}"
        rows = self.call("query", self._notes, filter=condition, output_fields=["text"])
        return [json.loads(row["text"]) for row in rows]

    def note(self, kind: str, name: str) -> Any:
        """Return the value of one kind with a name; None if there is none."""
        condition = f"key == {literal(_key(kind, name))}"
        rows = self.call("query", self._notes, filter=condition, output_fields=["text"])
        return json.loads(rows[0]["text"]) if rows else None

    def put_notes(self, kind: str, values: Mapping[str, Any]) -> None:
        """Store values of one kind by their names, as JSON."""
        self._put_rows([_row(kind, name, value) for name, value in values.items()])

    def remove_notes(self, kind: str, names: Sequence[str] | None = None) -> None:
        """Remove the values of one kind: those with the given names, or all."""
        if names is None:
            self.call("delete", self._notes, filter=f"kind == {literal(kind)}")
        for batch in batches([_key(kind, name) for name in names or ()]):
            self.call("delete", self._notes, filter=one_of("key", batch))

    def _put_rows(self, rows: list[dict[str, Any]], batch_rows: int = _BATCH_ROWS) -> None:
        for batch in batches(rows, batch_rows):
            self.call("upsert", self._notes, batch)

    def put_blobs(self, contents: Mapping[str, bytes]) -> None:
        """Store bytes by their names. Each part carries a digest of all the bytes."""
        rows = []
        for name, content in contents.items():
            text, digest = base64.b64encode(content).decode(), blake3(content).hexdigest(length=8)
            parts = [text[i : i + _BLOB_PART_BYTES] for i in range(0, len(text), _BLOB_PART_BYTES)]
            values = ([digest, len(parts), i, part] for i, part in enumerate(parts))
            rows += [_row(name, str(i), value) for i, value in enumerate(values)]
        longest = max((len(row["text"]) for row in rows), default=1)
        self._put_rows(rows, min(_BATCH_ROWS, _BLOB_PARTS * _BLOB_PART_BYTES // longest + 1))

    def blobs(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the bytes stored under names, but none that are missing or incomplete."""
        parts: defaultdict[str, list[Any]] = defaultdict(list)
        for batch in batches(names):
            condition = one_of("kind", batch)
            for row in self.iterate(
                self._notes, condition, ["kind", "text"], page_rows=_BLOB_PARTS
            ):
                parts[row["kind"]].append(json.loads(row["text"]))
        contents = ((name, _joined(found)) for name, found in parts.items())
        return {name: content for name, content in contents if content is not None}

    def revision(self) -> int:
        """Return a number that changes with every change: the time of the last change."""
        return int(self.settings()[_CHANGED])

    def track_changes(self) -> int:
        """Return a number that changes with every change of a track."""
        return self.revision()

    def count_change(self) -> None:
        """Set the time of the last change to now."""
        self.set_settings({_CHANGED: str(time.time_ns())})

    def file_bytes(self) -> None:
        """Return None, because a server keeps the files."""

    def problems(self) -> list[str]:
        """Return an empty list, because Milvus checks its files itself."""
        return []

    # Failures

    def add_failures(self, failures: Iterable[Failure]) -> None:
        """Store failures; each replaces the failure with the same path."""
        rows = {failure.path: asdict(failure) for failure in failures}
        self.put_notes("failure", {p: row | {"path": coded(p)} for p, row in rows.items()})

    def failures(self) -> list[Failure]:
        """Return all failures, ordered by path."""
        condition = f"kind == {literal('failure')}"
        notes = self.iterate(self._notes, condition, ["text"])
        rows = [json.loads(note["text"]) for note in notes]
        failures = [Failure(**row | {"path": decoded(row["path"])}) for row in rows]
        return sorted(failures, key=lambda failure: failure.path)

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Remove failures."""
        self.remove_failures_at(failure.path for failure in failures)

    def remove_failures_at(self, paths: Iterable[str]) -> None:
        """Remove the failures with the given paths."""
        self.remove_notes("failure", list(paths))

    # Requests

    def iterate(
        self, collection: str, condition: str, fields: list[str], *, page_rows: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the given fields of all rows that meet a condition, in ascending order of key."""
        if page_rows is None:
            has_vectors = "embedding" in fields
            page_rows = min(_PAGE_ROWS, _PAGE_NUMBERS // self.dimension if has_vectors else 2**31)
        iterator = self.call(
            "query_iterator",
            collection,
            batch_size=page_rows,
            filter=condition,
            output_fields=fields,
        )
        with contextlib.closing(iterator):
            while page := self._connection.next_rows(iterator):
                yield from page

    @property
    def vector_batch_rows(self) -> int:
        """Number of rows with vectors in one request."""
        return max(1, min(_BATCH_ROWS, _BATCH_NUMBERS // self.dimension))


def _joined(parts: list[Any]) -> bytes | None:
    """Return the bytes in the parts of a blob; None if one is missing."""
    parts.sort(key=lambda part: int(part[2]))
    digest, n_parts, *_ = parts[0]
    content = base64.b64decode("".join(part[3] for part in parts[:n_parts]))
    return content if blake3(content).hexdigest(length=8) == digest else None


def _dimension_of(settings: dict[str, str]) -> int:
    return int(settings.get("dimension", defaults.DIMENSION))


def _key(kind: str, name: str) -> str:
    """Return the key of a note.

    It contains a digest of the name, because Milvus's client rejects keys with quotes.
    """
    return f"{kind}:{blake3(os.fsencode(name)).hexdigest(length=16)}"


def _row(kind: str, name: str, value: Any) -> dict[str, Any]:
    """Return a value as a row of the collection of notes."""
    text = json.dumps(value)
    return {"key": _key(kind, name), "kind": kind, "text": text, "nothing": [0.0] * 2}


def batches(values: Sequence[T], size: int = _BATCH_ROWS) -> Iterator[list[T]]:
    """Yield values in batches for one request each."""
    for start in range(0, len(values), size):
        yield list(values[start : start + size])
