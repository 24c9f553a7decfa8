"""Two collections of Milvus's, opened or made: tracks; settings and failures."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from audiosearch.errors import IndexNotFound, LibraryError
from audiosearch.library.milvus.client import Address, Connection
from audiosearch.library.milvus.expressions import literal, one_of
from audiosearch.library.milvus.schema import (
    TRACK_FIELDS,
    coded,
    decoded,
    notes_schema,
    track_schema,
)
from audiosearch.library.track import Failure
from audiosearch.models.front_end import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

#: So many rows a request names.
AT_A_TIME = 500
_LISTED_AT_A_TIME = 10_000
_PART_BYTES = 60_000  # of what is kept in parts, as text
_CHANGED = "changed"  # the setting that is another after every change


def exists(location: str) -> bool:
    """Return whether there is an index at an address; one whose making was broken off is none."""
    try:
        MilvusStore(location).close()
    except IndexNotFound:
        return False
    return True


class MilvusStore:
    """A collection of tracks, and one beside it of settings and failures.

    Milvus has no transactions: what is written is written at once, a request at a time.

    Parameters
    ----------
    location : str
        Its address: see `audiosearch.library.milvus.client.Address`.
    settings : dict, optional
        Makes a collection with these settings where there is none.

    Attributes
    ----------
    location : str
    collection : str
        The name of the tracks' collection.

    Raises
    ------
    IndexNotFound
        Where there is none, and no settings are given.
    LibraryError
        Where the server cannot be had, or the collection is somebody else's.
    """

    def __init__(self, location: str, *, settings: dict[str, str] | None = None) -> None:
        address = Address.parsed(location)
        self.location = location
        self.collection = address.collection
        self._notes = f"{address.collection}_notes"
        if settings is None and address.file and not os.path.exists(address.file):
            raise self._not_found()
        self._connection = Connection(address)
        try:
            self._open(settings)
        except BaseException:
            self.close()
            raise

    def _open(self, settings: dict[str, str] | None) -> None:
        if not self._is_whole():
            if settings is None:
                raise self._not_found()
            self._make(settings)
        if not self._is_indexed(self.collection):
            raise LibraryError(
                f"The vectors of the index {self.location} have no index in Milvus.",
                hint="Give the field `embedding` one there, by inner product: FLAT, or HNSW.",
            )
        self._load(self.collection)

    def _is_whole(self) -> bool:
        """Return whether there is all that is made: the settings come last."""
        if not self.ask("has_collection", self.collection):
            return False
        self._check_schema()
        if not self.ask("has_collection", self._notes) or not self._is_indexed(self._notes):
            return False
        self._load(self._notes)
        return _CHANGED in self.settings()

    def _not_found(self) -> IndexNotFound:
        return IndexNotFound(
            f"There is no index {self.location}.",
            hint="`audiosearch add FOLDER --index ...` makes one.",
        )

    def ask(self, request: str, *args: Any, **options: Any) -> Any:
        """Make a request: see `audiosearch.library.milvus.client.Connection.ask`."""
        return self._connection.ask(request, *args, **options)

    def _load(self, name: str) -> None:
        """Let a collection be searched, which the server may take its time for."""
        if "NotLoad" in str(self.ask("get_load_state", name)["state"]):
            self.ask("load_collection", name, timeout=None)

    def _make(self, settings: dict[str, str]) -> None:
        """Make what is not there; the settings, which tell that all of it is, come last."""
        for name, schema in ((self._notes, notes_schema), (self.collection, track_schema)):
            if not self.ask("has_collection", name):
                made = schema(self._connection.client)
                self.ask("create_collection", name, schema=made, consistency_level="Strong")
            if not self._is_indexed(name):
                self.ask("create_index", name, self._indexes(name), sync=False)
            self._load(name)
        if _CHANGED not in self.settings():
            self.set_settings(settings | {_CHANGED: "0"})

    def _is_indexed(self, name: str) -> bool:
        return bool(self.ask("list_indexes", name, field_name=self._vectors_of(name)))

    def _vectors_of(self, name: str) -> str:
        return "embedding" if name == self.collection else "nothing"

    def _indexes(self, name: str) -> Any:
        indexes = self._connection.client.prepare_index_params()
        if name == self.collection:
            for field in ("path", "content_hash"):
                indexes.add_index(field, index_type="INVERTED")
        indexes.add_index(self._vectors_of(name), index_type="FLAT", metric_type="IP")
        return indexes

    def _check_schema(self) -> None:
        described = self.ask("describe_collection", self.collection)
        found = {field["name"]: field for field in described["fields"]}
        size = found.get("embedding", {}).get("params", {}).get("dim")
        if size is not None and int(size) != EMBEDDING_SIZE:
            raise LibraryError(
                f"The index {self.location} holds vectors of {size} numbers, not of "
                f"{EMBEDDING_SIZE}.",
                hint="Name another collection: one that is not there yet is made.",
            )
        if not set(TRACK_FIELDS) < found.keys():
            raise LibraryError(
                f"The index {self.location} was not made by audiosearch.",
                hint="Name another collection: one that is not there yet is made.",
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Do nothing: Milvus has no transactions."""
        return contextlib.nullcontext()

    # Settings

    def settings(self) -> dict[str, str]:
        """Return all settings."""
        condition = f"kind == {literal('setting')}"
        rows = self.ask("query", self._notes, filter=condition, output_fields=["text"])
        return dict(json.loads(row["text"]) for row in rows)

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings; those of other names stay as they are."""
        self._note("setting", {name: (name, value) for name, value in settings.items()})

    def _note(self, kind: str, values: dict[str, Any]) -> None:
        """Keep values, as JSON, by their names."""
        rows = [
            {"key": _key(kind, name), "kind": kind, "text": json.dumps(value), "nothing": [0.0] * 2}
            for name, value in values.items()
        ]
        for some in in_parts(rows):
            self.ask("upsert", self._notes, some)

    def keep(self, name: str, content: bytes) -> None:
        """Keep bytes under a name, in parts."""
        text, stamp = base64.b64encode(content).decode(), blake3(content).hexdigest(length=8)
        parts = [text[i : i + _PART_BYTES] for i in range(0, len(text), _PART_BYTES)]
        self._note(name, {str(i): [stamp, len(parts), i, part] for i, part in enumerate(parts)})

    def kept(self, name: str) -> bytes | None:
        """Return the bytes that are kept under a name; None where there are none that are whole."""
        condition = f"kind == {literal(name)}"
        rows = self.ask("query", self._notes, filter=condition, output_fields=["text"])
        parts = sorted((json.loads(row["text"]) for row in rows), key=lambda part: int(part[2]))
        if not parts:
            return None
        stamp, n_parts, *_ = parts[0]
        content = base64.b64decode("".join(part[3] for part in parts[:n_parts]))
        return content if blake3(content).hexdigest(length=8) == stamp else None

    def revision(self) -> int:
        """Return a number that is another one after every change, as of its writer's clock."""
        return int(self.settings()[_CHANGED])

    def track_changes(self) -> int:
        """Return a number that is another one after every change of a track."""
        return self.revision()

    def changed(self) -> None:
        """Count a change of the tracks."""
        self.set_settings({_CHANGED: str(time.time_ns())})

    def file_bytes(self) -> None:
        """Return None: what a server keeps is its own business."""

    # Failures

    def put_failures(self, failures: Iterable[Failure]) -> None:
        """Record files that could not be embedded."""
        values = {failure.path: asdict(failure) for failure in failures}
        self._note("failure", {p: row | {"path": coded(p)} for p, row in values.items()})

    def failures(self) -> list[Failure]:
        """Return the files that could not be embedded, by path."""
        condition = f"kind == {literal('failure')}"
        rows = [
            json.loads(row["text"]) for row in self.everything(self._notes, condition, ["text"])
        ]
        found = [Failure(**row | {"path": decoded(row["path"])}) for row in rows]
        return sorted(found, key=lambda failure: failure.path)

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Forget failures."""
        self.forget_failures(failure.path for failure in failures)

    def forget_failures(self, paths: Iterable[str]) -> None:
        """Forget the failures of some paths."""
        for some in in_parts([_key("failure", path) for path in paths]):
            self.ask("delete", self._notes, filter=one_of("key", some))

    # Requests

    def everything(
        self, collection: str, condition: str, names: list[str]
    ) -> Iterator[dict[str, Any]]:
        """Yield some fields of all that fulfil a condition, in the order of their keys."""
        found = self.ask(
            "query_iterator",
            collection,
            batch_size=_LISTED_AT_A_TIME,
            filter=condition,
            output_fields=names,
        )
        with contextlib.closing(found):
            while some := self._connection.next(found):
                yield from some


def _key(kind: str, name: str) -> str:
    """Return the key of a note; a digest, for Milvus's client takes no key with quotes."""
    return f"{kind}:{blake3(os.fsencode(name)).hexdigest(length=16)}"


def in_parts(values: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield values, as many at a time as a request may name."""
    for start in range(0, len(values), AT_A_TIME):
        yield list(values[start : start + AT_A_TIME])
