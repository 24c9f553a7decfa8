"""Two collections of Milvus's, opened or made: tracks; settings and failures."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

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
from audiosearch.library.records import Failure
from audiosearch.params import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

#: So many rows a request names.
AT_A_TIME = 500
_LISTED_AT_A_TIME = 10_000
_CHANGED = "changed"  # the setting that is another after every change


def exists(location: str) -> bool:
    """Return whether there is a collection of tracks at an address."""
    address = Address.parsed(location)
    if address.file and not os.path.exists(address.file):
        return False
    with Connection(address) as connection:
        return bool(connection.ask("has_collection", address.collection))


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
        if settings is None and not exists(location):
            raise IndexNotFound(
                f"There is no index {location}.",
                hint="`audiosearch add FOLDER --index ...` makes one.",
            )
        self._connection = Connection(address)
        self.collection = address.collection
        self._notes = f"{address.collection}_notes"
        try:
            if not self.ask("has_collection", self.collection):
                self._create(settings or {})
            self._check_schema()
            for name in (self.collection, self._notes):
                self.ask("load_collection", name)
        except BaseException:
            self.close()
            raise

    def ask(self, request: str, *args: Any, **options: Any) -> Any:
        """Make a request: see `audiosearch.library.milvus.client.Connection.ask`."""
        return self._connection.ask(request, *args, **options)

    def _create(self, settings: dict[str, str]) -> None:
        self._create_collection(self._notes, notes_schema, "nothing")
        self.set_settings(settings | {_CHANGED: "0"})
        self._create_collection(self.collection, track_schema, "embedding")

    def _create_collection(self, name: str, schema: Any, vectors: str) -> None:
        client = self._connection.client
        indexes = client.prepare_index_params()
        indexes.add_index(vectors, index_type="FLAT", metric_type="IP")
        if name == self.collection:
            for field in ("path", "content_hash"):
                indexes.add_index(field, index_type="INVERTED")
        made = schema(client)
        self.ask("create_collection", name, schema=made, consistency_level="Strong")
        self.ask("create_index", name, indexes, sync=False)  # there is nothing in it yet

    def _check_schema(self) -> None:
        described = self.ask("describe_collection", self.collection)
        found = {field["name"]: field for field in described["fields"]}
        size = found.get("embedding", {}).get("params", {}).get("dim")
        if size is not None and int(size) != EMBEDDING_SIZE:
            raise LibraryError(
                f"The collection {self.location} holds vectors of {size} numbers, not of "
                f"{EMBEDDING_SIZE}.",
                hint="Name another collection: one that is not there yet is made.",
            )
        is_ours = set(TRACK_FIELDS) < found.keys() and self.ask("has_collection", self._notes)
        if not is_ours:
            raise LibraryError(
                f"The collection {self.location} was not made by audiosearch.",
                hint="Name another one: it is made where there is none.",
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
        rows = self._noted("setting")
        return {row["key"].removeprefix("setting:"): row["text"] for row in rows}

    def set_settings(self, settings: dict[str, str]) -> None:
        """Write settings; those of other names stay as they are."""
        self._note("setting", settings)

    def _noted(self, kind: str) -> list[dict[str, Any]]:
        return self.everything(self._notes, f"kind == {literal(kind)}", ["key", "text"])

    def _note(self, kind: str, texts: dict[str, str]) -> None:
        nothing = [0.0, 0.0]
        rows = [
            {"key": f"{kind}:{name}", "kind": kind, "text": text, "nothing": nothing}
            for name, text in texts.items()
        ]
        if rows:
            self.ask("upsert", self._notes, rows)

    def revision(self) -> int:
        """Return a number that grows with every change."""
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

    def put_failure(self, failure: Failure) -> None:
        """Record a file that could not be embedded."""
        row = asdict(failure)
        self._note("failure", {coded(row.pop("path")): json.dumps(row)})

    def failures(self) -> list[Failure]:
        """Return the files that could not be embedded, by path."""
        found = [
            Failure(path=decoded(row["key"].removeprefix("failure:")), **json.loads(row["text"]))
            for row in self._noted("failure")
        ]
        return sorted(found, key=lambda failure: failure.path)

    def remove_failures(self, failures: Iterable[Failure]) -> None:
        """Forget failures."""
        self.forget_failures(failure.path for failure in failures)

    def forget_failures(self, paths: Iterable[str]) -> None:
        """Forget the failures of some paths."""
        keys = [f"failure:{coded(path)}" for path in paths]
        for some in in_parts(keys):
            self.ask("delete", self._notes, filter=one_of("key", some))

    # Requests

    def everything(self, collection: str, condition: str, names: list[str]) -> list[dict[str, Any]]:
        """Return some fields of all that fulfil a condition, however many they are."""
        found = self.ask(
            "query_iterator",
            collection,
            batch_size=_LISTED_AT_A_TIME,
            filter=condition,
            output_fields=names,
        )
        rows: list[dict[str, Any]] = []
        with contextlib.closing(found):
            while some := self._connection.next(found):
                rows += some
        return rows


def in_parts(values: Sequence[Any]) -> Iterator[list[Any]]:
    """Yield values, as many at a time as a request may name."""
    for start in range(0, len(values), AT_A_TIME):
        yield list(values[start : start + AT_A_TIME])
